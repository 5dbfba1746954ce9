/** Where the page is: kept in the hash, so that every board and tournament has an address. */
import { signal } from "@preact/signals";

export type Route =
  | { tab: "live"; board: string }
  | { tab: "tournaments"; open: "none" }
  | { tab: "tournaments"; open: "new" }
  | { tab: "tournaments"; open: "one"; id: string };

const HOME: Route = { tab: "live", board: "global" };

/** `#/live/global`, `#/live/game/<id>`, `#/tournaments`, `#/tournaments/new`, `#/tournaments/<id>`. */
export function parseRoute(hash: string): Route {
  const [tab, first, second] = hash
    .replace(/^#?\/?/, "")
    .split("/")
    .map(decode);
  if (tab === "live" && first === "game" && second) return { tab, board: `game:${second}` };
  if (tab === "tournaments") {
    if (!first) return { tab, open: "none" };
    return first === "new" ? { tab, open: "new" } : { tab, open: "one", id: first };
  }
  return HOME;
}

export function hrefOf(route: Route): string {
  if (route.tab === "live") {
    const game = route.board.startsWith("game:") ? route.board.slice("game:".length) : null;
    return game === null ? "#/live/global" : `#/live/game/${encodeURIComponent(game)}`;
  }
  if (route.open === "none") return "#/tournaments";
  return `#/tournaments/${route.open === "new" ? "new" : encodeURIComponent(route.id)}`;
}

export const route = signal<Route>(HOME);

export function startRouting(): void {
  const read = () => {
    route.value = parseRoute(location.hash);
  };
  addEventListener("hashchange", read);
  read();
}

export function goTo(target: Route): void {
  location.hash = hrefOf(target);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
