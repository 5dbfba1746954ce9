/** Rank changes that the board shows for a while. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Row } from "../../src/api/types.ts";
import { MOVE_SHOWN_MS, NO_MOVES, trackMoves } from "../../src/live/moves.ts";

function rows(...userIds: string[]): Row[] {
  return userIds.map((user_id, index) => ({
    rank: index + 1,
    user_id,
    username: user_id,
    score: 10 - index,
    reached_at: "2026-11-23T12:00:00Z",
  }));
}

test("a swap is told for both players, and forgotten after its time", () => {
  const moved = trackMoves(NO_MOVES, rows("ada", "bea", "cyd"), rows("bea", "ada", "cyd"), 1_000);
  assert.deepEqual(moved.get("bea"), { rankBefore: 2, rankAfter: 1, atMs: 1_000 });
  assert.deepEqual(moved.get("ada"), { rankBefore: 1, rankAfter: 2, atMs: 1_000 });
  assert.equal(moved.has("cyd"), false);

  const still = rows("bea", "ada", "cyd");
  assert.equal(trackMoves(moved, still, still, 1_000 + MOVE_SHOWN_MS - 1).size, 2);
  assert.equal(trackMoves(moved, still, still, 1_000 + MOVE_SHOWN_MS).size, 0);
});

test("a player from outside the shown rows is new", () => {
  const moved = trackMoves(NO_MOVES, rows("ada"), rows("ada", "zoe"), 5);
  assert.deepEqual(moved.get("zoe"), { rankBefore: null, rankAfter: 2, atMs: 5 });
});
