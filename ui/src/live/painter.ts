/** Calls `paint` at most every 100 ms, in an animation frame, however often something changes. */

const PAINT_EVERY_MS = 100;

export class Painter {
  readonly #paint: () => void;
  #scheduled = false;
  #paintedMs = 0;

  constructor(paint: () => void) {
    this.#paint = paint;
  }

  mark(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const waitMs = Math.max(0, this.#paintedMs + PAINT_EVERY_MS - performance.now());
    setTimeout(() => requestAnimationFrame(() => this.#run()), waitMs);
  }

  #run(): void {
    this.#scheduled = false;
    this.#paintedMs = performance.now();
    this.#paint();
  }
}
