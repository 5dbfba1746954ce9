/** Join as one demo user after the other, and play as any of them. */
import { signal, useSignal } from "@preact/signals";
import { asProblem, type Problem } from "../api/problem.ts";
import type { Tournament } from "../api/types.ts";
import { PlayerField } from "../session/PlayerField.tsx";
import { SubmitScore } from "../session/SubmitScore.tsx";
import { demoUsers, playAs, player } from "../session/session.ts";
import { ProblemView } from "../shell/ProblemView.tsx";
import { join } from "./tournaments.ts";

/** Who joined what from this page, by tournament. */
const joined = signal<ReadonlyMap<string, readonly string[]>>(new Map());

export function JoinPanel({ tournament }: { tournament: Tournament }) {
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const username = player.value;
  if (username === null) {
    return (
      <p class="note">Joining takes a player: populate the demo data on the Live tab first.</p>
    );
  }
  const here = joined.value.get(tournament.id) ?? [];
  const isIn = here.includes(username);

  const enter = async () => {
    busy.value = true;
    problem.value = null;
    try {
      await join(username, tournament.id);
      remember(tournament.id, username);
    } catch (cause) {
      problem.value = asProblem(cause);
    }
    busy.value = false;
  };

  return (
    <div class="play" data-testid="join-panel">
      <div class="row-form">
        <PlayerField label="Player" testId="join-picker" />
        <button
          type="button"
          class="button primary"
          disabled={busy.value || isIn}
          data-testid="join-button"
          onClick={() => void enter()}
        >
          {isIn ? "Joined" : `Join as ${username}`}
        </button>
        {isIn && <NextPlayer joined={here} />}
      </div>
      {problem.value && <ProblemView problem={problem.value} onRetry={() => void enter()} />}
      {here.length > 0 && (
        <p class="note" data-testid="joined-players">
          Joined from this page: {here.join(", ")}
        </p>
      )}
      {tournament.phase === "Active" && (
        <SubmitScore gameId={tournament.game_id} tournamentId={tournament.id} />
      )}
    </div>
  );
}

function NextPlayer({ joined }: { joined: readonly string[] }) {
  const next = demoUsers.value.find((username) => !joined.includes(username));
  if (next === undefined) return null;
  return (
    <button type="button" class="button" data-testid="next-player" onClick={() => playAs(next)}>
      Pick {next}
    </button>
  );
}

function remember(tournamentId: string, username: string): void {
  const here = joined.value.get(tournamentId) ?? [];
  joined.value = new Map(joined.value).set(tournamentId, [...here, username]);
}
