/** The Live tab: demo controls, one board, the feed. */
import { DemoControls } from "../demo/DemoControls.tsx";
import { demoOffered } from "../demo/populate.ts";
import { gameOf, games, gameTitle } from "../games/games.ts";
import { SubmitScore } from "../session/SubmitScore.tsx";
import { togglePause } from "../shell/Connection.tsx";
import { ProblemView } from "../shell/ProblemView.tsx";
import { goTo, hrefOf } from "../shell/route.ts";
import { BoardView } from "./BoardView.tsx";
import { Feed } from "./Feed.tsx";

const EMPTY = "No scores on this board yet.";
const EMPTY_DEMO = `${EMPTY} "Populate Demo Data" adds players and their scores.`;

export function LivePage({ board }: { board: string }) {
  const gameId = board.startsWith("game:") ? board.slice("game:".length) : undefined;
  const title = gameId === undefined ? "Global" : gameTitle(gameId);
  return (
    <>
      {demoOffered.value && <DemoControls />}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: one key for all that is focused inside */}
      <div class="live" role="presentation" onKeyDown={pauseOnP}>
        <section class="live-board" aria-labelledby="board-title">
          <div class="section-head">
            <h2 id="board-title">{title} board</h2>
            <BoardSelect board={board} />
          </div>
          {isUnknown(gameId) ? <UnknownGame /> : <GameBoard board={board} gameId={gameId} />}
        </section>
        <Feed />
      </div>
    </>
  );
}

function GameBoard({ board, gameId }: { board: string; gameId: string | undefined }) {
  const title = gameId === undefined ? "Global" : gameTitle(gameId);
  return (
    <>
      <Rules gameId={gameId} />
      <BoardView
        key={board}
        board={board}
        label={`the ${title} board`}
        unit={gameId === undefined ? undefined : gameOf(gameId)?.score_unit}
        empty={demoOffered.value ? EMPTY_DEMO : EMPTY}
        rowTestId="board-row"
      />
      <SubmitScore gameId={gameId} />
    </>
  );
}

function UnknownGame() {
  return (
    <div class="empty" data-testid="unknown-game">
      <p>There is no such game.</p>
      <a href={hrefOf({ tab: "live", board: "global" })}>Show the global board</a>
    </div>
  );
}

/** Only a loaded catalogue can tell. */
function isUnknown(gameId: string | undefined): boolean {
  return gameId !== undefined && games.data.value !== null && gameOf(gameId) === undefined;
}

function BoardSelect({ board }: { board: string }) {
  const problem = games.problem.value;
  if (problem) return <ProblemView problem={problem} onRetry={() => void games.load()} />;
  return (
    <label class="field-inline">
      <span>Board</span>
      <select
        data-testid="board-select"
        value={board}
        onChange={(event) => goTo({ tab: "live", board: event.currentTarget.value })}
      >
        <option value="global">Global</option>
        {(games.data.value ?? []).map(({ id, title }) => (
          <option key={id} value={`game:${id}`}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

function Rules({ gameId }: { gameId: string | undefined }) {
  if (gameId === undefined) {
    return <p class="note">The sum of a player's best scores over the games that count for it.</p>;
  }
  return <p class="note">{gameOf(gameId)?.description}</p>;
}

/** `p` pauses while the focus is on the board or the feed, and is a letter where one types. */
function pauseOnP(event: KeyboardEvent): void {
  const typing = event.target instanceof HTMLInputElement;
  if (event.key !== "p" || typing || event.target instanceof HTMLSelectElement) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  togglePause();
}
