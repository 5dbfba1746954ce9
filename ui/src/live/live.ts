/** The page's own live store: same host as the page, so one port-forward serves both. */
import { computed } from "@preact/signals";
import { localNowMs } from "../clock.ts";
import { describeConnection, staleForMs } from "./connection.ts";
import { LiveStore } from "./store.ts";

/** The feed is what a slow connection can best do without. */
export const SCORE_FEED = "score";
export const TOURNAMENT_FEED = "tournament";

function connect(): WebSocket {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return new WebSocket(`${scheme}://${location.host}/ws/main`);
}

export const live = new LiveStore(connect, [SCORE_FEED]);

export const chip = computed(() =>
  describeConnection(live.socket.connection.value, localNowMs.value),
);

/** In whole seconds, so that what reads it changes once a second at most. */
export const staleForS = computed(() => {
  const silentMs = staleForMs(live.socket.connection.value, localNowMs.value);
  return silentMs === null ? null : Math.round(silentMs / 1000);
});

export const isStale = computed(() => staleForS.value !== null);
