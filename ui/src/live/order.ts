/**
 * In which order rows stand in the document. Pure. Rows are placed by transform, so the document's
 * order is free: a row that stays where it is keeps its focus and its glide, and once a board is calm
 * the order becomes the ranks', for those who hear the page.
 */

/** Rows that stay keep their places; new ones come last. */
export function stableOrder(before: readonly string[], now: readonly string[]): string[] {
  const present = new Set(now);
  const kept = before.filter((userId) => present.has(userId));
  const known = new Set(kept);
  return [...kept, ...now.filter((userId) => !known.has(userId))];
}

export interface Span {
  /** 0-based, inclusive and exclusive. */
  first: number;
  end: number;
}

/** The rows to draw: what the scroller shows and some more on both sides. */
export function visibleSpan(scrolled: number, shown: number, rows: number, beyond: number): Span {
  const first = Math.max(0, Math.floor(scrolled * rows) - beyond);
  const end = Math.min(rows, Math.ceil((scrolled + shown) * rows) + beyond);
  return { first, end };
}
