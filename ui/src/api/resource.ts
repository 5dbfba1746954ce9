/** Something loaded from the server once and again on demand; a late answer never replaces a newer one. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { asProblem, type Problem } from "./problem.ts";

export interface Resource<T> {
  data: ReadonlySignal<T | null>;
  problem: ReadonlySignal<Problem | null>;
  load: () => Promise<void>;
  /** For when the connection is back: only what failed is asked for again. */
  loadIfFailed: () => void;
  set: (data: T) => void;
}

export function createResource<T>(fetchData: () => Promise<T>): Resource<T> {
  const data = signal<T | null>(null);
  const problem = signal<Problem | null>(null);
  let latest = 0;

  async function load(): Promise<void> {
    latest += 1;
    const turn = latest;
    try {
      const fresh = await fetchData();
      if (turn !== latest) return;
      data.value = fresh;
      problem.value = null;
    } catch (cause) {
      if (turn === latest) problem.value = asProblem(cause);
    }
  }

  return {
    data,
    problem,
    load,
    loadIfFailed() {
      if (problem.peek() !== null) void load();
    },
    set(fresh) {
      data.value = fresh;
    },
  };
}
