/** One tournament: its rules, joining and playing, its live standings, and who was paid. */
import { useEffect, useState } from "preact/hooks";
import { createResource } from "../api/resource.ts";
import type { Tournament } from "../api/types.ts";
import { formatCount, formatDay } from "../format.ts";
import { describeRules, gameOf, gameTitle } from "../games/games.ts";
import { BoardView } from "../live/BoardView.tsx";
import { live } from "../live/live.ts";
import { ProblemView } from "../shell/ProblemView.tsx";
import { JoinPanel } from "./JoinPanel.tsx";
import { Prizes } from "./Prizes.tsx";
import { isOver } from "./phase.ts";
import { Countdown, PhaseChip } from "./TournamentList.tsx";
import { learn, loadTournament, tournamentOf } from "./tournaments.ts";

export function TournamentDetail({ id }: { id: string }) {
  const [loading] = useState(() => createResource(() => loadTournament(id)));
  const channel = `tournament:${id}`;
  useEffect(() => {
    const leave = live.watch(channel);
    void loading.load();
    return leave;
  }, [channel, loading]);

  const view = live.view(channel).value;
  const told = view?.kind === "events" ? view.events.tournament : null;
  useEffect(() => {
    if (told) learn([told]);
  }, [told]);

  const tournament = tournamentOf(id);
  const problem = loading.problem.value;
  if (tournament) return <Known tournament={tournament} />;
  if (problem) return <ProblemView problem={problem} onRetry={() => void loading.load()} />;
  return <p class="empty">Loading the tournament</p>;
}

function Known({ tournament }: { tournament: Tournament }) {
  const { id, name, game_id, phase } = tournament;
  return (
    <article
      class="tournament"
      aria-labelledby="tournament-name"
      data-testid="tournament-detail"
      data-phase={phase}
    >
      <div class="section-head">
        <h2 id="tournament-name">
          <bdi>{name}</bdi>
        </h2>
        <span class="tournament-state">
          <PhaseChip tournament={tournament} /> <Countdown tournament={tournament} />
        </span>
      </div>
      <Facts tournament={tournament} />
      {!isOver(phase) && phase !== "Settling" && <JoinPanel tournament={tournament} />}
      {isOver(phase) && <Prizes tournament={tournament} />}
      <h3>Standings</h3>
      <BoardView
        board={`tournament:${id}`}
        label={`the standings of ${name}`}
        unit={gameOf(game_id)?.score_unit}
        empty={emptyStandings(tournament)}
        rowTestId="standings-row"
      />
      {!isOver(phase) && <Prizes tournament={tournament} />}
    </article>
  );
}

function Facts({ tournament }: { tournament: Tournament }) {
  const { game_id, keep, order, participants, max_participants, prize_pool } = tournament;
  const facts: [string, string][] = [
    ["Game", gameTitle(game_id)],
    ["Rules", describeRules(keep, order)],
    ["Players", `${formatCount(participants)} of ${formatCount(max_participants)}`],
    ["Prize pool", `${formatCount(prize_pool)} ${tournament.currency}`],
    ["Start", formatDay(tournament.start_time)],
    ["End", formatDay(tournament.end_time)],
  ];
  return (
    <dl class="facts" data-testid="tournament-facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function emptyStandings({ phase }: Tournament): string {
  if (phase === "Scheduled") return "Scores count from the start on.";
  if (phase === "Active") return "No scores yet. Join, then submit a score.";
  return "Nobody scored.";
}
