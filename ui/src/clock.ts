/**
 * What time it is at the server. Countdowns follow the server's clock, because the server decides
 * when a tournament ends; this machine's clock may be minutes off.
 */
import { computed, signal } from "@preact/signals";

const TICK_MS = 500;
const SAMPLES_KEPT = 8;

/** Heartbeats tell microseconds; a `Date` header is cut to the second, so it is only a first guess. */
let heartbeatOffsets: number[] = [];
const offsetMs = signal(0);

/** This machine's time, renewed twice a second for whoever displays a countdown. */
export const localNowMs = signal(Date.now());
export const serverNowMs = computed(() => localNowMs.value + offsetMs.value);

export function serverTime(): number {
  return Date.now() + offsetMs.peek();
}

/** A message is always late, never early: the largest of the recent offsets is the nearest. */
export function nearestOffset(offsets: readonly number[]): number {
  return Math.max(...offsets);
}

export function learnFromHeartbeat(at: string, receivedMs: number): void {
  const sentMs = Date.parse(at);
  if (Number.isNaN(sentMs)) return;
  heartbeatOffsets = [...heartbeatOffsets.slice(1 - SAMPLES_KEPT), sentMs - receivedMs];
  offsetMs.value = nearestOffset(heartbeatOffsets);
}

export function learnFromDateHeader(date: string | null, receivedMs: number): void {
  if (date === null || heartbeatOffsets.length > 0) return;
  const cutToSecondMs = Date.parse(date);
  if (!Number.isNaN(cutToSecondMs)) offsetMs.value = cutToSecondMs + 500 - receivedMs;
}

export function startClock(): void {
  setInterval(() => {
    localNowMs.value = Date.now();
  }, TICK_MS);
}
