/**
 * Keeps one socket to `/ws/main` open: connects, watches for heartbeats, reconnects by the rules.
 * It knows nothing of channels; what was subscribed is said again by the owner in `opened`.
 */
import { type Signal, signal } from "@preact/signals";
import { afterClose } from "./backoff.ts";
import type { Connection } from "./connection.ts";
import { type ClientMessage, type Frame, parseFrame } from "./protocol.ts";

const OPEN_TIMEOUT_MS = 5_000;
const WATCH_EVERY_MS = 500;
const PING_EVERY_MS = 5_000;
const HEARTBEATS_MISSED = 3;
const HEARTBEAT_MS = 1_000;

export interface SocketOwner {
  opened: () => void;
  received: (frame: Frame, nowMs: number) => void;
  tooSlow: () => void;
}

export class LiveSocket {
  readonly connection: Signal<Connection> = signal<Connection>({ state: "connecting" });
  readonly #connect: () => WebSocket;
  readonly #owner: SocketOwner;
  #socket: WebSocket | null = null;
  #attempt = 0;
  #openedMs = 0;
  #heartbeatMs = HEARTBEAT_MS;
  #lastHeartbeatMs = 0;
  #heardMs: number | null = null;
  #pingedMs = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(connect: () => WebSocket, owner: SocketOwner) {
    this.#connect = connect;
    this.#owner = owner;
  }

  start(): void {
    setInterval(() => this.#watch(), WATCH_EVERY_MS);
    addEventListener("online", () => this.connectNow());
    addEventListener("offline", () => this.#goOffline("this device has no network"));
    this.connectNow();
  }

  send(message: ClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  connectNow(): void {
    this.#abandon();
    clearTimeout(this.#retryTimer);
    const socket = this.#connect();
    this.#socket = socket;
    this.#openedMs = this.#lastHeartbeatMs = Date.now();
    socket.onopen = () => {
      this.#lastHeartbeatMs = Date.now();
      this.#owner.opened();
    };
    socket.onmessage = (message) => this.#receive(message.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  /** Any frame proves the line; only a heartbeat proves that nothing was missed. */
  #receive(data: unknown): void {
    const nowMs = Date.now();
    const frame = parseFrame(data);
    if (frame === null) return;
    if (frame.type === "subscribed") this.#heartbeatMs = frame.heartbeat_ms;
    if (frame.type === "heartbeat") {
      this.#attempt = 0;
      this.#lastHeartbeatMs = nowMs;
    }
    const toTell = this.connection.value.state !== "open";
    if (toTell || frame.type === "heartbeat" || frame.type === "pong") {
      this.#markOpen(nowMs, frame.type === "pong" ? nowMs - this.#pingedMs : null);
    }
    this.#owner.received(frame, nowMs);
  }

  #markOpen(nowMs: number, latencyMs: number | null): void {
    const { value } = this.connection;
    const known = value.state === "open" ? value.latencyMs : null;
    this.#heardMs = nowMs;
    this.connection.value = { state: "open", heardMs: nowMs, latencyMs: latencyMs ?? known };
  }

  #watch(): void {
    const socket = this.#socket;
    if (socket === null) return;
    const nowMs = Date.now();
    const opening = socket.readyState === WebSocket.CONNECTING;
    const patienceMs = opening ? OPEN_TIMEOUT_MS : HEARTBEATS_MISSED * this.#heartbeatMs;
    const sinceMs = opening ? this.#openedMs : this.#lastHeartbeatMs;
    if (nowMs - sinceMs > patienceMs) this.#closed(1006, "");
    else if (!opening && nowMs - this.#pingedMs > PING_EVERY_MS) {
      this.#pingedMs = nowMs;
      this.send({ type: "ping" });
    }
  }

  #closed(code: number, reason: string): void {
    this.#abandon();
    const rule = afterClose(code, reason, this.#attempt, Math.random());
    this.#attempt += 1;
    if (!rule.retry || !navigator.onLine) {
      this.#goOffline(rule.retry ? "this device has no network" : rule.why);
      return;
    }
    if (rule.subscribeToLess) this.#owner.tooSlow();
    const retryAtMs = Date.now() + rule.delayMs;
    this.connection.value = { state: "waiting", retryAtMs, heardMs: this.#heardMs };
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.connectNow(), rule.delayMs);
  }

  #goOffline(why: string): void {
    this.#abandon();
    clearTimeout(this.#retryTimer);
    this.connection.value = { state: "offline", why, heardMs: this.#heardMs };
  }

  /** A dead socket may take minutes to tell that it closed; we do not wait for it. */
  #abandon(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
