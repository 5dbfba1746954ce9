/** The frames of `docs/api/live.md`, named as they travel. */
import type { Row, Tournament } from "../api/types.ts";

export interface BoardSnapshot {
  type: "snapshot";
  channel: string;
  epoch: string;
  version: number;
  board: string;
  order: "desc" | "asc";
  tie_break: string;
  total: number;
  rows: Row[];
}

export interface Delta {
  type: "delta";
  channel: string;
  epoch: string;
  base: number;
  version: number;
  total: number;
  rows: Row[];
  removed: string[];
}

export interface ScoreEvent {
  kind: "score";
  at: string;
  trace_id: string;
  submission_id: string;
  user_id: string;
  username: string;
  game_id: string;
  score: number;
  counted: boolean;
  rank: number | null;
  previous_rank: number | null;
}

export type TournamentChange = "created" | "joined" | "opened" | "closed" | "settled" | "cancelled";

export interface TournamentEvent {
  kind: "tournament";
  at: string;
  change: TournamentChange;
  tournament: Tournament;
}

export type LiveEvent = ScoreEvent | TournamentEvent;

export interface EventSnapshot {
  type: "snapshot";
  channel: string;
  epoch: string;
  version: number;
  events: LiveEvent[];
  /** Only on `tournament:<id>`. */
  tournament?: Tournament;
}

export interface EventFrame {
  type: "event";
  channel: string;
  epoch: string;
  base: number;
  version: number;
  events: LiveEvent[];
  skipped?: number;
}

export interface Heartbeat {
  type: "heartbeat";
  at: string;
  versions: Record<string, [epoch: string, version: number]>;
}

export type Frame =
  | BoardSnapshot
  | EventSnapshot
  | Delta
  | EventFrame
  | Heartbeat
  | { type: "subscribed"; channels: string[]; heartbeat_ms: number }
  | { type: "unsubscribed"; channels: string[] }
  | { type: "pong"; at: string }
  | { type: "error"; code: string; detail: string; channel?: string };

export type ClientMessage =
  | { type: "subscribe" | "unsubscribe"; channels: string[] }
  | { type: "resync"; channel: string }
  | { type: "ping" };

/** A frame, or null for something that is none: a newer server may say more than we know. */
export function parseFrame(text: unknown): Frame | null {
  if (typeof text !== "string") return null;
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null && "type" in frame ? (frame as Frame) : null;
  } catch {
    return null;
  }
}
