/** The catalogue: rules of games never change once created, so one load lasts. */
import { computed } from "@preact/signals";
import { get } from "../api/client.ts";
import { createResource } from "../api/resource.ts";
import type { Game, Page } from "../api/types.ts";

export const games = createResource(async () => (await get<Page<Game>>("/games?limit=100")).items);

const byId = computed(() => new Map((games.data.value ?? []).map((game) => [game.id, game])));

export function gameOf(id: string): Game | undefined {
  return byId.value.get(id);
}

export function gameTitle(id: string): string {
  return gameOf(id)?.title ?? id;
}

/** `best`, `sum` and `last` in words; ascending games are won by the smallest score. */
export function describeRules(keep: string, order: string): string {
  const kept = { best: "best score", sum: "sum of scores", last: "last score" }[keep] ?? keep;
  return `${kept} counts, ${order === "asc" ? "lowest" : "highest"} wins`;
}
