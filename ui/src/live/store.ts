/**
 * The one store of live data, fed by the one socket. Frames are applied to a Map at once; signals,
 * and with them the page, follow at the painter's pace and not at all while paused.
 */
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { learnFromHeartbeat } from "../clock.ts";
import { applyDelta, applyEvents, type Board, type Held, holdSnapshot, isBehind } from "./delta.ts";
import { MOVE_SHOWN_MS, type Moves, NO_MOVES, trackMoves } from "./moves.ts";
import { Painter } from "./painter.ts";
import type { Delta, EventFrame, Frame, LiveEvent } from "./protocol.ts";
import { LiveSocket } from "./socket.ts";

/** A resync that was not answered in this time is asked again. */
const RESYNC_PATIENCE_MS = 3_000;

export type View =
  | { kind: "board"; board: Board; moves: Moves }
  | Extract<Held, { kind: "events" }>
  | { kind: "refused"; code: string; detail: string };

export type EventListener = (events: readonly LiveEvent[]) => void;

export class LiveStore {
  readonly socket: LiveSocket;
  readonly paused = signal(false);
  /** Changes that arrived since the pause and are not on screen. */
  readonly waiting = signal(0);
  /** Channels left out after the server found this connection too slow. */
  readonly leftOut: Signal<ReadonlySet<string>> = signal(new Set());

  readonly #held = new Map<string, Held>();
  readonly #views = new Map<string, Signal<View | null>>();
  readonly #watchers = new Map<string, number>();
  readonly #resyncs = new Map<string, number>();
  readonly #unpainted = new Set<string>();
  readonly #listeners = new Set<EventListener>();
  readonly #painter = new Painter(() => this.#paint());
  readonly #optional: ReadonlySet<string>;
  #unseen = 0;

  /** `optional` channels are dropped first when the server says that we read too slowly. */
  constructor(connect: () => WebSocket, optional: readonly string[] = []) {
    this.#optional = new Set(optional);
    this.socket = new LiveSocket(connect, {
      opened: () => this.#subscribe([...this.#watchers.keys()]),
      received: (frame, nowMs) => this.#receive(frame, nowMs),
      tooSlow: () => {
        this.leftOut.value = this.#optional;
      },
    });
  }

  view(channel: string): ReadonlySignal<View | null> {
    return this.#viewOf(channel);
  }

  /** Events as they are applied, for stores that keep their own picture; never paused. */
  listen(listener: EventListener): void {
    this.#listeners.add(listener);
  }

  /** Subscribes while at least one watcher is there; the returned function leaves. */
  watch(channel: string): () => void {
    const watchers = this.#watchers.get(channel) ?? 0;
    this.#watchers.set(channel, watchers + 1);
    if (watchers === 0) this.#subscribe([channel]);
    return () => this.#leave(channel);
  }

  pause(): void {
    this.paused.value = true;
  }

  resume(): void {
    this.paused.value = false;
    this.waiting.value = this.#unseen = 0;
    for (const channel of this.#held.keys()) this.#mark(channel);
  }

  bringBack(): void {
    const channels = [...this.leftOut.value].filter((channel) => this.#watchers.has(channel));
    this.leftOut.value = new Set();
    this.#subscribe(channels);
  }

  #viewOf(channel: string): Signal<View | null> {
    const known = this.#views.get(channel);
    if (known) return known;
    const fresh = signal<View | null>(null);
    this.#views.set(channel, fresh);
    return fresh;
  }

  #subscribe(channels: readonly string[]): void {
    const wanted = channels.filter((channel) => !this.leftOut.value.has(channel));
    for (const channel of wanted) this.#resyncs.set(channel, Date.now());
    if (wanted.length > 0) this.socket.send({ type: "subscribe", channels: wanted });
  }

  #leave(channel: string): void {
    const watchers = (this.#watchers.get(channel) ?? 1) - 1;
    if (watchers > 0) {
      this.#watchers.set(channel, watchers);
      return;
    }
    this.#watchers.delete(channel);
    this.#held.delete(channel);
    this.#resyncs.delete(channel);
    this.#viewOf(channel).value = null;
    this.socket.send({ type: "unsubscribe", channels: [channel] });
  }

  #receive(frame: Frame, nowMs: number): void {
    switch (frame.type) {
      case "snapshot":
        if (!this.#watchers.has(frame.channel)) return;
        this.#resyncs.delete(frame.channel);
        this.#hold(frame.channel, holdSnapshot(frame), 1);
        if ("events" in frame) this.#tell(frame.events);
        return;
      case "delta":
        this.#applyDelta(frame, nowMs);
        return;
      case "event":
        this.#applyEvents(frame, nowMs);
        return;
      case "heartbeat":
        learnFromHeartbeat(frame.at, nowMs);
        this.#compare(frame.versions, nowMs);
        return;
      case "error":
        this.#refuse(frame);
    }
  }

  #applyDelta(delta: Delta, nowMs: number): void {
    const held = this.#held.get(delta.channel);
    if (held?.kind !== "board") return;
    const board = applyDelta(held.board, delta);
    if (board === "resync") this.#resync(delta.channel, nowMs);
    else this.#hold(delta.channel, { kind: "board", board }, delta.rows.length);
  }

  #applyEvents(frame: EventFrame, nowMs: number): void {
    const held = this.#held.get(frame.channel);
    if (held?.kind !== "events") return;
    const events = applyEvents(held.events, frame);
    if (events === "resync") {
      this.#resync(frame.channel, nowMs);
      return;
    }
    this.#hold(frame.channel, { kind: "events", events }, frame.events.length);
    this.#tell(frame.events);
  }

  /** What a heartbeat names and we hold older, or do not hold at all, was lost on the way. */
  #compare(versions: Record<string, [string, number]>, nowMs: number): void {
    for (const [channel, [epoch, version]] of Object.entries(versions)) {
      if (!this.#watchers.has(channel) || this.leftOut.value.has(channel)) continue;
      const held = this.#held.get(channel);
      if (!held || isBehind(held, epoch, version)) this.#resync(channel, nowMs);
    }
    this.#forgetOldMoves(nowMs);
  }

  #resync(channel: string, nowMs: number): void {
    const askedMs = this.#resyncs.get(channel);
    if (askedMs !== undefined && nowMs - askedMs < RESYNC_PATIENCE_MS) return;
    this.#resyncs.set(channel, nowMs);
    this.socket.send({ type: "resync", channel });
  }

  #refuse(error: { code: string; detail: string; channel?: string }): void {
    if (error.channel === undefined || !this.#watchers.has(error.channel)) return;
    if (this.#held.has(error.channel)) return;
    this.#viewOf(error.channel).value = { kind: "refused", code: error.code, detail: error.detail };
  }

  #tell(events: readonly LiveEvent[]): void {
    for (const listener of this.#listeners) listener(events);
  }

  #hold(channel: string, held: Held, changes: number): void {
    this.#held.set(channel, held);
    if (this.paused.value) this.#unseen += changes;
    this.#mark(channel);
  }

  #mark(channel: string): void {
    this.#unpainted.add(channel);
    this.#painter.mark();
  }

  #forgetOldMoves(nowMs: number): void {
    for (const [channel, { value }] of this.#views) {
      if (value?.kind !== "board") continue;
      const moves = [...value.moves.values()];
      if (moves.some((move) => nowMs - move.atMs >= MOVE_SHOWN_MS)) this.#mark(channel);
    }
  }

  #paint(): void {
    if (this.paused.value) {
      this.waiting.value = this.#unseen;
      return;
    }
    const nowMs = Date.now();
    for (const channel of this.#unpainted) {
      const held = this.#held.get(channel);
      if (held) this.#publish(channel, held, nowMs);
    }
    this.#unpainted.clear();
  }

  #publish(channel: string, held: Held, nowMs: number): void {
    const view = this.#viewOf(channel);
    if (held.kind === "events") {
      view.value = held;
      return;
    }
    const before = view.value?.kind === "board" ? view.value : null;
    const moves = before
      ? trackMoves(before.moves, before.board.rows, held.board.rows, nowMs)
      : NO_MOVES;
    view.value = { kind: "board", board: held.board, moves };
  }
}
