/** What a channel holds after frames: never a gap, always the order of ranks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Row } from "../../src/api/types.ts";
import {
  applyDelta,
  applyEvents,
  type Board,
  type Events,
  holdSnapshot,
  isBehind,
  mergeRows,
} from "../../src/live/delta.ts";
import type { Delta, EventFrame, ScoreEvent } from "../../src/live/protocol.ts";

function row(rank: number, user_id: string, score = 100 - rank): Row {
  return { rank, user_id, username: user_id, score, reached_at: "2026-11-23T12:00:00Z" };
}

function board(rows: Row[], version = 12): Board {
  return { epoch: "k3f9", version, board: "global", order: "desc", total: rows.length, rows };
}

function delta(changes: Partial<Delta>): Delta {
  const channel = "leaderboard:global";
  const versions = { epoch: "k3f9", base: 12, version: 15 };
  return { type: "delta", channel, ...versions, total: 3, rows: [], removed: [], ...changes };
}

test("a delta replaces rows of the same player and sorts by rank", () => {
  const before = board([row(1, "ada"), row(2, "bea"), row(3, "cyd")]);
  const after = applyDelta(
    before,
    delta({ rows: [row(1, "cyd", 200), row(2, "ada"), row(3, "bea")] }),
  );
  assert.notEqual(after, "resync");
  const { rows, version } = after as Board;
  assert.deepEqual(
    rows.map(({ user_id }) => user_id),
    ["cyd", "ada", "bea"],
  );
  assert.equal(version, 15);
  assert.equal(before.rows[0]?.user_id, "ada");
});

test("a delta takes away who left the first rows, and keeps the total it tells", () => {
  const before = board([row(1, "ada"), row(2, "bea")]);
  const after = applyDelta(before, delta({ rows: [row(2, "cyd")], removed: ["bea"], total: 2042 }));
  const { rows, total } = after as Board;
  assert.deepEqual(
    rows.map(({ user_id }) => user_id),
    ["ada", "cyd"],
  );
  assert.equal(total, 2042);
});

test("a delta on another base or epoch is never applied", () => {
  const before = board([row(1, "ada")]);
  assert.equal(applyDelta(before, delta({ base: 11 })), "resync");
  assert.equal(applyDelta(before, delta({ base: 13 })), "resync");
  assert.equal(applyDelta(before, delta({ epoch: "other" })), "resync");
});

test("players of equal rank stand in the server's order: who reached it first, then by id", () => {
  const late = { ...row(1, "ada"), reached_at: "2026-11-23T12:00:05Z" };
  const rows = mergeRows([], [late, row(1, "cyd"), row(1, "bea")], []);
  assert.deepEqual(
    rows.map(({ user_id }) => user_id),
    ["bea", "cyd", "ada"],
  );
});

test("a stream of deltas replays to the snapshot of its last version", () => {
  let held = board([], 0);
  const players = ["ada", "bea", "cyd", "dan", "eve", "fay"];
  const truth = new Map<string, number>();
  let random = 7;
  for (let version = 1; version <= 500; version += 1) {
    random = (random * 48_271) % 2_147_483_647;
    const player = players[random % players.length] ?? "ada";
    if (random % 5 === 0) truth.delete(player);
    else truth.set(player, random % 1000);
    const rows = [...truth.entries()]
      .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
      .map(([user_id, score], index) => row(index + 1, user_id, score));
    const before = new Map(held.rows.map((known) => [known.user_id, known]));
    const changed = rows.filter(({ user_id, rank, score }) => {
      const known = before.get(user_id);
      return known?.rank !== rank || known.score !== score;
    });
    const removed = [...before.keys()].filter((user_id) => !truth.has(user_id));
    const after = applyDelta(
      held,
      delta({ base: version - 1, version, rows: changed, removed, total: rows.length }),
    );
    held = after as Board;
    assert.deepEqual(held.rows, rows);
  }
});

function scored(submission_id: string): ScoreEvent {
  const who = { user_id: "u", username: "ada", game_id: "space-race", trace_id: "t" };
  const what = { score: 1, counted: true, rank: 1, previous_rank: null };
  return { kind: "score", at: "2026-11-23T12:00:00Z", submission_id, ...who, ...what };
}

function frame(base: number, version: number, ids: string[]): EventFrame {
  const events = ids.map(scored);
  return { type: "event", channel: "score", epoch: "p1", base, version, events };
}

test("events are appended in order, and the last 50 are kept", () => {
  let held: Events = { epoch: "p1", version: 0, events: [], tournament: null };
  for (let version = 1; version <= 60; version += 1) {
    held = applyEvents(held, frame(version - 1, version, [`s${version}`])) as Events;
  }
  assert.equal(held.events.length, 50);
  assert.equal(held.version, 60);
  assert.equal((held.events.at(-1) as ScoreEvent).submission_id, "s60");
  assert.equal(applyEvents(held, frame(61, 62, ["x"])), "resync");
});

test("a heartbeat with a newer version or another epoch means something was lost", () => {
  const held = { kind: "board", board: board([]) } as const;
  assert.equal(isBehind(held, "k3f9", 12), false);
  assert.equal(isBehind(held, "k3f9", 11), false);
  assert.equal(isBehind(held, "k3f9", 13), true);
  assert.equal(isBehind(held, "zzzz", 12), true);
});

test("a snapshot of events and one of a board are told apart", () => {
  const events = holdSnapshot({
    type: "snapshot",
    channel: "score",
    epoch: "p1",
    version: 1,
    events: [],
  });
  assert.equal(events.kind, "events");
});
