/**
 * Who the page acts as. Demo users share one documented password; tokens live in this module's
 * memory and nowhere else, so closing the page logs everyone out.
 */
import { computed, signal } from "@preact/signals";
import { post } from "../api/client.ts";
import { Problem } from "../api/problem.ts";
import type { Login } from "../api/types.ts";

const DEMO_PASSWORD = "palio-demo-player";
const REFRESH_BEFORE_MS = 30_000;

interface Session {
  userId: string;
  accessToken: string;
  refreshToken: string;
  expiresMs: number;
}

export interface Acting {
  userId: string;
  token: string;
}

export const demoUsers = signal<readonly string[]>([]);
const picked = signal<string | null>(null);

/** The first demo user plays until another is picked. */
export const player = computed(() => picked.value ?? demoUsers.value[0] ?? null);

export function playAs(username: string): void {
  picked.value = username;
}

/** One login or refresh at a time per player: a refresh token used twice ends its whole family. */
const sessions = new Map<string, Promise<Session>>();

/** Does `action` as `username`; a token the server no longer accepts is renewed once. */
export async function actAs<T>(
  username: string,
  action: (acting: Acting) => Promise<T>,
): Promise<T> {
  const session = await validSession(username);
  try {
    return await action({ userId: session.userId, token: session.accessToken });
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.status !== 401) throw cause;
    const renewed = await keep(username, login(username));
    return action({ userId: renewed.userId, token: renewed.accessToken });
  }
}

async function validSession(username: string): Promise<Session> {
  const known = sessions.get(username);
  if (known === undefined) return keep(username, login(username));
  const session = await known;
  if (session.expiresMs - Date.now() > REFRESH_BEFORE_MS) return session;
  if (sessions.get(username) !== known) return validSession(username);
  return keep(
    username,
    refresh(session).catch(() => login(username)),
  );
}

function keep(username: string, session: Promise<Session>): Promise<Session> {
  sessions.set(username, session);
  session.catch(() => {
    if (sessions.get(username) === session) sessions.delete(username);
  });
  return session;
}

async function login(username: string): Promise<Session> {
  const body = { username, password: DEMO_PASSWORD };
  const answer = await post<Login>("/users/login", { body });
  return toSession(answer, answer.user.id);
}

async function refresh(session: Session): Promise<Session> {
  const body = { refresh_token: session.refreshToken };
  return toSession(await post<Omit<Login, "user">>("/users/refresh", { body }), session.userId);
}

function toSession(answer: Omit<Login, "user">, userId: string): Session {
  return {
    userId,
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token,
    expiresMs: Date.now() + answer.expires_in * 1000,
  };
}
