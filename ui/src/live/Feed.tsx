/** What just happened: scores and the turns of tournaments, newest first. */
import { useEffect } from "preact/hooks";
import { describeRankChange, formatClock, formatScore } from "../format.ts";
import { gameOf, gameTitle } from "../games/games.ts";
import { hrefOf } from "../shell/route.ts";
import { latestFirst } from "./feed.ts";
import { isStale, live, SCORE_FEED, TOURNAMENT_FEED } from "./live.ts";
import type { LiveEvent, ScoreEvent, TournamentChange, TournamentEvent } from "./protocol.ts";

const HAPPENED: Record<TournamentChange, string> = {
  created: "was created",
  joined: "was joined",
  opened: "has started",
  closed: "has ended",
  settled: "has paid its prizes",
  cancelled: "was cancelled",
};

export function Feed() {
  useEffect(() => live.watch(SCORE_FEED), []);
  const events = latestFirst([...eventsOf(SCORE_FEED), ...eventsOf(TOURNAMENT_FEED)]);
  return (
    <section class={isStale.value ? "feed stale" : "feed"} aria-labelledby="feed-title">
      <h2 id="feed-title">Live Feed</h2>
      {live.leftOut.value.has(SCORE_FEED) && (
        <p class="note">
          Scores are left out: this connection was too slow for them.{" "}
          <button type="button" class="link" onClick={() => live.bringBack()}>
            Bring them back
          </button>
        </p>
      )}
      {events.length === 0 ? (
        <p class="empty" data-testid="feed-empty">
          Nothing has happened yet. Scores appear here the moment they are accepted.
        </p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <ol class="feed-items" data-testid="feed" tabIndex={0} aria-labelledby="feed-title">
          {events.map((event) => (
            <FeedItem key={keyOf(event)} event={event} />
          ))}
        </ol>
      )}
    </section>
  );
}

function FeedItem({ event }: { event: LiveEvent }) {
  return (
    <li class="feed-item" data-testid="feed-item" data-kind={event.kind}>
      <time dateTime={event.at}>{formatClock(event.at)}</time>
      {event.kind === "score" ? <ScoreNews event={event} /> : <TournamentNews event={event} />}
    </li>
  );
}

function ScoreNews({ event }: { event: ScoreEvent }) {
  const { rank, previous_rank, game_id, counted } = event;
  const { sign, words, direction } = describeRankChange(previous_rank, rank);
  return (
    <>
      <span class="feed-what">
        <bdi class="feed-player">{event.username}</bdi>{" "}
        <span class="feed-game">{gameTitle(game_id)}</span>
      </span>
      <span class="feed-score">{formatScore(event.score, gameOf(game_id)?.score_unit)}</span>
      <span class="feed-rank" data-direction={counted ? direction : "same"}>
        {counted && rank !== null ? (
          <>
            #{rank} <span aria-hidden="true">{direction === "same" ? "" : sign}</span>
            <span class="visually-hidden">{words}</span>
          </>
        ) : (
          "not better"
        )}
      </span>
    </>
  );
}

function TournamentNews({ event }: { event: TournamentEvent }) {
  const { id, name } = event.tournament;
  return (
    <span class="feed-news">
      <a href={hrefOf({ tab: "tournaments", open: "one", id })}>{name}</a> {HAPPENED[event.change]}
    </span>
  );
}

function eventsOf(channel: string): readonly LiveEvent[] {
  const view = live.view(channel).value;
  return view?.kind === "events" ? view.events.events : [];
}

function keyOf(event: LiveEvent): string {
  if (event.kind === "score") return event.submission_id;
  return `${event.tournament.id} ${event.change} ${event.at}`;
}
