/** What a person typed for a new tournament, and what is wrong with it. Pure. */
import type { NewTournament } from "../api/types.ts";
import { fromLocalInput, toLocalInput } from "../format.ts";

export const DEFAULT_LENGTH_MS = 60_000;
export const NAME_LENGTH_MAX = 80;
const PARTICIPANTS_MAX = 100_000;

export type Field = keyof NewTournament;

/** As typed; an untouched time is "" and follows the clock. */
export type Draft = Record<Field, string>;

export const EMPTY_DRAFT: Draft = {
  name: "",
  game_id: "",
  max_participants: "16",
  prize_pool: "1000",
  start_time: "",
  end_time: "",
};

/** An untouched start means now, an untouched end 60 seconds after the start. */
export function withTimes(draft: Draft, nowMs: number): Draft {
  const start_time = draft.start_time || toLocalInput(nowMs);
  const startMs = fromLocalInput(start_time);
  const end_time = draft.end_time || toLocalInput((startMs || nowMs) + DEFAULT_LENGTH_MS);
  return { ...draft, start_time, end_time };
}

/** A sentence for each field that cannot be sent as it is. */
export function check(draft: Draft, nowMs: number): Map<Field, string> {
  const wrong = new Map<Field, string>();
  const name = draft.name.trim();
  if (name === "") wrong.set("name", "Give it a name.");
  else if (name.length > NAME_LENGTH_MAX) {
    wrong.set("name", `At most ${NAME_LENGTH_MAX} characters.`);
  }
  if (draft.game_id === "") wrong.set("game_id", "Choose a game.");
  if (!isWhole(draft.max_participants, 2, PARTICIPANTS_MAX)) {
    wrong.set("max_participants", `A whole number from 2 to ${PARTICIPANTS_MAX}.`);
  }
  if (!isWhole(draft.prize_pool, 0, Number.MAX_SAFE_INTEGER)) {
    wrong.set("prize_pool", "A whole number, 0 or more.");
  }
  const startMs = fromLocalInput(draft.start_time);
  const endMs = fromLocalInput(draft.end_time);
  if (Number.isNaN(startMs)) wrong.set("start_time", "Choose a date and time.");
  if (Number.isNaN(endMs)) wrong.set("end_time", "Choose a date and time.");
  else if (endMs <= startMs) wrong.set("end_time", "The end must be after the start.");
  else if (endMs <= nowMs) wrong.set("end_time", "The end must not be past.");
  return wrong;
}

export function toRequest(draft: Draft): NewTournament {
  return {
    name: draft.name.trim(),
    game_id: draft.game_id,
    max_participants: Number(draft.max_participants),
    prize_pool: Number(draft.prize_pool),
    start_time: new Date(fromLocalInput(draft.start_time)).toISOString(),
    end_time: new Date(fromLocalInput(draft.end_time)).toISOString(),
  };
}

function isWhole(text: string, least: number, most: number): boolean {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  return Number.isSafeInteger(value) && value >= least && value <= most;
}
