/**
 * What a channel holds, and how a frame changes it. Pure: a frame either applies cleanly to the
 * version it names or the answer is "resync". A gap is never applied.
 */
import type { Row, Tournament } from "../api/types.ts";
import type { BoardSnapshot, Delta, EventFrame, EventSnapshot, LiveEvent } from "./protocol.ts";

const EVENTS_KEPT = 50;

/** A board as the server tells it: a snapshot, then deltas that must name the version they build on. */
export interface Board {
  epoch: string;
  version: number;
  board: string;
  order: "desc" | "asc";
  total: number;
  rows: readonly Row[];
}

/** The last events of a channel, newest last; `tournament` only where the channel is one tournament. */
export interface Events {
  epoch: string;
  version: number;
  events: readonly LiveEvent[];
  tournament: Tournament | null;
}

export type Held = { kind: "board"; board: Board } | { kind: "events"; events: Events };

export function holdSnapshot(snapshot: BoardSnapshot | EventSnapshot): Held {
  if ("rows" in snapshot) {
    const { epoch, version, board, order, total } = snapshot;
    const rows = mergeRows([], snapshot.rows, []);
    return { kind: "board", board: { epoch, version, board, order, total, rows } };
  }
  const { epoch, version, events, tournament = null } = snapshot;
  return { kind: "events", events: { epoch, version, events, tournament } };
}

export function applyDelta(board: Board, delta: Delta): Board | "resync" {
  if (delta.epoch !== board.epoch || delta.base !== board.version) return "resync";
  const rows = mergeRows(board.rows, delta.rows, delta.removed);
  return { ...board, version: delta.version, total: delta.total, rows };
}

export function applyEvents(held: Events, frame: EventFrame): Events | "resync" {
  if (frame.epoch !== held.epoch || frame.base !== held.version) return "resync";
  return {
    epoch: held.epoch,
    version: frame.version,
    events: [...held.events, ...frame.events].slice(-EVENTS_KEPT),
    tournament: held.tournament && latestState(held.tournament, frame.events),
  };
}

/** A heartbeat names the newest version; holding an older one, or another history, means a loss. */
export function isBehind(held: Held, epoch: string, version: number): boolean {
  const own = held.kind === "board" ? held.board : held.events;
  return own.epoch !== epoch || own.version < version;
}

/** Rows replace rows of the same player; order is by rank, and players of equal rank as the server orders them. */
export function mergeRows(
  before: readonly Row[],
  changed: readonly Row[],
  removed: readonly string[],
): Row[] {
  const byPlayer = new Map(before.map((row) => [row.user_id, row]));
  for (const userId of removed) byPlayer.delete(userId);
  for (const row of changed) byPlayer.set(row.user_id, row);
  return [...byPlayer.values()].sort(inRankOrder);
}

function inRankOrder(one: Row, other: Row): number {
  return (
    one.rank - other.rank ||
    compareText(one.reached_at, other.reached_at) ||
    compareText(one.user_id, other.user_id)
  );
}

function compareText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function latestState(state: Tournament, events: readonly LiveEvent[]): Tournament {
  let latest = state;
  for (const event of events) {
    if (event.kind === "tournament" && event.tournament.id === state.id) latest = event.tournament;
  }
  return latest;
}
