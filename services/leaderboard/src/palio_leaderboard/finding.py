"""Where an answer comes from: Redis first, PostgreSQL where Redis is away or has no such board (yet)."""

import asyncio
import time
from collections.abc import Callable, Sequence

from palio_kit.http import Peer
from palio_kit.logs import logger
from palio_kit.problems import Problem
from palio_kit.redis import RedisAway
from palio_leaderboard import metrics
from palio_leaderboard.domain import Found, PageQuery, Query, RanksQuery
from palio_leaderboard.fallback import Fallback
from palio_leaderboard.store import RedisBoards

log = logger(__name__)

_REBUILD_EVERY_S = 5.0
_REBUILDS_MAX = 32
_REMEMBERED_MAX = 1_000
_KINDS = {PageQuery: "page", RanksQuery: "rank"}


class Rebuilds:
    """Asks the score service to rebuild boards, each at most once in five seconds; never waited for."""

    def __init__(self, score: Peer, clock: Callable[[], float] = time.monotonic) -> None:
        self._score = score
        self._clock = clock
        self._asked_at: dict[str, float] = {}
        self._asking: set[asyncio.Task[None]] = set()

    def ask(self, board: str, reason: str) -> None:
        """Ask for one board, unless that was done just now or too many are being asked for."""
        now = self._clock()
        if now - self._asked_at.get(board, float("-inf")) < _REBUILD_EVERY_S or len(self._asking) >= _REBUILDS_MAX:
            return
        if len(self._asked_at) >= _REMEMBERED_MAX:
            self._asked_at = {name: at for name, at in self._asked_at.items() if now - at < _REBUILD_EVERY_S}
        self._asked_at[board] = now
        metrics.REBUILDS_ASKED.labels(reason).inc()
        task = asyncio.create_task(self._ask(board, reason), name="ask-rebuild")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def close(self) -> None:
        """Drop what is under way."""
        for task in self._asking:
            task.cancel()
        if self._asking:
            await asyncio.wait(self._asking)

    async def _ask(self, board: str, reason: str) -> None:
        try:
            await self._score.call("POST", "/internal/v1/boards/rebuild", {"board": board, "reason": reason})
            log.info("rebuild_asked", board=board, reason=reason)
        except Problem as problem:
            log.warning("rebuild_not_asked", board=board, reason=reason, problem=problem.code)


class Finder:
    """Answers queries in one round trip to Redis; those it cannot answer there, from SQL."""

    def __init__(self, cached: RedisBoards, fallback: Fallback, rebuilds: Rebuilds) -> None:
        self._cached = cached
        self._fallback = fallback
        self._rebuilds = rebuilds

    async def find(self, queries: Sequence[Query]) -> list[Found | Problem]:
        """The answer to each query, or the problem that kept it from being answered."""
        cached = await self._from_redis(queries) if queries else ()
        missing = [query for query, found in zip(queries, cached, strict=True) if found is None]
        _count(queries, cached)
        stored = iter(await self._from_sql(missing))
        return [next(stored) if found is None else found for found in cached]

    async def _from_redis(self, queries: Sequence[Query]) -> Sequence[Found | None]:
        try:
            found = await self._cached.find(queries)
        except RedisAway:
            return [None] * len(queries)
        for query, answer in zip(queries, found, strict=True):
            if answer is None:
                self._rebuilds.ask(query.board, "missing")
        return found

    async def _from_sql(self, queries: Sequence[Query]) -> list[Found | Problem]:
        return list(await asyncio.gather(*map(self._one_from_sql, queries)))

    async def _one_from_sql(self, query: Query) -> Found | Problem:
        try:
            return await self._fallback.find(query)
        except Problem as problem:
            return problem


def _count(queries: Sequence[Query], found: Sequence[Found | None]) -> None:
    for query, answer in zip(queries, found, strict=True):
        reads = len(query.users) if isinstance(query, RanksQuery) else 1
        metrics.READS.labels(_KINDS.get(type(query), "around"), "sql" if answer is None else "redis").inc(reads)
