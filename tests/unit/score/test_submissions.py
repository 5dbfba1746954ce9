"""Calls of many submissions: each gets its own answer, and what is away is waited for once."""

import asyncio
from typing import Any

import pytest

from palio_kit.problems import Invalid, Unavailable
from palio_score.domain import Rules, game_board
from palio_score.intake import Key, Play
from palio_score.models import Entry, Reply
from palio_score.service import Submissions

RULES = Rules("g", game_board("g", "desc", "best"), 0, 10, False)


class FakeIntake:
    """Entries whose token says what happens to them."""

    def __init__(self) -> None:
        self.looked_up = 0

    def fast(self, entry: Entry) -> Play | None:
        if entry.token == "wrong":
            raise Invalid
        if entry.token in ("new", "away"):
            return None
        return self._play(entry)

    async def slow(self, entry: Entry) -> Play:
        self.looked_up += 1
        if entry.token == "away":
            raise Unavailable
        return self._play(entry)

    def _play(self, entry: Entry) -> Play:
        return Play("ada", RULES, 1, "ada", None, Key("ada", entry.key, b"") if entry.key else None)


class FakeBatcher:
    """Answers 201 once it is let."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuses = False

    async def _answer(self, plays: list[Play]) -> list[Reply]:
        await self.gate.wait()
        return [Reply(201, b"") for _ in plays]

    def submit(self, plays: list[Play]) -> Any:
        if self.refuses:
            raise Unavailable
        return asyncio.ensure_future(self._answer(plays))


@pytest.fixture
def parts() -> tuple[FakeIntake, FakeBatcher]:
    return FakeIntake(), FakeBatcher()


def submissions(parts: Any) -> Submissions:
    return Submissions(*parts)


async def statuses(service: Submissions, *entries: Entry) -> list[int]:
    return [reply.status for reply in await service.submit(entries)]


async def test_each_entry_has_its_own_answer_in_order(parts: Any) -> None:
    entries = [Entry(token, b"") for token in ("known", "wrong", "new", "known")]
    assert await statuses(submissions(parts), *entries) == [201, 422, 201, 201]


async def test_what_is_away_is_waited_for_once_a_call(parts: Any) -> None:
    entries = [Entry(token, b"") for token in ("away", "known", "away", "new")]
    assert await statuses(submissions(parts), *entries) == [503, 201, 503, 503]
    assert parts[0].looked_up == 1


async def test_a_twin_in_flight_is_told_so_and_afterwards_goes_on(parts: Any) -> None:
    service = submissions(parts)
    entry = Entry("known", b"", "the-same-key")
    parts[1].gate.clear()
    first = asyncio.ensure_future(service.submit([entry]))
    await asyncio.sleep(0)
    assert await statuses(service, entry) == [409]
    parts[1].gate.set()
    assert [reply.status for reply in await first] == [201]
    assert await statuses(service, entry, entry) == [201, 409]


async def test_keys_are_free_again_after_a_refusal(parts: Any) -> None:
    service = submissions(parts)
    parts[1].refuses = True
    entry = Entry("known", b"", "the-same-key")
    assert await statuses(service, entry) == [503]
    parts[1].refuses = False
    assert await statuses(service, entry) == [201]
