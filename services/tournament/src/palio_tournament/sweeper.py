"""The loop that notices boundaries: announces what opened and closed, settles what is due.

It decides nothing. Windows open and close by the database's clock whether it runs or not, and whatever it missed while
it was down is due when it comes back. Where an operator creates payout jobs it only announces.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from palio_kit.logs import logger
from palio_kit.postgres import Database
from palio_kit.problems import Unavailable
from palio_tournament import metrics, store
from palio_tournament.announcer import Announcer
from palio_tournament.settlement import Settler
from palio_tournament.store import Due

log = logger(__name__)

_DUE_AT_ONCE = 1_000
_PLAYERS_PER_BATCH = 20_000
_REASON_MAX = 500
_IDLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Sweeper:
    """One step of the loop at a time; `suspects` are tournaments of a failed batch, which are then settled alone."""

    database: Database
    announcer: Announcer
    settler: Settler
    settles: bool
    workers: int
    batch: int
    attempts_max: int
    _suspects: set[UUID] = field(default_factory=set)

    async def step(self) -> float:
        """Do what is due; answer the seconds until the next boundary, at most one (a step of `tasks.running`)."""
        await self.announcer.tell_phases()
        if self.settles and await self.settle_due():
            await self.announcer.tell_phases()
            return 0.0
        async with self.database.connection() as connection:
            ahead_s = await store.seconds_to_next_boundary(connection)
        return _IDLE_S if ahead_s is None else min(_IDLE_S, max(0.0, ahead_s) + 0.001)

    async def settle_due(self) -> int:
        """Settle everything that is due; answer how many were. One barrier serves them all."""
        async with self.database.connection() as connection:
            due = await store.due(connection, _DUE_AT_ONCE)
        if not due:
            return 0
        await self.settler.pass_barrier()
        turns = asyncio.Semaphore(self.workers)

        async def settle(ids: Sequence[UUID]) -> int:
            async with turns:
                return await self._settle(ids)

        return sum(await asyncio.gather(*(settle(ids) for ids in batches(due, self._suspects, self.batch))))

    async def _settle(self, ids: Sequence[UUID]) -> int:
        try:
            settled = await self.settler.settle_locked(ids)
        except Exception as error:  # the loop's edge: one bad tournament must not keep the others from their prizes
            log.exception("settlement_failed", tournaments=[str(one) for one in ids])
            metrics.SETTLEMENTS.labels("error").inc(len(ids))
            await self._remember(ids, error)
            return 0
        self._suspects.difference_update(ids)
        return len(settled)

    async def _remember(self, ids: Sequence[UUID], error: Exception) -> None:
        """Single out the tournament to blame; the database's own troubles are nobody's fault and are not counted."""
        if len(ids) > 1:
            self._suspects.update(ids)
        elif not isinstance(error, Unavailable):
            with suppress(Unavailable):
                async with self.database.transaction() as connection:
                    reason = repr(error)[:_REASON_MAX]
                    await store.note_failure(connection, ids[0], reason, attempts_max=self.attempts_max)


def batches(due: Sequence[Due], suspects: "set[UUID]", size: int) -> Iterator[list[UUID]]:
    """Divide what is due: suspects alone, others `size` together unless they are too many players (pure)."""
    yield from ([one.tournament_id] for one in due if one.tournament_id in suspects)
    batch: list[UUID] = []
    players = 0
    for one in due:
        if one.tournament_id in suspects:
            continue
        if batch and (len(batch) >= size or players + one.participants > _PLAYERS_PER_BATCH):
            yield batch
            batch, players = [], 0
        batch.append(one.tournament_id)
        players += one.participants
    if batch:
        yield batch
