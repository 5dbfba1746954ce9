"""Settlement: freeze the standings, award the prizes, pay them, close. Exactly once, whoever calls and however often.

Order matters. First the barrier, after the end: it waits for every score transaction that read the clock before the
end. Then one transaction holds the tournament's row, so rivals wait and find it completed; standings, awards, ledger
and state are committed together or not at all. The sweeper, an administrator's command and a payout job run this code.
"""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from palio_kit.ids import new_id
from palio_kit.postgres import Connection, Database
from palio_kit.problems import Unavailable
from palio_tournament import domain, metrics, store
from palio_tournament.domain import Phase, Reckoning, Settlement
from palio_tournament.errors import NotSettling, NotYetDue, TournamentNotFound

_BARRIER_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Verification:
    """What a settled tournament's record says when it is computed again."""

    tournament_id: UUID
    digest_kept: str | None
    digest_found: str
    awards_match: bool
    pool_matches: bool

    @property
    def ok(self) -> bool:
        """Whether the record holds."""
        return self.digest_kept == self.digest_found and self.awards_match and self.pool_matches


@dataclass(frozen=True, slots=True)
class Settler:
    """Settles tournaments over a pool of its own, so that long settlements take no request's connection."""

    database: Database

    async def settle(self, tournament_id: UUID) -> Settlement:
        """Settle one tournament; if it was settled before, answer that settlement and change nothing.

        Raises:
            TournamentNotFound: there is none of that id.
            NotYetDue: it is not over, or its settlement delay is running.
            NotSettling: it was cancelled or failed.
            Unavailable: the database is away or a rival takes too long; nothing was changed.
        """
        if await self._is_due(tournament_id):
            await self.pass_barrier()
            if await self.settle_locked([tournament_id], wait=True):
                return await self._settlement(tournament_id, changed=True)
        return await self._settlement(tournament_id, changed=False)

    async def pass_barrier(self) -> None:
        """Return once every score that was accepted before this moment is committed.

        Raises:
            Unavailable: a score transaction keeps open; try again later.
        """
        for attempt in range(_BARRIER_ATTEMPTS):
            try:
                async with self.database.transaction() as connection:
                    return await store.pass_barrier(connection)
            except Unavailable:
                # Each try gives up soon: scores queue behind a waiting exclusive lock.
                if attempt == _BARRIER_ATTEMPTS - 1:
                    raise
        return None

    async def settle_locked(self, ids: Sequence[UUID], *, wait: bool = False) -> list[UUID]:
        """Settle those of the tournaments that are due, in one transaction; answer which were. Pass the barrier first.

        Args:
            wait: wait for tournaments that another settler holds, instead of leaving them to it.
        """
        started = time.perf_counter()
        async with self._transaction() as connection:
            held = await store.lock_due(connection, ids, wait=wait)
            if held:
                await store.freeze_standings(connection, held)
                await pay_and_close(connection, await reckon(connection, held))
        if held:
            metrics.SETTLE_SECONDS.observe(time.perf_counter() - started)
            metrics.SETTLEMENTS.labels("settled").inc(len(held))
        return held

    async def reopen(self, tournament_id: UUID) -> bool:
        """Let a tournament whose settlement failed be settled again; False if it is not failed."""
        async with self.database.transaction() as connection:
            return await store.reopen(connection, tournament_id)

    async def verify(self, tournament_id: UUID) -> Verification:
        """Compute digest, awards and pool of a settled tournament again from its frozen standings.

        Raises:
            TournamentNotFound, NotSettling: there is none, or it is not settled.
        """
        async with self._transaction() as connection:
            tournament = await store.tournament(connection, tournament_id)
            if tournament is None:
                raise TournamentNotFound
            if tournament.phase is not Phase.COMPLETED:
                raise NotSettling("It is not settled.")
            return await _verify(connection, tournament)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with self.database.transaction() as connection:
            await store.allow_long_work(connection)
            yield connection

    async def _is_due(self, tournament_id: UUID) -> bool:
        """False if it was settled before."""
        async with self.database.transaction() as connection:
            tournament = await store.tournament(connection, tournament_id)
            if tournament is None:
                raise TournamentNotFound
            if tournament.phase is Phase.COMPLETED:
                return False
            if tournament.phase in (Phase.CANCELLED, Phase.FAILED):
                raise NotSettling(f"Its phase is {tournament.phase}.")
            if tournament.phase is not Phase.SETTLING:
                raise NotYetDue(f"Its phase is {tournament.phase}.")
            return True

    async def _settlement(self, tournament_id: UUID, *, changed: bool) -> Settlement:
        async with self.database.connection() as connection:
            found = await store.settlement(connection, tournament_id, changed=changed)
        if found is None:
            raise NotYetDue("Its settlement delay is running.")
        return found


async def reckon(connection: Connection, ids: Sequence[UUID]) -> list[Reckoning]:
    """Read the frozen standings of tournaments once: digests, and who is to be paid."""
    reckonings = {found.id: Reckoning(found.rules) for found in await store.tournaments(connection, ids)}
    async for tournament_id, standing in store.frozen_standings(connection, ids):
        reckonings[tournament_id].add(standing)
    return list(reckonings.values())


async def pay_and_close(connection: Connection, reckonings: Sequence[Reckoning]) -> None:
    """Write the ledger and complete the tournaments."""
    made = {
        one.rules.id: (one.rules.currency, domain.transfers(one.rules, one.awards(), _new_ids())) for one in reckonings
    }
    await store.pay(connection, made, made_by="settlement")
    await store.complete(connection, {one.rules.id: one.digest for one in reckonings})


async def _verify(connection: Connection, tournament: domain.Tournament) -> Verification:
    (again,) = await reckon(connection, [tournament.id])
    promised = sorted((award.prize_key, str(award.user_id), award.rank, award.amount) for award in again.awards())
    paid = await store.awards(connection, [tournament.id], limit=tournament.rules.max_participants)
    recorded = [(one.award.prize_key, str(one.award.user_id), one.award.rank, one.award.amount) for one in paid]
    standing = sum(one.award.amount for one in paid if one.reversed_at is None)
    pool = domain.pool_account(tournament.id)
    left = await store.balance(connection, pool, tournament.rules.currency)
    return Verification(
        tournament.id, tournament.standings_digest, again.digest,
        awards_match=promised == sorted(recorded), pool_matches=left == tournament.rules.prize_pool - standing,
    )  # fmt: skip


def _new_ids() -> Iterator[UUID]:
    while True:
        yield new_id()
