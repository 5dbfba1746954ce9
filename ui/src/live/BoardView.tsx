/** One board from its channel: loading, moving, stale, empty or refused. */
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../api/client.ts";
import { createResource } from "../api/resource.ts";
import type { BoardPage } from "../api/types.ts";
import { formatCount, formatScore } from "../format.ts";
import { announce } from "../shell/announce.ts";
import { ProblemView } from "../shell/ProblemView.tsx";
import { BoardGrid } from "./BoardGrid.tsx";
import type { Board } from "./delta.ts";
import { live, staleForS } from "./live.ts";
import { type Moves, NO_MOVES } from "./moves.ts";

interface Props {
  /** `global`, `game:<id>` or `tournament:<id>`. */
  board: string;
  label: string;
  unit?: string | undefined;
  empty: string;
  rowTestId: string;
}

export function BoardView({ board, label, unit, empty, rowTestId }: Props) {
  const { shown, moves, fallback, refusal } = useBoard(board);
  useLeaderNews(shown, label, unit);

  if (shown === null) {
    const problem = fallback.problem.value;
    if (problem) return <ProblemView problem={problem} onRetry={() => void fallback.load()} />;
    if (refusal !== null) return <p class="empty">{refusal}</p>;
    return <p class="empty">Loading the board</p>;
  }
  const staleS = staleForS.value;
  if (shown.rows.length === 0) {
    return (
      <p class="empty" data-testid="board-empty">
        {empty}
      </p>
    );
  }
  return (
    <div class={staleS === null ? "board-frame" : "board-frame stale"} data-testid="board">
      <BoardGrid
        label={label}
        rows={shown.rows}
        total={shown.total}
        moves={moves}
        unit={unit}
        rowTestId={rowTestId}
      />
      <p class="board-foot">
        <span data-testid="board-total">{describeTotal(shown)}</span>
        <span data-testid="board-version">
          {staleS === null ? `Version ${shown.version}` : `Stale: last news ${staleS} s ago`}
        </span>
      </p>
    </div>
  );
}

/** The live board; until its first snapshot, or without a socket, what REST answers. */
function useBoard(board: string) {
  const channel = `leaderboard:${board}`;
  const [fallback] = useState(() => createResource(() => fetchBoard(board)));
  useEffect(() => {
    const leave = live.watch(channel);
    void fallback.load();
    return leave;
  }, [channel, fallback]);

  const view = live.view(channel).value;
  const moves: Moves = view?.kind === "board" ? view.moves : NO_MOVES;
  const shown: Board | null = view?.kind === "board" ? view.board : fallback.data.value;
  const refusal = view?.kind === "refused" ? view.detail : null;
  return { shown, moves, fallback, refusal };
}

async function fetchBoard(board: string): Promise<Board> {
  const path = board.split(":").map(encodeURIComponent).join("/");
  const page = await get<BoardPage>(`/leaderboard/${path}?limit=100`);
  return { ...page, rows: page.items };
}

function useLeaderNews(board: Board | null, label: string, unit: string | undefined): void {
  const leader = board?.rows[0];
  const known = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (leader && known.current !== undefined && known.current !== leader.user_id) {
      announce(`${leader.username} leads ${label} with ${formatScore(leader.score, unit)}`);
    }
    known.current = leader?.user_id;
  }, [leader, label, unit]);
}

function describeTotal({ rows, total }: Board): string {
  if (total > rows.length) return `First ${rows.length} of ${formatCount(total)} players`;
  return total === 1 ? "1 player" : `${formatCount(total)} players`;
}
