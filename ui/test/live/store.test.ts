/** The store and its socket against a server played by hand: no gap is applied, nothing is lost. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import type { Row } from "../../src/api/types.ts";
import { LiveStore } from "../../src/live/store.ts";

const CHANNEL = "leaderboard:global";

class FakeSocket {
  readyState = 0;
  sent: { type: string; channels?: string[]; channel?: string }[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  types(): string[] {
    return this.sent.map(({ type }) => type).filter((type) => type !== "ping");
  }
}

let sockets: FakeSocket[] = [];
let store: LiveStore;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  sockets = [];
  Object.assign(globalThis, {
    WebSocket: { CONNECTING: 0, OPEN: 1 },
    addEventListener: () => undefined,
    requestAnimationFrame: (paint: () => void) => setTimeout(paint, 0),
  });
  Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });
  store = new LiveStore(() => {
    const socket = new FakeSocket();
    sockets.push(socket);
    return socket as unknown as WebSocket;
  }, ["score"]);
  store.watch(CHANNEL);
  store.socket.start();
});

afterEach(() => mock.timers.reset());

/** In small steps, so that timers set by timers run in their turn. */
function pass(durationMs: number): void {
  for (let passedMs = 0; passedMs < durationMs; passedMs += 50) mock.timers.tick(50);
}

function newest(): FakeSocket {
  const socket = sockets.at(-1);
  assert.ok(socket);
  return socket;
}

function row(rank: number, user_id: string): Row {
  return {
    rank,
    user_id,
    username: user_id,
    score: 100 - rank,
    reached_at: "2026-11-23T12:00:00Z",
  };
}

function snapshot(version: number, ...userIds: string[]): object {
  const rows = userIds.map((userId, index) => row(index + 1, userId));
  const about = { channel: CHANNEL, epoch: "e1", version, board: "global", order: "desc" };
  return { type: "snapshot", ...about, tie_break: "earliest", total: rows.length, rows };
}

function delta(base: number, version: number, ...rows: Row[]): object {
  const about = { channel: CHANNEL, epoch: "e1", base, version, total: rows.length };
  return { type: "delta", ...about, rows, removed: [] };
}

function heartbeat(version: number, epoch = "e1"): object {
  return {
    type: "heartbeat",
    at: new Date().toISOString(),
    versions: { [CHANNEL]: [epoch, version] },
  };
}

function painted(): string[] {
  pass(200);
  const view = store.view(CHANNEL).peek();
  return view?.kind === "board" ? view.board.rows.map(({ user_id }) => user_id) : [];
}

test("what is watched is subscribed when the socket opens, and its frames are painted", () => {
  newest().open();
  assert.deepEqual(newest().sent[0], { type: "subscribe", channels: [CHANNEL] });
  newest().say(snapshot(1, "ada", "bea"));
  newest().say(delta(1, 2, row(1, "bea"), row(2, "ada")));
  assert.deepEqual(painted(), ["bea", "ada"]);
});

test("a gap is not applied; one resync is asked and its snapshot heals", () => {
  newest().open();
  newest().say(snapshot(1, "ada", "bea"));
  newest().say(delta(2, 3, row(1, "bea"), row(2, "ada")));
  newest().say(delta(3, 4, row(1, "bea"), row(2, "ada")));
  assert.deepEqual(newest().types(), ["subscribe", "resync"]);
  assert.deepEqual(painted(), ["ada", "bea"]);
  newest().say(snapshot(4, "bea", "ada"));
  assert.deepEqual(painted(), ["bea", "ada"]);
});

test("a heartbeat with a newer version or another epoch asks for a resync, an equal one does not", () => {
  newest().open();
  newest().say(snapshot(5, "ada"));
  newest().say(heartbeat(5));
  assert.deepEqual(newest().types(), ["subscribe"]);
  newest().say(heartbeat(6));
  newest().say(snapshot(6, "ada"));
  newest().say(heartbeat(6, "e2"));
  assert.deepEqual(newest().types(), ["subscribe", "resync", "resync"]);
});

test("three seconds without a heartbeat: the socket is given up and another subscribes again", () => {
  newest().open();
  newest().say(snapshot(1, "ada"));
  pass(2_900);
  assert.equal(sockets.length, 1);
  pass(1_600);
  assert.equal(sockets.length, 2);
  assert.equal(store.socket.connection.peek().state, "waiting");
  assert.deepEqual(painted(), ["ada"]);
  newest().open();
  newest().say(snapshot(9, "bea"));
  assert.equal(store.socket.connection.peek().state, "open");
  assert.deepEqual(painted(), ["bea"]);
});

test("a pause stops the painting and counts what waits; resuming shows the newest", () => {
  newest().open();
  newest().say(snapshot(1, "ada", "bea"));
  assert.deepEqual(painted(), ["ada", "bea"]);
  store.pause();
  newest().say(delta(1, 2, row(1, "bea"), row(2, "ada")));
  assert.deepEqual(painted(), ["ada", "bea"]);
  assert.equal(store.waiting.peek(), 2);
  store.resume();
  assert.deepEqual(painted(), ["bea", "ada"]);
});

test("too slow: the feed is left out until it is asked back", () => {
  store.watch("score");
  newest().open();
  newest().onclose?.({ code: 4001, reason: "" });
  pass(1_000);
  newest().open();
  assert.deepEqual(newest().sent[0]?.channels, [CHANNEL]);
  store.bringBack();
  assert.deepEqual(newest().sent.at(-1)?.channels, ["score"]);
});

test("a refusal ends the attempts", () => {
  newest().onclose?.({ code: 4503, reason: "" });
  pass(60_000);
  assert.equal(sockets.length, 1);
  assert.equal(store.socket.connection.peek().state, "offline");
});
