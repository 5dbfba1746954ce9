/** Whether what is on screen is true right now, in words; and the switch that holds it still. */
import { effect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { formatCount } from "../format.ts";
import { chip, live } from "../live/live.ts";
import { announce } from "./announce.ts";

const SPOKEN = {
  connecting: null,
  live: "Live updates are on",
  stale: "Live updates stopped coming",
  reconnecting: "The connection was lost, reconnecting",
  offline: "Offline",
};

export function Connection() {
  useEffect(() => {
    let told = chip.peek().state;
    return effect(() => {
      const { state } = chip.value;
      const sentence = SPOKEN[state];
      if (state !== told && told !== "connecting" && sentence !== null) announce(sentence);
      told = state;
    });
  }, []);
  const { state, text } = chip.value;
  return (
    <span class="connection">
      <span class="chip" data-testid="connection-chip" data-state={state}>
        {text}
      </span>
      {(state === "offline" || state === "reconnecting") && (
        <button
          type="button"
          class="link"
          data-testid="connect-now"
          onClick={() => live.socket.connectNow()}
        >
          Connect now
        </button>
      )}
    </span>
  );
}

export function PauseButton() {
  const paused = live.paused.value;
  const waiting = live.waiting.value;
  return (
    <button
      type="button"
      class="button pause"
      aria-pressed={paused}
      data-testid="pause-button"
      onClick={togglePause}
    >
      {paused ? "Resume" : "Pause"}
      {paused && (
        <span class="pause-count" data-testid="pause-count">
          +{formatCount(waiting)} changes
        </span>
      )}
    </button>
  );
}

export function togglePause(): void {
  if (live.paused.value) live.resume();
  else live.pause();
}
