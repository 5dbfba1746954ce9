/** What the acting player owns; loaded where prizes are shown. */
import { get } from "../api/client.ts";
import { createResource } from "../api/resource.ts";
import type { Wallet } from "../api/types.ts";
import { actAs, player } from "./session.ts";

export const wallet = createResource(async () => {
  const username = player.peek();
  if (username === null) return null;
  const loaded = await actAs(username, ({ token }) => get<Wallet>("/wallet", { token }));
  return { username, balances: loaded.balances };
});
