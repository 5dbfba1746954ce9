/** All tournaments the page knows: pages of the list, kept current by the live events. */
import { computed, signal } from "@preact/signals";
import { get, newIdempotencyKey, post } from "../api/client.ts";
import { createResource } from "../api/resource.ts";
import type { Entry, NewTournament, Page, PaidPrize, Tournament } from "../api/types.ts";
import { live, TOURNAMENT_FEED } from "../live/live.ts";
import { actAs } from "../session/session.ts";
import { inListOrder, newer } from "./phase.ts";

const PAGE_SIZE = 50;

const known = signal<ReadonlyMap<string, Tournament>>(new Map());
const nextCursor = signal<string | null>(null);

export const hasMore = computed(() => nextCursor.value !== null);
/** The list on screen; like everything live it stands still while paused. */
export const sorted = computed(() => {
  if (!live.paused.value) shown = known.value;
  return [...shown.values()].sort(inListOrder);
});
let shown: ReadonlyMap<string, Tournament> = new Map();

export const list = createResource(async () => {
  const page = await get<Page<Tournament>>(`/tournaments?limit=${PAGE_SIZE}`);
  learn(page.items);
  nextCursor.value = page.next_cursor;
  return page.items.length;
});

export async function loadMore(): Promise<void> {
  const cursor = encodeURIComponent(nextCursor.value ?? "");
  const page = await get<Page<Tournament>>(`/tournaments?limit=${PAGE_SIZE}&cursor=${cursor}`);
  learn(page.items);
  nextCursor.value = page.next_cursor;
}

export function tournamentOf(id: string): Tournament | undefined {
  return known.value.get(id);
}

export async function loadTournament(id: string): Promise<void> {
  learn([await get<Tournament>(`/tournaments/${encodeURIComponent(id)}`)]);
}

export async function loadPrizes(id: string): Promise<PaidPrize[]> {
  return (await get<Page<PaidPrize>>(`/tournaments/${encodeURIComponent(id)}/prizes`)).items;
}

export async function createTournament(username: string, body: NewTournament, key: string) {
  const created = await actAs(username, ({ token }) =>
    post<Tournament>("/tournaments", { body, token, idempotencyKey: key }),
  );
  learn([created]);
  return created;
}

export async function join(username: string, tournamentId: string): Promise<Entry> {
  const idempotencyKey = newIdempotencyKey();
  const entry = await actAs(username, ({ userId, token }) => {
    const body = { tournament_id: tournamentId, user_id: userId };
    return post<Entry>("/tournaments/register", { body, token, idempotencyKey });
  });
  await loadTournament(tournamentId).catch(() => undefined);
  return entry;
}

export function startTournaments(): void {
  live.watch(TOURNAMENT_FEED);
  live.listen((events) => {
    const told = events.flatMap((event) => (event.kind === "tournament" ? [event] : []));
    if (told.length === 0) return;
    learn(told.map((event) => event.tournament));
  });
  void list.load();
}

export function learn(tournaments: readonly Tournament[]): void {
  const merged = new Map(known.value);
  for (const tournament of tournaments) {
    const before = merged.get(tournament.id);
    merged.set(tournament.id, before ? newer(before, tournament) : tournament);
  }
  known.value = merged;
}
