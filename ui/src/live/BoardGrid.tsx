/**
 * The moving rows. Each row is placed by its index, so a new rank is one transform that glides; rows
 * outside the scroller are not drawn; arrow keys walk by rank while the board moves underneath.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Row } from "../api/types.ts";
import { scoreHeading } from "../format.ts";
import { BoardRow } from "./BoardRow.tsx";
import type { Moves } from "./moves.ts";
import { stableOrder, visibleSpan } from "./order.ts";

const ROWS_BEYOND = 10;
const CALM_MS = 400;
/** A board that is never calm is put in order all the same; rows that move then do not glide. */
const LONGEST_DISORDER_MS = 5_000;
const KEY_STEPS: Record<string, number> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 10,
  PageUp: -10,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

interface Props {
  label: string;
  rows: readonly Row[];
  total: number;
  moves: Moves;
  unit: string | undefined;
  rowTestId: string;
}

export function BoardGrid({ label, rows, total, moves, unit, rowTestId }: Props) {
  const focused = useSignal<string | null>(null);
  const { scroller, scrolled, shown } = useScroll();
  const span = visibleSpan(scrolled.value, shown.value, rows.length, ROWS_BEYOND);
  const indexOf = new Map(rows.map((row, index) => [row.user_id, index]));
  const drawn = rows
    .filter((row, index) => inside(index, span) || row.user_id === focused.value)
    .map((row) => row.user_id);
  const order = useDocumentOrder(drawn, focused.value === null);
  const tabStop = focused.value !== null && indexOf.has(focused.value) ? focused.value : drawn[0];

  const walk = (event: KeyboardEvent) => {
    const step = KEY_STEPS[event.key];
    if (step === undefined || focused.value === null) return;
    event.preventDefault();
    const from = indexOf.get(focused.value) ?? 0;
    const target = rows[Math.min(rows.length - 1, Math.max(0, from + step))];
    if (target) focused.value = target.user_id;
  };
  useFocusFollows(scroller, focused.value);

  return (
    <div class="board" role="grid" aria-label={label} aria-rowcount={total + 1}>
      <BoardHead unit={unit} />
      <div
        class="board-scroller"
        role="rowgroup"
        ref={scroller}
        onKeyDown={walk}
        onFocusIn={(event) => {
          focused.value = userIdOf(event.target);
        }}
        onFocusOut={(event) => {
          if (userIdOf(event.relatedTarget) === null) focused.value = null;
        }}
      >
        <div class="board-rows" role="presentation" style={{ "--rows": String(rows.length) }}>
          {order.map((userId) => {
            const index = indexOf.get(userId) ?? 0;
            const row = rows[index];
            if (row === undefined) return null;
            const focusable = userId === tabStop;
            const known = { row, index, unit, focusable, move: moves.get(userId) };
            return <BoardRow key={userId} testId={rowTestId} {...known} />;
          })}
        </div>
      </div>
    </div>
  );
}

function BoardHead({ unit }: { unit: string | undefined }) {
  return (
    <div class="board-head" role="row" aria-rowindex={1}>
      <span role="columnheader">Rank</span>
      <span role="columnheader">Change</span>
      <span role="columnheader">Player</span>
      <span role="columnheader" class="cell-score">
        {scoreHeading(unit)}
      </span>
    </div>
  );
}

/** How far the scroller is and how much it shows, as parts of its content; read only when it scrolls. */
function useScroll() {
  const scroller = useRef<HTMLDivElement>(null);
  const scrolled = useSignal(0);
  const shown = useSignal(0.25);
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const read = () => {
      const height = Math.max(1, element.scrollHeight);
      scrolled.value = element.scrollTop / height;
      shown.value = element.clientHeight / height;
    };
    const sizes = new ResizeObserver(read);
    sizes.observe(element);
    for (const child of element.children) sizes.observe(child);
    element.addEventListener("scroll", read, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener("scroll", read);
    };
  }, [scrolled, shown]);
  return { scroller, scrolled, shown };
}

/** Stable while rows move or are focused, by rank again once nothing moved for a moment. */
function useDocumentOrder(drawn: readonly string[], mayReorder: boolean): readonly string[] {
  const order = useRef<readonly string[]>([]);
  const settled = useSignal(0);
  order.current = stableOrder(order.current, drawn);
  const disorderMs = useRef<number | null>(null);
  const byRank = drawn.join(" ");
  useEffect(() => {
    if (order.current.join(" ") === byRank) disorderMs.current = null;
    else disorderMs.current ??= performance.now();
    if (!mayReorder || disorderMs.current === null) return;
    const latestMs = disorderMs.current + LONGEST_DISORDER_MS - performance.now();
    const timer = setTimeout(
      () => {
        order.current = drawn;
        disorderMs.current = null;
        settled.value += 1;
      },
      Math.max(0, Math.min(CALM_MS, latestMs)),
    );
    return () => clearTimeout(timer);
  }, [byRank, mayReorder]);
  // Reading it here draws the rows again when the order has settled.
  void settled.value;
  return order.current;
}

/** A key moves the focus by player, after the player's row is in the document. */
function useFocusFollows(scroller: { current: HTMLDivElement | null }, userId: string | null) {
  useEffect(() => {
    if (userId === null || scroller.current === null) return;
    if (userIdOf(document.activeElement) === userId) return;
    const row = scroller.current.querySelector<HTMLElement>(
      `[data-user-id="${CSS.escape(userId)}"]`,
    );
    row?.focus({ preventScroll: true });
    row?.scrollIntoView({ block: "nearest" });
  }, [userId, scroller]);
}

function inside(index: number, { first, end }: { first: number; end: number }): boolean {
  return index >= first && index < end;
}

function userIdOf(target: EventTarget | null): string | null {
  if (!(target instanceof HTMLElement)) return null;
  return target.closest<HTMLElement>("[data-user-id]")?.dataset.userId ?? null;
}
