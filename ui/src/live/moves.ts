/** Who moved on a board and by how much, remembered for a while so that an eye can catch it. Pure. */
import type { Row } from "../api/types.ts";

export const MOVE_SHOWN_MS = 8_000;

export interface Move {
  /** Null for a player who was not among the shown rows before. */
  rankBefore: number | null;
  rankAfter: number;
  atMs: number;
}

export type Moves = ReadonlyMap<string, Move>;

export const NO_MOVES: Moves = new Map();

/** Moves of one paint: new ones replace a player's older one, and those past their time are dropped. */
export function trackMoves(
  moves: Moves,
  before: readonly Row[],
  after: readonly Row[],
  nowMs: number,
): Moves {
  const ranksBefore = new Map(before.map((row) => [row.user_id, row.rank]));
  const tracked = new Map<string, Move>();
  for (const { user_id, rank } of after) {
    const rankBefore = ranksBefore.get(user_id) ?? null;
    const known = moves.get(user_id);
    if (rankBefore !== rank) tracked.set(user_id, { rankBefore, rankAfter: rank, atMs: nowMs });
    else if (known && nowMs - known.atMs < MOVE_SHOWN_MS) tracked.set(user_id, known);
  }
  return tracked;
}
