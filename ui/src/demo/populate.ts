/** "Populate Demo Data": start, watch and cancel the generator's run; a reload finds it again. */
import { signal } from "@preact/signals";
import { del, get, post } from "../api/client.ts";
import { asProblem, type Problem } from "../api/problem.ts";
import type { PopulateStatus } from "../api/types.ts";
import { games } from "../games/games.ts";
import { demoUsers } from "../session/session.ts";
import { announce } from "../shell/announce.ts";

const POLL_EVERY_MS = 500;

export const populate = signal<PopulateStatus | null>(null);
export const populateProblem = signal<Problem | null>(null);
/** Outside the demo profile the server has no demo endpoints. */
export const demoOffered = signal(true);
/** True from the press until the server's first answer. */
export const populateAsked = signal(false);

export async function loadPopulate(): Promise<void> {
  try {
    take(await get<PopulateStatus>("/demo/populate"));
    demoOffered.value = true;
  } catch (cause) {
    const problem = asProblem(cause);
    demoOffered.value = problem.status !== 404;
    populateProblem.value = demoOffered.value ? problem : null;
  }
}

export async function startPopulate(): Promise<void> {
  populateAsked.value = true;
  await attempt(async () => take(await post<PopulateStatus>("/demo/populate")));
  populateAsked.value = false;
}

export async function cancelPopulate(): Promise<void> {
  await attempt(async () => {
    await del("/demo/populate");
    take(await get<PopulateStatus>("/demo/populate"));
  });
}

async function attempt(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (cause) {
    populateProblem.value = asProblem(cause);
  }
}

function take(status: PopulateStatus): void {
  const before = populate.value?.state;
  populate.value = status;
  populateProblem.value = null;
  if (!sameNames(status.users, demoUsers.peek())) demoUsers.value = status.users;
  if (status.state === "running") setTimeout(poll, POLL_EVERY_MS);
  else if (before === "running") finished(status);
}

function poll(): void {
  void attempt(async () => take(await get<PopulateStatus>("/demo/populate")));
}

function finished(status: PopulateStatus): void {
  void games.load();
  if (status.state === "done") announce("Demo data is ready");
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index]);
}
