/** What there is to win, and after the end who was paid. */
import { useEffect, useState } from "preact/hooks";
import { createResource } from "../api/resource.ts";
import type { PaidPrize, Tournament } from "../api/types.ts";
import { formatCount } from "../format.ts";
import { player } from "../session/session.ts";
import { wallet } from "../session/wallet.ts";
import { ProblemView } from "../shell/ProblemView.tsx";
import { describePlaces } from "./phase.ts";
import { loadPrizes } from "./tournaments.ts";

export function Prizes({ tournament }: { tournament: Tournament }) {
  if (tournament.phase === "Completed") return <PaidPrizes tournament={tournament} />;
  if (tournament.prizes.length === 0) return null;
  return (
    <>
      <h3>Prizes</h3>
      <ul class="prize-plan" data-testid="prize-plan">
        {tournament.prizes.map(({ key, rank_first, rank_last, amount }) => (
          <li key={key}>
            {describePlaces(rank_first, rank_last)}: {formatCount(amount)} {tournament.currency}
          </li>
        ))}
      </ul>
    </>
  );
}

function PaidPrizes({ tournament }: { tournament: Tournament }) {
  const [paid] = useState(() => createResource(() => loadPrizes(tournament.id)));
  useEffect(() => {
    void paid.load();
  }, [paid]);
  const problem = paid.problem.value;
  if (problem) return <ProblemView problem={problem} onRetry={() => void paid.load()} />;
  const prizes = paid.data.value;
  if (prizes === null) return <p class="empty">Loading the prizes</p>;
  return (
    <>
      <h3>Prizes paid</h3>
      {prizes.length === 0 ? (
        <p class="note">Nobody won a prize.</p>
      ) : (
        <PaidTable prizes={prizes} />
      )}
      <OwnWallet />
    </>
  );
}

function PaidTable({ prizes }: { prizes: readonly PaidPrize[] }) {
  return (
    <table class="prizes" data-testid="prizes">
      <thead>
        <tr>
          <th scope="col">Rank</th>
          <th scope="col">Player</th>
          <th scope="col" class="number">
            Amount
          </th>
        </tr>
      </thead>
      <tbody>
        {prizes.map(({ prize_key, user_id, username, rank, amount, currency }) => (
          <tr key={`${prize_key} ${user_id}`} data-testid="prize-row" data-user-id={user_id}>
            <td>{rank}</td>
            <td>
              <bdi>{username}</bdi>
            </td>
            <td class="number" data-amount={amount}>
              {formatCount(amount)} {currency}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function OwnWallet() {
  const username = player.value;
  useEffect(() => {
    if (username !== null) void wallet.load();
  }, [username]);
  const own = wallet.data.value;
  if (own === null || own.username !== username) return null;
  const balances = own.balances.map(({ currency, amount }) => `${formatCount(amount)} ${currency}`);
  return (
    <p class="note" data-testid="wallet">
      {own.username} now has {balances.length === 0 ? "an empty wallet" : balances.join(", ")}.
    </p>
  );
}
