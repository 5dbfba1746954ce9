/** Every known tournament in one line each: what it is and what happens next. */
import { useSignal } from "@preact/signals";
import { asProblem, type Problem } from "../api/problem.ts";
import type { Tournament } from "../api/types.ts";
import { serverNowMs } from "../clock.ts";
import { formatCount } from "../format.ts";
import { gameTitle } from "../games/games.ts";
import { ProblemView } from "../shell/ProblemView.tsx";
import { hrefOf } from "../shell/route.ts";
import { describePhase } from "./phase.ts";
import { hasMore, loadMore, sorted } from "./tournaments.ts";

export function TournamentList({ openId }: { openId: string | null }) {
  return (
    <>
      <ul class="tournament-items" data-testid="tournament-list">
        {sorted.value.map((tournament) => (
          <li key={tournament.id}>
            <TournamentItem tournament={tournament} open={tournament.id === openId} />
          </li>
        ))}
      </ul>
      {hasMore.value && <More />}
    </>
  );
}

function TournamentItem({ tournament, open }: { tournament: Tournament; open: boolean }) {
  const { id, name, game_id, phase, participants, max_participants, prize_pool } = tournament;
  return (
    <a
      class="tournament-item"
      href={hrefOf({ tab: "tournaments", open: "one", id })}
      aria-current={open ? "true" : undefined}
      data-testid="tournament-item"
      data-tournament-id={id}
      data-phase={phase}
    >
      <span class="tournament-name">
        <bdi>{name}</bdi>
      </span>
      <PhaseChip tournament={tournament} />
      <span class="tournament-facts">
        {gameTitle(game_id)}, {formatCount(participants)} of {formatCount(max_participants)}{" "}
        players, {formatCount(prize_pool)} {tournament.currency}
      </span>
      <Countdown tournament={tournament} />
    </a>
  );
}

export function PhaseChip({ tournament }: { tournament: Tournament }) {
  return (
    <span class="chip" data-testid="tournament-phase" data-phase={tournament.phase}>
      {tournament.phase}
    </span>
  );
}

export function Countdown({ tournament }: { tournament: Tournament }) {
  return (
    <span class="countdown" data-testid="tournament-countdown">
      {describePhase(tournament, serverNowMs.value)}
    </span>
  );
}

function More() {
  const problem = useSignal<Problem | null>(null);
  const load = async () => {
    try {
      await loadMore();
      problem.value = null;
    } catch (cause) {
      problem.value = asProblem(cause);
    }
  };
  if (problem.value) return <ProblemView problem={problem.value} onRetry={() => void load()} />;
  return (
    <button type="button" class="button" onClick={() => void load()}>
      Show more
    </button>
  );
}
