"""Random boards read from Redis and from SQL: the same order, ranks, pages and windows, whatever ties there are."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palio_kit import postgres, redis
from palio_kit.orderings import to_microseconds
from palio_leaderboard import domain
from palio_leaderboard.domain import (
    AroundQuery,
    Found,
    PageQuery,
    Placed,
    Query,
    Ranks,
    RanksQuery,
    Rules,
    Slice,
    Standing,
)  # fmt: skip
from palio_leaderboard.settings import Settings
from palio_leaderboard.store import RedisBoards, SqlBoards

SCORES = st.integers(-3, 3) | st.sampled_from([2**53 - 1, -(2**53) + 1])
PLAYERS = st.lists(
    st.tuples(st.integers(0, 2**128 - 1), SCORES, st.integers(0, 2)), max_size=14, unique_by=lambda p: p[0]
)
RULES = st.builds(Rules, st.sampled_from(["desc", "asc"]), st.sampled_from(["earliest", "shared"]))
BOARDS = (f"game:board-{number}" for number in count())


@dataclass
class Stores:
    cached: RedisBoards
    stored: SqlBoards
    world: Any

    async def put(self, players: list[tuple[int, int, int]], rules: Rules) -> tuple[str, list[Standing]]:
        """Make a board of these players; answers its name and its rows in order, sorted by Python."""
        board = next(BOARDS)
        rows = [
            self.world.standing(UUID(int=number), score, self.world.start + timedelta(microseconds=late))
            for number, score, late in players
        ]
        await self.world.put(board, rows, rules.order)
        rows.sort(key=lambda row: row.key(rules.order))
        return board, [Standing(row.user_id.bytes, row.score, to_microseconds(row.reached_at)) for row in rows]

    async def both(self, query: Query) -> list[Found]:
        (cached,) = await self.cached.find([query])
        assert cached is not None
        return [cached, await self.stored.find(query)]


@pytest.fixture
async def stores(make_settings: Any, world: Any) -> AsyncIterator[Stores]:
    chosen = make_settings(Settings, redis_timeout_s=5, database_timeout_s=20)
    async with postgres.connect(chosen) as database, redis.connect(chosen) as cache:
        yield Stores(RedisBoards(cache), SqlBoards(database), world)


def ranks(rules: Rules, rows: list[Standing]) -> list[int]:
    if rules.ties == "earliest":
        return list(range(1, len(rows) + 1))
    return [1 + sum(rules.sign * other.score < rules.sign * row.score for other in rows) for row in rows]


both_stores = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@both_stores
@given(players=PLAYERS, rules=RULES, limit=st.integers(1, 6))
async def test_pages_lined_up_are_the_board(stores: Stores, players: Any, rules: Rules, limit: int) -> None:
    board, rows = await stores.put(players, rules)
    expected = list(zip(ranks(rules, rows), rows, strict=True))
    for at in range(0, len(rows) + 1, limit):
        after = rows[at - 1] if at else None
        for found in await stores.both(PageQuery(board, rules, limit, after)):
            assert isinstance(found, Slice)
            assert found.total == len(rows)
            shown = list(zip(domain.ranks_of(rules, found), found.rows, strict=True))
            assert shown == expected[at : at + limit]
            assert (domain.cursor_after(found) is None) == (at + limit >= len(rows))


@both_stores
@given(players=PLAYERS, rules=RULES, radius=st.integers(1, 9))
async def test_around_anybody_is_a_full_window_with_him_in_it(
    stores: Stores, players: Any, rules: Rules, radius: int
) -> None:
    board, rows = await stores.put(players, rules)
    expected = list(zip(ranks(rules, rows), rows, strict=True))
    size = 2 * radius + 1
    for index, row in enumerate(rows):
        first = max(0, min(index - radius, len(rows) - size))
        for found in await stores.both(AroundQuery(board, rules, row.user_id, radius)):
            assert isinstance(found, Slice)
            shown = list(zip(domain.ranks_of(rules, found), found.rows, strict=True))
            assert shown == expected[first : first + size]
            assert row in found.rows
            assert len(found.rows) == min(size, len(rows))


@both_stores
@given(players=PLAYERS, rules=RULES, stranger=st.uuids(version=4))
async def test_everybodys_rank_is_his_place_and_strangers_have_none(
    stores: Stores, players: Any, rules: Rules, stranger: UUID
) -> None:
    board, rows = await stores.put(players, rules)
    asked = (stranger.bytes, *(row.user_id for row in reversed(rows)))
    for found in await stores.both(RanksQuery(board, rules, asked)):
        assert isinstance(found, Ranks)
        assert found.places[0] is None
        placed = [place for place in found.places[1:] if isinstance(place, Placed)]
        assert [place.standing for place in reversed(placed)] == rows
        assert [domain.rank_of(rules, place) for place in reversed(placed)] == ranks(rules, rows)
        assert [place.before for place in reversed(placed)] == list(range(len(rows)))
        assert {moment.total for moment in found.moments} == {len(rows)}


@both_stores
@given(players=PLAYERS, rules=RULES, gone=st.tuples(st.integers(0, 2**128 - 1), SCORES, st.integers(0, 2)))
async def test_a_page_behind_a_row_that_left_goes_on_where_it_was(
    stores: Stores, players: Any, rules: Rules, gone: tuple[int, int, int]
) -> None:
    board, rows = await stores.put([player for player in players if player[0] != gone[0]], rules)
    number, score, late = gone
    after = Standing(UUID(int=number).bytes, score, to_microseconds(stores.world.start) + late)

    def key(row: Standing) -> tuple[int, int, bytes]:
        return rules.sign * row.score, row.reached_at_us, row.user_id

    for found in await stores.both(PageQuery(board, rules, 100, after)):
        assert isinstance(found, Slice)
        assert found.rows == [row for row in rows if key(row) > key(after)]


async def test_a_change_moves_the_version_of_both(stores: Stores) -> None:
    board, _ = await stores.put([(1, 5, 0), (2, 3, 0)], Rules("desc", "earliest"))
    query = PageQuery(board, Rules("desc", "earliest"), 1)
    before = await stores.both(query)
    world = stores.world
    rows = [world.standing(UUID(int=1), 6, world.start, version=2), world.standing(UUID(int=2), 3, world.start)]
    await world.put(board, rows)
    for old, new in zip(before, await stores.both(query), strict=True):
        assert isinstance(old, Slice)
        assert isinstance(new, Slice)
        assert (old.epoch, old.version) < (new.epoch, new.version)
