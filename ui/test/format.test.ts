/** Numbers and times as they are read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  describeRankChange,
  formatCount,
  formatCountdown,
  formatDuration,
  formatScore,
  fromLocalInput,
  toLocalInput,
} from "../src/format.ts";

test("counts are grouped; milliseconds read as a time", () => {
  assert.equal(formatCount(1_234_567), "1,234,567");
  assert.equal(formatScore(-4200, "points"), "-4,200");
  assert.equal(formatScore(62_345, "ms"), "1:02.345");
  assert.equal(formatScore(9_007, "ms"), "9.007 s");
});

test("a countdown ends at 0:00 and not before", () => {
  assert.equal(formatCountdown(45_000), "0:45");
  assert.equal(formatCountdown(1), "0:01");
  assert.equal(formatCountdown(0), "0:00");
  assert.equal(formatCountdown(-5_000), "0:00");
  assert.equal(formatCountdown(3_600_000), "1:00:00");
  assert.equal(formatCountdown(2 * 86_400_000 + 3 * 3_600_000), "2 d 3 h");
});

test("a duration has its largest unit", () => {
  assert.equal(formatDuration(4_000), "4 s");
  assert.equal(formatDuration(300_000), "5 min");
  assert.equal(formatDuration(7_200_000), "2 h");
  assert.equal(formatDuration(172_800_000), "2 d");
});

test("a rank change has a sign and words; a smaller rank is up", () => {
  assert.deepEqual(describeRankChange(5, 2), { sign: "▲ 3", words: "up 3", direction: "up" });
  assert.deepEqual(describeRankChange(2, 5), { sign: "▼ 3", words: "down 3", direction: "down" });
  assert.equal(describeRankChange(null, 4).words, "new");
  assert.equal(describeRankChange(4, 4).direction, "same");
  assert.equal(describeRankChange(4, null).sign, "");
});

test("a date input and the time it means are one another's inverse", () => {
  const timeMs = Date.parse("2026-11-23T12:34:56Z");
  assert.equal(fromLocalInput(toLocalInput(timeMs)), timeMs);
  assert.ok(Number.isNaN(fromLocalInput("")));
});
