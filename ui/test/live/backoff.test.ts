/** When to connect again: every row of the table in docs/api/live.md. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { afterClose, backoffMs } from "../../src/live/backoff.ts";

function delay(code: number, reason = "", attempt = 0, random = 0.5): number {
  const rule = afterClose(code, reason, attempt, random);
  assert.ok(rule.retry, `${code} is worth a reconnect`);
  return rule.delayMs;
}

test("the delay doubles, has a ceiling, and jitter spreads it over its upper half", () => {
  assert.equal(backoffMs(0, 0), 250);
  assert.equal(backoffMs(1, 0), 500);
  assert.equal(backoffMs(3, 0.999), 3998);
  assert.equal(backoffMs(50, 0), 7_500);
  assert.ok(backoffMs(50, 0.999) <= 15_000);
});

test("going away, restart, ping timeout and a lost line reconnect with jitter", () => {
  for (const code of [1001, 1006, 1012, 4002, 4321]) {
    assert.notEqual(delay(code, "", 2, 0), delay(code, "", 2, 0.9));
  }
});

test("too many sockets: after 5 s with jitter", () => {
  assert.equal(delay(1013, "", 0, 0), 5_000);
  assert.equal(delay(1013, "", 9, 0.5), 6_250);
});

test("a drain tells when to come back, within reason", () => {
  assert.equal(delay(4000, "retry_after_ms=1234", 5), 1234);
  assert.equal(delay(4000, "retry_after_ms=99999999"), 60_000);
  assert.equal(delay(4000, "", 0, 0), 250);
});

test("too slow: reconnect and subscribe to less", () => {
  const rule = afterClose(4001, "", 0, 0);
  assert.deepEqual(rule, { retry: true, delayMs: 250, subscribeToLess: true });
});

test("a message too large and everything from 4500 on is not repeated", () => {
  for (const code of [1009, 4500, 4501, 4503, 4999]) {
    assert.equal(afterClose(code, "", 0, 0).retry, false);
  }
});
