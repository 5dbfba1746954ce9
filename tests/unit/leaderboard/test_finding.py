"""Where answers come from, and when the score service is asked for a rebuild."""

import asyncio
from collections.abc import Sequence
from typing import Any

from palio_kit.problems import Unavailable
from palio_kit.redis import RedisAway
from palio_leaderboard.domain import GLOBAL_RULES, Found, PageQuery, Query, Slice
from palio_leaderboard.finding import Finder, Rebuilds

QUERY = PageQuery("global", GLOBAL_RULES, 10)
OTHER = PageQuery("game:space-race", GLOBAL_RULES, 10)


def answer(epoch: str) -> Slice:
    return Slice(epoch, 1, 0, 0, 0, [])


class Cached:
    def __init__(self, *found: Found | None, away: bool = False) -> None:
        self.found = found
        self.away = away

    async def find(self, queries: Sequence[Query]) -> list[Found | None]:
        if self.away:
            raise RedisAway
        return list(self.found)


class Stored:
    def __init__(self, *, away: bool = False) -> None:
        self.asked: list[Query] = []
        self.away = away

    async def find(self, query: Query) -> Found:
        self.asked.append(query)
        if self.away:
            raise Unavailable
        return answer("sql")


class Score:
    def __init__(self, *, away: bool = False) -> None:
        self.asked: list[Any] = []
        self.away = away

    async def call(self, method: str, path: str, document: Any) -> None:
        self.asked.append((method, path, document))
        if self.away:
            raise Unavailable


def finder(cached: Cached, stored: Stored, score: Score) -> Finder:
    return Finder(cached, stored, Rebuilds(score))  # type: ignore[arg-type]


async def test_what_redis_lacks_comes_from_sql_and_its_rebuild_is_asked_for() -> None:
    stored, score = Stored(), Score()
    found = await finder(Cached(answer("e1"), None), stored, score).find([QUERY, OTHER])
    assert [part.epoch for part in found if isinstance(part, Slice)] == ["e1", "sql"]
    assert stored.asked == [OTHER]
    await asyncio.sleep(0)
    assert score.asked == [("POST", "/internal/v1/boards/rebuild", {"board": "game:space-race", "reason": "missing"})]


async def test_while_redis_is_away_sql_answers_and_no_rebuild_is_asked_for() -> None:
    stored, score = Stored(), Score()
    found = await finder(Cached(away=True), stored, score).find([QUERY, OTHER])
    assert [part.epoch for part in found if isinstance(part, Slice)] == ["sql", "sql"]
    await asyncio.sleep(0)
    assert score.asked == []


async def test_with_both_stores_away_each_query_has_its_problem() -> None:
    found = await finder(Cached(away=True), Stored(away=True), Score()).find([QUERY])
    assert [type(part) for part in found] == [Unavailable]


async def test_a_board_is_asked_for_once_in_five_seconds_even_if_that_failed() -> None:
    clock = [0.0]
    score = Score(away=True)
    rebuilds = Rebuilds(score, clock=lambda: clock[0])  # type: ignore[arg-type]
    for clock[0], asked in ((0.0, 1), (4.9, 1), (5.1, 2)):
        rebuilds.ask("global", "missing")
        await asyncio.sleep(0)
        assert len(score.asked) == asked
    await rebuilds.close()
