/** The create form: untouched times follow the clock, and nothing impossible is sent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { check, EMPTY_DRAFT, toRequest, withTimes } from "../../src/tournaments/draft.ts";

const NOW_MS = Date.parse("2026-11-23T12:00:00Z");
const named = { ...EMPTY_DRAFT, name: " Evening cup ", game_id: "space-race" };

test("left alone it starts now and ends in 60 seconds", () => {
  const draft = withTimes(named, NOW_MS);
  assert.equal(check(draft, NOW_MS).size, 0);
  assert.deepEqual(toRequest(draft), {
    name: "Evening cup",
    game_id: "space-race",
    max_participants: 16,
    prize_pool: 1000,
    start_time: "2026-11-23T12:00:00.000Z",
    end_time: "2026-11-23T12:01:00.000Z",
  });
});

test("an untouched end follows a chosen start", () => {
  const start = withTimes(named, NOW_MS + 3_600_000).start_time;
  const draft = withTimes({ ...named, start_time: start }, NOW_MS);
  assert.equal(toRequest(draft).end_time, "2026-11-23T13:01:00.000Z");
});

test("each impossible field gets its own sentence", () => {
  const draft = {
    name: "  ",
    game_id: "",
    max_participants: "1.5",
    prize_pool: "-1",
    start_time: "",
    end_time: "",
  };
  assert.deepEqual([...check(draft, NOW_MS).keys()].sort(), Object.keys(draft).sort());
});

test("an end before its start, or past, is refused", () => {
  const filled = withTimes(named, NOW_MS);
  const backwards = { ...filled, start_time: filled.end_time, end_time: filled.start_time };
  assert.match(check(backwards, NOW_MS).get("end_time") ?? "", /after the start/);
  assert.match(check(filled, NOW_MS + 120_000).get("end_time") ?? "", /past/);
});
