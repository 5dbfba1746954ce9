/** Phases in words, and which of two pictures of one tournament is the newer. Pure. */
import type { Phase, Tournament } from "../api/types.ts";
import { formatCountdown, formatDuration } from "../format.ts";

const ORDER: Record<Phase, number> = {
  Scheduled: 0,
  Active: 1,
  Settling: 2,
  Completed: 3,
  Cancelled: 3,
  Failed: 3,
};

const LIST_ORDER: Phase[] = ["Active", "Settling", "Scheduled", "Completed", "Cancelled", "Failed"];

export function isOver(phase: Phase): boolean {
  return ORDER[phase] === ORDER.Completed;
}

/** Answers and events travel on different ways: a tournament never goes back, nor do players leave. */
export function newer(one: Tournament, other: Tournament): Tournament {
  const later = ORDER[other.phase] - ORDER[one.phase] || other.participants - one.participants;
  return later >= 0 ? other : one;
}

/** What happens next or happened last, by the server's clock. */
export function describePhase(tournament: Tournament, nowMs: number): string {
  const toStartMs = Date.parse(tournament.start_time) - nowMs;
  const toEndMs = Date.parse(tournament.end_time) - nowMs;
  switch (tournament.phase) {
    case "Scheduled":
      return toStartMs > 0 ? `starts in ${formatCountdown(toStartMs)}` : "starting";
    case "Active":
      return toEndMs > 0 ? `ends in ${formatCountdown(toEndMs)}` : "closing";
    case "Settling":
      return "ended, prizes are being paid";
    case "Completed":
      return toEndMs > -1000 ? "ended just now" : `ended ${formatDuration(-toEndMs)} ago`;
    case "Cancelled":
      return "was cancelled";
    case "Failed":
      return "could not be settled";
  }
}

/** Running ones first, those that end next on top; then what comes; then what was, latest first. */
export function inListOrder(one: Tournament, other: Tournament): number {
  const byPhase = LIST_ORDER.indexOf(one.phase) - LIST_ORDER.indexOf(other.phase);
  if (byPhase !== 0) return byPhase;
  const byEnd = Date.parse(one.end_time) - Date.parse(other.end_time);
  return isOver(one.phase) ? -byEnd : byEnd;
}

export function describePlaces(rankFirst: number, rankLast: number): string {
  return rankFirst === rankLast ? `Rank ${rankFirst}` : `Ranks ${rankFirst} to ${rankLast}`;
}
