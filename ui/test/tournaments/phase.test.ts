/** Phases in words, and tournaments that never go back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Phase, Tournament } from "../../src/api/types.ts";
import { describePhase, describePlaces, inListOrder, newer } from "../../src/tournaments/phase.ts";

const START_MS = Date.parse("2026-11-23T12:00:00Z");

function tournament(phase: Phase, changes: Partial<Tournament> = {}): Tournament {
  const window = { start_time: "2026-11-23T12:00:00Z", end_time: "2026-11-23T12:01:00Z" };
  return { id: "t", phase, participants: 2, ...window, ...changes } as Tournament;
}

test("what happens next is told by the server's clock", () => {
  assert.equal(describePhase(tournament("Scheduled"), START_MS - 30_000), "starts in 0:30");
  assert.equal(describePhase(tournament("Scheduled"), START_MS + 100), "starting");
  assert.equal(describePhase(tournament("Active"), START_MS + 15_000), "ends in 0:45");
  assert.equal(describePhase(tournament("Active"), START_MS + 60_000), "closing");
  assert.equal(describePhase(tournament("Completed"), START_MS + 360_000), "ended 5 min ago");
});

test("an older picture never replaces a newer one, whichever comes first", () => {
  const active = tournament("Active", { participants: 3 });
  const joined = tournament("Active", { participants: 4 });
  const settling = tournament("Settling");
  assert.equal(newer(active, joined), joined);
  assert.equal(newer(joined, active), joined);
  assert.equal(newer(settling, joined), settling);
  assert.equal(newer(joined, settling), settling);
});

test("the list begins with what ends next and ends with what is over", () => {
  const soon = tournament("Active", { id: "soon" });
  const later = tournament("Active", { id: "later", end_time: "2026-11-23T13:00:00Z" });
  const over = tournament("Completed", { id: "over" });
  const before = tournament("Completed", { id: "before", end_time: "2026-11-23T11:00:00Z" });
  const ids = [before, over, later, soon].sort(inListOrder).map(({ id }) => id);
  assert.deepEqual(ids, ["soon", "later", "over", "before"]);
});

test("places are a rank or a range", () => {
  assert.equal(describePlaces(1, 1), "Rank 1");
  assert.equal(describePlaces(4, 10), "Ranks 4 to 10");
});
