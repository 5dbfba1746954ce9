/**
 * One polite live region for the page, at most one sentence every 5 s: when more happens meanwhile,
 * the latest sentence wins, because an old one is no longer true.
 */
import { signal } from "@preact/signals";

const QUIET_MS = 5_000;

export const sentence = signal("");
let spokenMs = Number.NEGATIVE_INFINITY;
let pending: string | null = null;

export function announce(text: string): void {
  const waitMs = spokenMs + QUIET_MS - performance.now();
  if (waitMs <= 0 && pending === null) {
    speak(text);
    return;
  }
  if (pending === null) {
    setTimeout(() => {
      if (pending !== null) speak(pending);
      pending = null;
    }, waitMs);
  }
  pending = text;
}

function speak(text: string): void {
  spokenMs = performance.now();
  sentence.value = text;
}
