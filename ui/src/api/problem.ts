/** One shape for everything that can go wrong with a call, so that one view can show it. */
import type { ProblemBody } from "./types.ts";

export class Problem extends Error {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly traceId: string | null;
  readonly retryAfterS: number | null;

  constructor(body: Omit<ProblemBody, "type">, retryAfterS: number | null = null) {
    super(body.title);
    this.title = body.title;
    this.status = body.status;
    this.detail = body.detail;
    this.code = body.code;
    this.fields = fieldErrors(body.errors ?? []);
    this.traceId = body.trace_id ?? null;
    this.retryAfterS = retryAfterS;
  }
}

/** `/prize_pool`, `#/prize_pool` and `/body/prize_pool` all speak of the field `prize_pool`. */
export function fieldErrors(errors: readonly { pointer: string; detail: string }[]) {
  return new Map(errors.map(({ pointer, detail }) => [pointer.split("/").at(-1) ?? "", detail]));
}

/** The problem an answer tells, also when a proxy answered in the server's place. */
export function problemFromAnswer(status: number, text: string, retryAfter: string | null) {
  const seconds = retryAfter === null ? Number.NaN : Number(retryAfter);
  const retryAfterS = Number.isFinite(seconds) ? seconds : null;
  return new Problem(parseBody(text) ?? unexplained(status), retryAfterS);
}

export function unreachable(cause: unknown): Problem {
  const late = cause instanceof DOMException && cause.name === "TimeoutError";
  return new Problem({
    title: late ? "The server took too long" : "The server cannot be reached",
    status: 0,
    detail: late
      ? "No answer came in time. What you asked for may still have happened."
      : "It may be starting, or the port-forward may have ended.",
    code: late ? "timeout" : "unreachable",
  });
}

export function asProblem(cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  return new Problem({
    title: "The page made a mistake",
    status: 0,
    detail: cause instanceof Error ? cause.message : String(cause),
    code: "page_error",
  });
}

function parseBody(text: string): ProblemBody | null {
  try {
    const body: unknown = JSON.parse(text);
    return isProblemBody(body) ? body : null;
  } catch {
    return null;
  }
}

function isProblemBody(body: unknown): body is ProblemBody {
  if (typeof body !== "object" || body === null) return false;
  return "title" in body && "code" in body && "detail" in body;
}

function unexplained(status: number): Omit<ProblemBody, "type"> {
  return {
    title: `The server answered ${status}`,
    status,
    detail: "The answer carried no explanation.",
    code: `http_${status}`,
  };
}
