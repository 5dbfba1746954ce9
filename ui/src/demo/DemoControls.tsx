/** The two buttons a newcomer starts with. What to press next is the one that stands out. */
import type { PopulateStatus, SimulationStatus } from "../api/types.ts";
import { formatCount, formatDuration } from "../format.ts";
import { ProblemView } from "../shell/ProblemView.tsx";
import {
  cancelPopulate,
  populate,
  populateAsked,
  populateProblem,
  startPopulate,
} from "./populate.ts";
import {
  simulation,
  simulationAsked,
  simulationProblem,
  startSimulation,
  stopSimulation,
} from "./simulation.ts";

export function DemoControls() {
  return (
    <section class="demo" aria-label="Demo">
      <Populate />
      <Simulation />
    </section>
  );
}

function Populate() {
  const status = populate.value;
  const problem = populateProblem.value;
  const running = status?.state === "running";
  return (
    <div class="demo-part">
      <button
        type="button"
        class={hasPlayers(status) ? "button" : "button primary"}
        disabled={running || populateAsked.value}
        data-testid="populate-button"
        onClick={() => {
          simulationProblem.value = null;
          void startPopulate();
        }}
      >
        Populate Demo Data
      </button>
      {status && <PopulateProgress status={status} />}
      {problem && <ProblemView problem={problem} onRetry={() => void startPopulate()} />}
    </div>
  );
}

function PopulateProgress({ status }: { status: PopulateStatus }) {
  const running = status.state === "running";
  return (
    <div class="demo-status">
      {running && (
        <progress
          data-testid="populate-progress"
          aria-label="Populating"
          max={Math.max(1, status.total)}
          value={status.done}
        />
      )}
      <span data-testid="populate-status" data-state={status.state}>
        {describePopulate(status)}
      </span>
      {running && (
        <button
          type="button"
          class="button"
          data-testid="populate-cancel"
          onClick={() => void cancelPopulate()}
        >
          Cancel
        </button>
      )}
    </div>
  );
}

function describePopulate(status: PopulateStatus): string {
  const { users, submissions, tournaments } = status.created;
  const made = `${formatCount(users)} users, ${formatCount(submissions)} scores, ${formatCount(tournaments)} tournaments`;
  switch (status.state) {
    case "idle":
      return hasPlayers(status) ? "Demo data is there" : "Adds players, scores and tournaments";
    case "running": {
      const left = status.eta_s === null ? "" : `, ${formatDuration(status.eta_s * 1000)} left`;
      const pace = `${formatCount(Math.round(status.rate_per_second))} per second`;
      const done = `${formatCount(status.done)} of ${formatCount(status.total)}`;
      return `${status.step}: ${done}, ${pace}${left}`;
    }
    case "done":
      return status.already_there ? "Already there, nothing was added" : `Done: added ${made}`;
    case "cancelled":
      return `Cancelled after ${made}`;
    case "failed":
      return status.error ? `Failed: ${status.error.title}. ${status.error.detail}` : "Failed";
  }
}

function Simulation() {
  const status = simulation.value;
  const problem = simulationProblem.value;
  const running = status !== null && status.state !== "idle";
  const suggested = !running && hasPlayers(populate.value);
  const toggle = () => void (running ? stopSimulation() : startSimulation());
  return (
    <div class="demo-part">
      <button
        type="button"
        class={suggested ? "button primary" : "button"}
        disabled={simulationAsked.value || status?.state === "stopping"}
        data-testid="simulation-button"
        onClick={toggle}
      >
        {running ? "Stop Simulation" : "Start Simulation"}
      </button>
      <span
        class="demo-status"
        data-testid="simulation-status"
        data-state={status?.state ?? "idle"}
      >
        {describeSimulation(status)}
      </span>
      {problem && <ProblemView problem={problem} onRetry={toggle} />}
    </div>
  );
}

function describeSimulation(status: SimulationStatus | null): string {
  if (status === null || status.state === "idle") return "Simulated players are not playing";
  if (status.state === "stopping") return "Stopping";
  const errors = status.errors > 0 ? `, ${formatCount(status.errors)} errors` : "";
  return `${formatCount(status.players)} players: ${formatCount(status.submissions)} scores, ${formatCount(status.joins)} joins${errors}`;
}

function hasPlayers(status: PopulateStatus | null): boolean {
  return status !== null && status.users.length > 0;
}
