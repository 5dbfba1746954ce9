/** Rows keep their places in the document, and only what is seen is drawn. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { latestFirst } from "../../src/live/feed.ts";
import { stableOrder, visibleSpan } from "../../src/live/order.ts";
import type { LiveEvent } from "../../src/live/protocol.ts";

test("rows that stay keep their places, new ones come last", () => {
  assert.deepEqual(stableOrder(["a", "b", "c"], ["c", "d", "a"]), ["a", "c", "d"]);
  assert.deepEqual(stableOrder([], ["b", "a"]), ["b", "a"]);
});

test("the drawn span is what is shown and some rows beyond, never outside the board", () => {
  assert.deepEqual(visibleSpan(0, 0.2, 100, 10), { first: 0, end: 30 });
  assert.deepEqual(visibleSpan(0.5, 0.2, 100, 10), { first: 40, end: 80 });
  assert.deepEqual(visibleSpan(0.8, 0.2, 100, 10), { first: 70, end: 100 });
  assert.deepEqual(visibleSpan(0, 1, 0, 10), { first: 0, end: 0 });
});

test("the feed is newest first and leaves out joins", () => {
  const event = (kind: string, change: string, at: string) => ({ kind, change, at }) as LiveEvent;
  const shown = latestFirst([
    event("score", "", "2026-11-23T12:00:01Z"),
    event("tournament", "joined", "2026-11-23T12:00:02Z"),
    event("tournament", "opened", "2026-11-23T12:00:03Z"),
  ]);
  assert.deepEqual(
    shown.map(({ at }) => at.slice(-3)),
    ["03Z", "01Z"],
  );
});
