/** The public REST shapes this page relies on, field by field as the server names them. */

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Login {
  access_token: string;
  refresh_token: string;
  token_type: "Bearer";
  expires_in: number;
  user: { id: string; username: string };
}

export interface Game {
  id: string;
  title: string;
  description: string;
  order: "desc" | "asc";
  keep: Keep;
  score_min: number;
  score_max: number;
  score_unit: string;
  counts_globally: boolean;
}

export type Keep = "best" | "sum" | "last";

/** One player on a board. `rank` is 1-based; players with equal rank shared it. */
export interface Row {
  rank: number;
  user_id: string;
  username: string;
  score: number;
  reached_at: string;
}

export interface BoardPage extends Page<Row> {
  board: string;
  epoch: string;
  version: number;
  order: "desc" | "asc";
  tie_break: string;
  total: number;
}

export type Phase = "Scheduled" | "Active" | "Settling" | "Completed" | "Cancelled" | "Failed";

export interface Prize {
  key: string;
  rank_first: number;
  rank_last: number;
  amount: number;
}

export interface Tournament {
  id: string;
  name: string;
  game_id: string;
  format: string;
  keep: Keep;
  order: "desc" | "asc";
  ties: string;
  phase: Phase;
  start_time: string;
  end_time: string;
  settles_at: string;
  entry: "UntilEnd" | "UntilStart";
  max_participants: number;
  participants: number;
  prize_pool: number;
  currency: string;
  prizes: Prize[];
  created_by: string;
  created_at: string;
  standings_digest: string | null;
  settled_at: string | null;
}

export interface NewTournament {
  name: string;
  game_id: string;
  max_participants: number;
  prize_pool: number;
  start_time: string;
  end_time: string;
}

export interface Entry {
  tournament_id: string;
  user_id: string;
  joined_at: string;
}

export interface PaidPrize {
  prize_key: string;
  user_id: string;
  username: string;
  rank: number;
  amount: number;
  currency: string;
  transfer_id: string;
  paid_at: string;
}

export interface RankOnBoard {
  score: number;
  rank: number;
  previous_rank: number | null;
}

export interface Submission {
  submission_id: string;
  user_id: string;
  game_id: string;
  score: number;
  accepted_at: string;
  counted: boolean;
  ranks: {
    game: RankOnBoard;
    global: RankOnBoard | null;
    tournaments: Record<string, RankOnBoard>;
  } | null;
  replayed: boolean;
}

export interface Wallet {
  balances: { currency: string; amount: number }[];
  entries_url: string;
}

export interface PopulateStatus {
  state: "idle" | "running" | "done" | "cancelled" | "failed";
  step: string;
  done: number;
  total: number;
  rate_per_second: number;
  eta_s: number | null;
  created: { users: number; submissions: number; tournaments: number };
  already_there: boolean;
  users: string[];
  error: ProblemBody | null;
}

export interface SimulationStatus {
  state: "idle" | "running" | "stopping";
  players: number;
  speed: number;
  submissions: number;
  joins: number;
  errors: number;
  started_at: string | null;
}

/** RFC 9457, with the platform's own members. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  errors?: { pointer: string; detail: string }[];
  trace_id?: string;
}
