/** One player on a board. Drawn again only when something in it changed. */
import type { Row } from "../api/types.ts";
import { describeRankChange, formatScore } from "../format.ts";
import type { Move } from "./moves.ts";

interface Props {
  row: Row;
  /** 0-based place on the board; with shared ranks it differs from the rank. */
  index: number;
  move: Move | undefined;
  unit: string | undefined;
  focusable: boolean;
  testId: string;
}

export function BoardRow({ row, index, move, unit, focusable, testId }: Props) {
  return (
    <div
      class="board-row"
      role="row"
      aria-rowindex={index + 2}
      tabIndex={focusable ? 0 : -1}
      style={{ "--index": String(index) }}
      data-testid={testId}
      data-user-id={row.user_id}
      data-rank={row.rank}
    >
      <span class="cell-rank" role="gridcell">
        {row.rank}
      </span>
      <MoveCell move={move} />
      <span class="cell-player" role="gridcell">
        <bdi>{row.username}</bdi>
      </span>
      <span class="cell-score" role="gridcell" data-score={row.score}>
        {formatScore(row.score, unit)}
      </span>
    </div>
  );
}

function MoveCell({ move }: { move: Move | undefined }) {
  if (move === undefined) return <span class="cell-move" role="gridcell" />;
  const { sign, words, direction } = describeRankChange(move.rankBefore, move.rankAfter);
  return (
    <span class="cell-move" role="gridcell" data-direction={direction}>
      <span aria-hidden="true">{sign}</span>
      <span class="visually-hidden">{words}</span>
    </span>
  );
}
