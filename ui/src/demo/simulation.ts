/** "Start Simulation": players of the generator who come, play and join tournaments until stopped. */
import { signal } from "@preact/signals";
import { del, get, post } from "../api/client.ts";
import { asProblem, type Problem } from "../api/problem.ts";
import type { SimulationStatus } from "../api/types.ts";

const POLL_EVERY_MS = 2_000;

export const simulation = signal<SimulationStatus | null>(null);
export const simulationProblem = signal<Problem | null>(null);
export const simulationAsked = signal(false);
let timer: ReturnType<typeof setTimeout> | undefined;

export function loadSimulation(): Promise<void> {
  return ask(() => get<SimulationStatus>("/demo/simulation"));
}

export async function startSimulation(): Promise<void> {
  simulationAsked.value = true;
  await ask(() => post<SimulationStatus>("/demo/simulation", { body: {} }));
  simulationAsked.value = false;
}

export async function stopSimulation(): Promise<void> {
  simulationAsked.value = true;
  await ask(async () => {
    await del("/demo/simulation");
    return get<SimulationStatus>("/demo/simulation");
  });
  simulationAsked.value = false;
}

async function ask(request: () => Promise<SimulationStatus>): Promise<void> {
  clearTimeout(timer);
  try {
    simulation.value = await request();
    simulationProblem.value = null;
  } catch (cause) {
    const problem = asProblem(cause);
    simulationProblem.value = problem.status === 404 ? null : problem;
  }
  if (simulation.value && simulation.value.state !== "idle") {
    clearTimeout(timer);
    timer = setTimeout(loadSimulation, POLL_EVERY_MS);
  }
}
