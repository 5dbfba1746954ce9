"""Reads from SQL: bounded, shared, and never waited for long."""

import asyncio
from dataclasses import replace

import pytest

from palio_kit.problems import Unavailable
from palio_leaderboard.domain import (
    GLOBAL_RULES,
    Found,
    Later,
    Moment,
    PageQuery,
    Placed,
    Query,
    Ranks,
    RanksQuery,
    Slice,
    Standing,
)  # fmt: skip
from palio_leaderboard.errors import AskAgain, TooManyFallbacks
from palio_leaderboard.fallback import Fallback

ROWS = [Standing(number.to_bytes(16), -number, 0) for number in range(100)]
TOP = PageQuery("global", GLOBAL_RULES, 10)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Boards:
    """SQL that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Query] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    async def find(self, query: Query) -> Found:
        self.asked.append(query)
        await self.gate.wait()
        if self.away:
            raise Unavailable
        if isinstance(query, PageQuery):
            return Slice("sql", 1, 100, 0, 0, ROWS[: query.limit])
        assert isinstance(query, RanksQuery)
        places = [Placed(Standing(user, 1, 0), int.from_bytes(user), 0) for user in query.users]
        return Ranks("sql", [Moment(len(self.asked), 100)] * len(places), places)


def fallback(boards: Boards, clock: Clock | None = None, *, wait_s: float = 5, waiting: int = 4) -> Fallback:
    return Fallback(boards, statements_max=1, waiting_max=waiting, wait_s=wait_s, clock=clock or Clock())  # type: ignore[arg-type]


def ranks(*users: int) -> RanksQuery:
    return RanksQuery("global", GLOBAL_RULES, tuple(user.to_bytes(16) for user in users))


async def test_readers_of_one_first_page_share_a_statement_whatever_its_length() -> None:
    boards = Boards()
    reads = fallback(boards)
    found = await asyncio.gather(*(reads.find(replace(TOP, limit=limit)) for limit in (1, 10, 100)))
    assert [len(part.rows) for part in found if isinstance(part, Slice)] == [1, 10, 100]
    assert len(boards.asked) == 1


async def test_an_answer_is_kept_for_a_second() -> None:
    boards, clock = Boards(), Clock()
    reads = fallback(boards, clock)
    for now, statements in ((0.0, 1), (0.9, 1), (1.1, 2)):
        clock.now = now
        await reads.find(TOP)
        assert len(boards.asked) == statements


async def test_who_has_waited_long_enough_is_told_to_ask_again_and_then_gets_the_answer() -> None:
    boards = Boards()
    boards.gate.clear()
    reads = fallback(boards, wait_s=0.001)
    with pytest.raises(AskAgain) as told:
        await reads.find(TOP)
    assert told.value.retry_after_s == 1
    boards.gate.set()
    assert isinstance(await reads.find(TOP), Slice)
    assert len(boards.asked) == 1


async def test_more_readers_than_may_wait_are_refused() -> None:
    boards = Boards()
    boards.gate.clear()
    reads = fallback(boards, wait_s=0.001, waiting=1)
    for limit in (1, 2):
        with pytest.raises(AskAgain):
            await reads.find(replace(TOP, after=ROWS[limit]))
    with pytest.raises(TooManyFallbacks):
        await reads.find(replace(TOP, after=ROWS[3]))
    await reads.close()


async def test_a_failure_is_told_and_not_kept() -> None:
    boards = Boards()
    reads = fallback(boards)
    boards.away = True
    with pytest.raises(Unavailable):
        await reads.find(TOP)
    boards.away = False
    assert isinstance(await reads.find(TOP), Slice)


async def test_players_asked_for_before_are_not_asked_for_again_beside_new_ones() -> None:
    boards = Boards()
    reads = fallback(boards)
    await reads.find(ranks(1, 2))
    found = await reads.find(ranks(2, 3))
    assert boards.asked[1] == ranks(3)
    assert isinstance(found, Ranks)
    assert [place.before for place in found.places if isinstance(place, Placed)] == [2, 3]
    assert [moment.version for moment in found.moments] == [1, 2]


async def test_a_known_rank_does_not_wait_for_an_unknown_one() -> None:
    boards = Boards()
    reads = fallback(boards, wait_s=0.001)
    await asyncio.wait_for(_until_found(reads, ranks(1)), 5)
    boards.gate.clear()
    found = await reads.find(ranks(1, 2))
    assert isinstance(found, Ranks)
    assert isinstance(found.places[0], Placed)
    assert found.places[1] is Later.LATER
    await reads.close()


async def _until_found(reads: Fallback, query: RanksQuery) -> None:
    while True:
        found = await reads.find(query)
        if isinstance(found, Ranks) and found.places[0] is not Later.LATER:
            return
