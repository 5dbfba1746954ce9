"""Boards while Redis does not have them: answered by PostgreSQL, few at a time, equal questions once.

A reader waits half a second at most, so that one board being rebuilt does not hold up a batch with reads of others;
the answer is kept for a second for whoever asks again, as the 503 tells him to.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from palio_leaderboard import metrics
from palio_leaderboard.domain import (
    PAGE_MAX,
    SQL_EPOCH,
    Found,
    Later,
    Moment,
    PageQuery,
    Placed,
    Query,
    Ranks,
    RanksQuery,
    Slice,
)
from palio_leaderboard.errors import AskAgain, TooManyFallbacks
from palio_leaderboard.store import SqlBoards

_KEPT_S = 1.0
_KEPT_MAX = 10_000
_KINDS = {PageQuery: "page", RanksQuery: "rank"}
_NEVER = Moment(0, 0)

_Answer = asyncio.Task[Found]


@dataclass(slots=True)
class _Asked:
    """A question under way or just answered; `place` is its part of the answer, for one player among several."""

    answer: _Answer
    place: int = 0
    done_at: float | None = None


class Fallback:
    """Bounded, single-flight reads of boards from SQL."""

    def __init__(
        self,
        boards: SqlBoards,
        *,
        statements_max: int,
        waiting_max: int,
        wait_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._boards = boards
        self._slots = asyncio.Semaphore(statements_max)
        self._running_max = statements_max + waiting_max
        self._wait_s = wait_s
        self._clock = clock
        self._running: set[_Answer] = set()
        self._asked: OrderedDict[Query, _Asked] = OrderedDict()

    async def find(self, query: Query) -> Found:
        """Answer one query; what it tells is at most a second old.

        Raises:
            Unavailable: too many wait already, it takes too long, or PostgreSQL is away.
        """
        if isinstance(query, RanksQuery):
            return await self._ranks(query)
        wider = replace(query, limit=PAGE_MAX) if isinstance(query, PageQuery) and query.after is None else query
        asked = self._fresh(wider) or self._ask(wider, (wider,))[0]
        await self._wait({asked.answer})
        if not asked.answer.done():
            raise AskAgain
        found = asked.answer.result()
        if isinstance(query, PageQuery) and isinstance(found, Slice):
            return replace(found, rows=found.rows[: query.limit])
        return found

    async def close(self) -> None:
        """Drop what is under way."""
        for answer in self._running:
            answer.cancel()
        await self._wait(set(self._running))

    async def _ranks(self, query: RanksQuery) -> Ranks:
        """Each player by himself, as answers are kept; those not answered yet are asked for in one statement."""
        keys = [replace(query, users=(user,)) for user in query.users]
        asked = {key: known for key in keys if (known := self._fresh(key)) is not None}
        missing = [key for key in keys if key not in asked]
        if missing:
            users = tuple(key.users[0] for key in missing)
            asked |= zip(missing, self._ask(replace(query, users=users), missing), strict=True)
        await self._wait({one.answer for one in asked.values()})
        found = [_part(asked[key]) for key in keys]
        return Ranks(SQL_EPOCH, [moment for moment, _ in found], [place for _, place in found])

    async def _wait(self, answers: Collection[_Answer]) -> None:
        if answers:
            await asyncio.wait(answers, timeout=self._wait_s)

    def _fresh(self, key: Query) -> _Asked | None:
        asked = self._asked.get(key)
        if asked is None or (asked.done_at is not None and self._clock() - asked.done_at > _KEPT_S):
            return None
        return asked

    def _ask(self, query: Query, keys: Collection[Query]) -> list[_Asked]:
        """Begin a statement whose parts answer these questions."""
        if len(self._running) >= self._running_max:
            metrics.REFUSED.inc()
            raise TooManyFallbacks
        answer = asyncio.create_task(self._read(query), name="board-fallback")
        self._running.add(answer)
        asked = {key: _Asked(answer, place) for place, key in enumerate(keys)}
        for key in asked:
            self._asked.pop(key, None)
        self._asked |= asked
        answer.add_done_callback(lambda done: self._answered(asked, done))
        return list(asked.values())

    async def _read(self, query: Query) -> Found:
        async with self._slots:
            with metrics.FALLBACK_SECONDS.labels(_KINDS.get(type(query), "around")).time():
                return await self._boards.find(query)

    def _answered(self, asked: dict[Query, _Asked], done: _Answer) -> None:
        self._running.discard(done)
        failed = done.cancelled() or done.exception() is not None
        for key, one in asked.items():
            one.done_at = self._clock()
            if failed and self._asked.get(key) is one:
                del self._asked[key]
        while len(self._asked) > _KEPT_MAX and next(iter(self._asked.values())).done_at is not None:
            self._asked.popitem(last=False)


def _part(asked: _Asked) -> tuple[Moment, Placed | Later | None]:
    if not asked.answer.done():
        return _NEVER, Later.LATER
    found = asked.answer.result()
    assert isinstance(found, Ranks)
    return found.moments[asked.place], found.places[asked.place]
