/** When to connect again after a socket closed: the table of `docs/api/live.md` as one pure function. */

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const TOO_MANY_DELAY_MS = 5_000;
const LONGEST_DRAIN_MS = 60_000;

export type Reconnect =
  | { retry: true; delayMs: number; subscribeToLess: boolean }
  | { retry: false; why: string };

/** Doubles with each attempt in a row; the jitter spreads clients over half of the delay. */
export function backoffMs(attempt: number, random: number): number {
  const ceilingMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
  return Math.round(ceilingMs * (0.5 + random / 2));
}

/** `attempt` counts failures in a row from 0; `random` is in [0, 1). */
export function afterClose(
  code: number,
  reason: string,
  attempt: number,
  random: number,
): Reconnect {
  const later = (delayMs: number): Reconnect => ({ retry: true, delayMs, subscribeToLess: false });
  if (code === 1009) return { retry: false, why: "a message was too large for the server" };
  if (code >= 4500 && code <= 4999) return { retry: false, why: refusal(code, reason) };
  if (code === 1013) return later(Math.round(TOO_MANY_DELAY_MS * (1 + random / 2)));
  if (code === 4000) return later(drainDelayMs(reason) ?? backoffMs(attempt, random));
  if (code === 4001) {
    return { retry: true, delayMs: backoffMs(attempt, random), subscribeToLess: true };
  }
  return later(backoffMs(attempt, random));
}

function drainDelayMs(reason: string): number | null {
  const named = /retry_after_ms=(\d+)/.exec(reason)?.[1];
  return named === undefined ? null : Math.min(Number(named), LONGEST_DRAIN_MS);
}

function refusal(code: number, reason: string): string {
  if (code === 4503) return "the server does not accept this page's address";
  if (code === 4501) return "the server does not accept this login";
  return reason === "" ? `the server refused the connection (${code})` : reason;
}
