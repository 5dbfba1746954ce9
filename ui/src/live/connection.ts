/** The state of the one socket, and how it is told to a person. Pure. */

/** Without news for this long, what is on screen is called stale; a heartbeat comes each second. */
export const STALE_AFTER_MS = 2_000;

export type Connection =
  | { state: "connecting" }
  | { state: "open"; heardMs: number; latencyMs: number | null }
  | { state: "waiting"; retryAtMs: number; heardMs: number | null }
  | { state: "offline"; why: string; heardMs: number | null };

export interface Chip {
  state: "connecting" | "live" | "stale" | "reconnecting" | "offline";
  text: string;
}

export function describeConnection(connection: Connection, nowMs: number): Chip {
  switch (connection.state) {
    case "connecting":
      return { state: "connecting", text: "Connecting" };
    case "open": {
      const silentMs = nowMs - connection.heardMs;
      if (silentMs > STALE_AFTER_MS)
        return { state: "stale", text: `Stale ${seconds(silentMs)} s` };
      const { latencyMs } = connection;
      return { state: "live", text: latencyMs === null ? "Live" : `Live, ${latencyMs} ms` };
    }
    case "waiting": {
      const leftMs = connection.retryAtMs - nowMs;
      const text = leftMs > 0 ? `Reconnecting in ${seconds(leftMs)} s` : "Reconnecting";
      return { state: "reconnecting", text };
    }
    case "offline":
      return { state: "offline", text: `Offline: ${connection.why}` };
  }
}

/** How old the news on screen is, or null while they are fresh or there never were any. */
export function staleForMs(connection: Connection, nowMs: number): number | null {
  if (connection.state === "connecting" || connection.heardMs === null) return null;
  const silentMs = nowMs - connection.heardMs;
  if (connection.state === "open" && silentMs <= STALE_AFTER_MS) return null;
  return Math.max(0, silentMs);
}

function seconds(durationMs: number): number {
  return Math.max(1, Math.ceil(durationMs / 1000));
}
