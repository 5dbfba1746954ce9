"""Names and rules: remembered, and not waited for when PostgreSQL is away."""

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

import pytest

from palio_kit.problems import Unavailable
from palio_leaderboard import names
from palio_leaderboard.domain import GLOBAL_RULES, Rules
from palio_leaderboard.errors import BoardNotFound
from palio_leaderboard.names import DELETED, UNKNOWN, Boards, Usernames

ADA_ID = UUID(bytes=b"a" * 16)
ADA, BOB = b"a" * 16, b"b" * 16


class Catalogue:
    def __init__(self) -> None:
        self.users = {ADA: "ada"}
        self.boards = {"game:space-race": Rules("desc", "earliest")}
        self.asked: list[object] = []
        self.away = False
        self.frozen = False

    async def usernames(self, users: Iterable[bytes]) -> dict[bytes, str]:
        await self._answer(list(users))
        return {user: self.users[user] for user in users if user in self.users}

    async def rules_of(self, boards: Sequence[str]) -> dict[str, Rules]:
        await self._answer(list(boards))
        return {board: self.boards[board] for board in boards if board in self.boards}

    async def _answer(self, asked: object) -> None:
        self.asked.append(asked)
        if self.frozen:
            await asyncio.Event().wait()
        if self.away:
            raise Unavailable


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue()


def usernames(catalogue: Catalogue, *, entries_max: int = 10, fresh_s: float = 60) -> Usernames:
    return Usernames(catalogue, entries_max=entries_max, fresh_s=fresh_s)  # type: ignore[arg-type]


async def told(known: Usernames, *users: bytes) -> list[str]:
    found = await known.of(users)
    return [found[user].text for user in users]


async def test_a_name_is_asked_for_once(catalogue: Catalogue) -> None:
    known = usernames(catalogue)
    assert await told(known, ADA, BOB) == ["ada", UNKNOWN]
    assert await told(known, ADA, BOB) == ["ada", UNKNOWN]
    assert catalogue.asked == [[ADA, BOB]]


async def test_the_name_of_an_erased_user_is_dropped_once(catalogue: Catalogue) -> None:
    known, erased = usernames(catalogue), frozenset({ADA_ID})
    assert not known.forget(erased)
    await told(known, ADA)
    catalogue.users[ADA] = DELETED
    assert known.forget(erased)
    assert await told(known, ADA) == [DELETED]
    assert not known.forget(erased)
    assert len(catalogue.asked) == 2


async def test_a_name_that_is_old_is_asked_for_again(catalogue: Catalogue) -> None:
    known = usernames(catalogue, fresh_s=0)
    await told(known, ADA)
    catalogue.users[ADA] = "grace"
    assert await told(known, ADA) == ["grace"]


async def test_no_more_names_are_kept_than_allowed(catalogue: Catalogue) -> None:
    known = usernames(catalogue, entries_max=1)
    await told(known, ADA)
    await told(known, BOB)
    await told(known, ADA)
    assert catalogue.asked == [[ADA], [BOB], [ADA]]


async def test_while_the_database_is_away_old_names_are_shown_and_it_is_left_alone(catalogue: Catalogue) -> None:
    known = usernames(catalogue, fresh_s=0)
    await told(known, ADA)
    catalogue.away = True
    assert await told(known, ADA, BOB) == ["ada", UNKNOWN]
    assert await told(known, ADA, BOB) == ["ada", UNKNOWN]
    assert len(catalogue.asked) == 2


async def test_a_frozen_database_delays_names_by_a_moment_only(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "_LOOKUP_WAIT_S", 0.001)
    catalogue.frozen = True
    assert await asyncio.wait_for(told(usernames(catalogue), ADA), 5) == [UNKNOWN]


async def test_rules_are_known_for_ever_and_missing_boards_for_a_moment(catalogue: Catalogue) -> None:
    boards = Boards(catalogue)  # type: ignore[arg-type]
    for _ in range(2):
        known = await boards.rules_of(["global", "game:space-race", "game:none", "nonsense"])
        assert known["global"] == GLOBAL_RULES
        assert known["game:space-race"] == Rules("desc", "earliest")
        assert isinstance(known["game:none"], BoardNotFound)
        assert isinstance(known["nonsense"], BoardNotFound)
    assert len(catalogue.asked) == 1


async def test_rules_not_seen_before_cannot_be_had_without_the_database(catalogue: Catalogue) -> None:
    boards = Boards(catalogue)  # type: ignore[arg-type]
    catalogue.away = True
    known = await boards.rules_of(["global", "game:space-race"])
    assert known["global"] == GLOBAL_RULES
    assert isinstance(known["game:space-race"], Unavailable)
