/** The server's clock, learned from late messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  learnFromDateHeader,
  learnFromHeartbeat,
  nearestOffset,
  serverTime,
} from "../src/clock.ts";

test("of several offsets the largest is nearest, because messages are only ever late", () => {
  assert.equal(nearestOffset([-400, -20, -90]), -20);
});

test("a Date header is a first guess; heartbeats know better and are not overruled", () => {
  const here = Date.now();
  learnFromDateHeader(new Date(here + 60_000).toUTCString(), here);
  assert.ok(Math.abs(serverTime() - here - 60_000) < 1_500);
  learnFromHeartbeat(new Date(here + 120_000).toISOString(), here);
  learnFromDateHeader(new Date(here).toUTCString(), here);
  assert.ok(Math.abs(serverTime() - here - 120_000) < 500);
});
