/** Calls to `/api/v1`. Every call has a deadline and ends in a value or a `Problem`. */
import { learnFromDateHeader } from "../clock.ts";
import { asProblem, problemFromAnswer, unreachable } from "./problem.ts";

const CALL_TIMEOUT_MS = 10_000;

export interface CallOptions {
  body?: unknown;
  token?: string;
  /** Repeating a call with the same key repeats the answer, not the effect. */
  idempotencyKey?: string;
}

export function get<T>(path: string, options?: CallOptions): Promise<T> {
  return call("GET", path, options);
}

export function post<T>(path: string, options?: CallOptions): Promise<T> {
  return call("POST", path, options);
}

export function del<T>(path: string, options?: CallOptions): Promise<T> {
  return call("DELETE", path, options);
}

/** 32 URL-safe characters. `crypto.randomUUID` is missing on plain http, this is not. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const answer = await send(method, path, options);
  learnFromDateHeader(answer.headers.get("Date"), Date.now());
  const text = await answer.text().catch((cause: unknown) => {
    throw unreachable(cause);
  });
  if (!answer.ok) {
    throw problemFromAnswer(answer.status, text, answer.headers.get("Retry-After"));
  }
  try {
    return (text === "" ? undefined : JSON.parse(text)) as T;
  } catch (cause) {
    throw asProblem(cause);
  }
}

async function send(method: string, path: string, options: CallOptions): Promise<Response> {
  const headers = new Headers({ Accept: "application/json" });
  if (options.token !== undefined) headers.set("Authorization", `Bearer ${options.token}`);
  if (options.idempotencyKey !== undefined) headers.set("Idempotency-Key", options.idempotencyKey);
  const init: RequestInit = { method, headers, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) };
  if (options.body !== undefined) {
    headers.set("Content-Type", "application/json");
    init.body = JSON.stringify(options.body);
  }
  try {
    return await fetch(`/api/v1${path}`, init);
  } catch (cause) {
    throw unreachable(cause);
  }
}
