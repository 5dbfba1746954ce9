"""The drift audit: every few seconds a sample of one board is compared between Redis and PostgreSQL.

A standing committed a moment ago may not have reached Redis yet. So only what differs at two looks, with the same
version in SQL, is drift; then the score service is asked to rebuild the board.
"""

import random
from collections.abc import Iterable
from itertools import count
from uuid import UUID

from palio_kit.logs import logger
from palio_leaderboard import domain, metrics
from palio_leaderboard.domain import Disagreement, Placed, Ranks, RanksQuery, Rules
from palio_leaderboard.finding import Rebuilds
from palio_leaderboard.names import Boards
from palio_leaderboard.store import RedisBoards, SqlBoards

log = logger(__name__)

_FAMILIES = ("global", "game", "tournament")


class Audit:
    """Looks at the boards that were read, one after the other."""

    def __init__(
        self,
        boards: Boards,
        cached: RedisBoards,
        stored: SqlBoards,
        rebuilds: Rebuilds,
        *,
        every_s: float,
        players: int,
    ) -> None:
        self._boards = boards
        self._cached = cached
        self._stored = stored
        self._rebuilds = rebuilds
        self._every_s = every_s
        self._players = players
        self._turn = count()
        self._suspects: dict[str, set[Disagreement]] = {}
        self._drift = dict.fromkeys(_FAMILIES, 0)

    async def step(self) -> float:
        """Look at the next board, and again at those that looked wrong (a step of `tasks.running`).

        Raises:
            Unavailable, RedisAway: a store is away; nothing is known then.
        """
        rules = self._boards.known()
        names = sorted(rules)
        for board in {names[next(self._turn) % len(names)], *self._suspects}:
            await self._look(board, rules[board])
        return self._every_s

    async def _look(self, board: str, rules: Rules) -> None:
        before = self._suspects.pop(board, set())
        differing = await self._compare(board, rules, {suspect.user_id for suspect in before})
        persistent = differing & before
        self._report(board, len(persistent))
        if persistent:
            log.warning("rank_drift", board=board, players=len(persistent))
            self._rebuilds.ask(board, "drift")
        elif differing:
            self._suspects[board] = differing

    async def _compare(self, board: str, rules: Rules, again: Iterable[UUID]) -> set[Disagreement]:
        sample = await self._cached.sample(board, rules, random.random(), self._players)  # noqa: S311 - a sample
        if sample is None:
            return set()
        users = {UUID(bytes=standing.user_id) for standing in sample} | set(again)
        start = UUID(bytes=sample[0].user_id) if sample else UUID(int=0)
        stored = await self._stored.standings(board, users, start, self._players)
        asked = tuple(stored.keys() | {user.bytes for user in users})
        if not asked:
            return set()
        (ranks,) = await self._cached.find([RanksQuery(board, rules, asked)])
        if not isinstance(ranks, Ranks):
            return set()
        metrics.AUDITED.inc(len(asked))
        standings = [place.standing for place in ranks.places if isinstance(place, Placed)]
        cached = {standing.user_id: (standing.score, standing.reached_at_us) for standing in standings}
        return domain.disagreements(board, cached, stored)

    def _report(self, board: str, players: int) -> None:
        family = board.partition(":")[0]
        self._drift[family] = players
        metrics.RANK_DRIFT.labels(family).set(players)
