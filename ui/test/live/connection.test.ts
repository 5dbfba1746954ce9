/** The connection chip never claims more than is known. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeConnection, staleForMs } from "../../src/live/connection.ts";

test("live until two seconds without news, then stale by name", () => {
  const open = { state: "open", heardMs: 10_000, latencyMs: 12 } as const;
  assert.deepEqual(describeConnection(open, 11_500), { state: "live", text: "Live, 12 ms" });
  assert.deepEqual(describeConnection(open, 12_600), { state: "stale", text: "Stale 3 s" });
  assert.equal(staleForMs(open, 11_500), null);
  assert.equal(staleForMs(open, 12_600), 2_600);
});

test("reconnecting counts down and says so", () => {
  const waiting = { state: "waiting", retryAtMs: 20_000, heardMs: 15_000 } as const;
  const { state, text } = describeConnection(waiting, 17_100);
  assert.deepEqual([state, text], ["reconnecting", "Reconnecting in 3 s"]);
  assert.equal(describeConnection(waiting, 20_000).text, "Reconnecting");
  assert.equal(staleForMs(waiting, 17_100), 2_100);
});

test("offline says why; what was never heard is not stale", () => {
  const offline = { state: "offline", why: "this device has no network", heardMs: null } as const;
  assert.equal(describeConnection(offline, 0).text, "Offline: this device has no network");
  assert.equal(staleForMs(offline, 0), null);
  assert.equal(staleForMs({ state: "connecting" }, 0), null);
});
