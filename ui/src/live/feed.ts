/** Which events the feed shows. Pure. */
import type { LiveEvent } from "./protocol.ts";

const ITEMS_SHOWN = 25;

/** A tournament that fills would drown the scores, so joins are left to the tournament's own page. */
export function latestFirst(events: readonly LiveEvent[]): LiveEvent[] {
  return events
    .filter((event) => event.kind === "score" || event.change !== "joined")
    .sort((one, other) => (one.at < other.at ? 1 : one.at > other.at ? -1 : 0))
    .slice(0, ITEMS_SHOWN);
}
