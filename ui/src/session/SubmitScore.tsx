/** One score by the acting player. Trying again after an error repeats the same submission. */
import { type Signal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { newIdempotencyKey, post } from "../api/client.ts";
import { asProblem, type Problem } from "../api/problem.ts";
import type { RankOnBoard, Submission } from "../api/types.ts";
import { describeRankChange, formatScore } from "../format.ts";
import { gameOf, games } from "../games/games.ts";
import { ProblemView } from "../shell/ProblemView.tsx";
import { actAs, player } from "./session.ts";

interface Props {
  /** Without a game the form lets one choose. */
  gameId?: string | undefined;
  /** Where one plays for a tournament, its rank is the one to tell. */
  tournamentId?: string;
}

export function SubmitScore({ gameId, tournamentId }: Props) {
  const chosen = useSignal("");
  const score = useSignal("");
  const { busy, problem, answer, submit } = useSubmission();

  const game = gameOf(gameId ?? (chosen.value || (games.data.value?.[0]?.id ?? "")));
  const username = player.value;
  if (username === null || game === undefined) return null;
  const send = () => void submit(username, game.id, score.value);

  return (
    <form
      class="row-form"
      data-testid="submit-form"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {gameId === undefined && <GameSelect value={game.id} chosen={chosen} />}
      <label class="field">
        <span>
          Score ({formatScore(game.score_min)} to {formatScore(game.score_max)} {game.score_unit})
        </span>
        <input
          type="number"
          step="1"
          required
          min={game.score_min}
          max={game.score_max}
          value={score.value}
          data-testid="submit-score"
          onInput={(event) => {
            score.value = event.currentTarget.value;
          }}
        />
      </label>
      <button type="submit" class="button" disabled={busy.value} data-testid="submit-button">
        {busy.value ? "Submitting" : `Submit as ${username}`}
      </button>
      {answer.value && (
        <p class="outcome" data-testid="submit-outcome">
          {describeOutcome(answer.value, tournamentId)}
        </p>
      )}
      {problem.value && <ProblemView problem={problem.value} onRetry={send} />}
    </form>
  );
}

function useSubmission() {
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const answer = useSignal<Submission | null>(null);
  const attempt = useRef({ what: "", key: "" });

  const submit = async (username: string, gameId: string, typed: string) => {
    if (busy.value || typed === "") return;
    const what = `${username} ${gameId} ${typed}`;
    if (attempt.current.what !== what) attempt.current = { what, key: newIdempotencyKey() };
    const idempotencyKey = attempt.current.key;
    busy.value = true;
    problem.value = answer.value = null;
    try {
      answer.value = await actAs(username, ({ userId, token }) => {
        const body = { user_id: userId, game_id: gameId, score: Number(typed) };
        return post<Submission>("/scores", { body, token, idempotencyKey });
      });
      attempt.current = { what: "", key: "" };
    } catch (cause) {
      problem.value = asProblem(cause);
    }
    busy.value = false;
  };

  return { busy, problem, answer, submit };
}

function GameSelect({ value, chosen }: { value: string; chosen: Signal<string> }) {
  return (
    <label class="field">
      <span>Game</span>
      <select
        data-testid="submit-game"
        value={value}
        onChange={(event) => {
          chosen.value = event.currentTarget.value;
        }}
      >
        {(games.data.value ?? []).map(({ id, title }) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

function describeOutcome({ counted, ranks }: Submission, tournamentId?: string): string {
  if (ranks === null) return "Accepted. The ranks follow in a moment.";
  if (tournamentId !== undefined) {
    const place = ranks.tournaments[tournamentId];
    if (place === undefined) return "Accepted, but it does not count in this tournament.";
    return `Accepted. ${describePlace(place)} in this tournament.`;
  }
  if (!counted) return `Accepted, but an earlier score counts. Rank ${ranks.game.rank}.`;
  return `Accepted. ${describePlace(ranks.game)} in this game.`;
}

function describePlace({ rank, previous_rank }: RankOnBoard): string {
  const { words } = describeRankChange(previous_rank, rank);
  return `Rank ${rank} (${words})`;
}
