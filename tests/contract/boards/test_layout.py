"""The layout of boards in Redis (docs/architecture.md, section 3): what the score service writes, others may rely on.

The model is a dictionary and `sorted`; the subject is apply.lua on a real server, fed with every kind of disorder.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palio_kit.ids import new_id
from palio_kit.orderings import OrderingKeys, from_microseconds, pack_member, pack_state, sort_score, unpack_member
from palio_score.boards import Applied, Boards, Load, pack_seats
from palio_score.domain import Board, Seat, Standing

PLAYERS = [UUID(int=number * 0x0101_0101_0101_0101) for number in range(1, 7)]
START_US = 1_780_000_000_000_000

orders = st.sampled_from(["desc", "asc"])
ties = st.sampled_from(["EarliestAchieved", "Shared"])
slow_server = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@dataclass(frozen=True)
class Row:
    """One standing."""

    player: UUID
    score: int
    reached_us: int
    version: int


def versions(player: UUID) -> st.SearchStrategy[list[Row]]:
    """A player's standings over time: whatever the score does, versions grow."""
    values = st.tuples(st.integers(-2, 2), st.integers(0, 3))
    return st.lists(values, min_size=1, max_size=4).map(
        lambda found: [Row(player, score, START_US + time, number) for number, (score, time) in enumerate(found, 1)]
    )


histories = st.tuples(*(versions(player) for player in PLAYERS)).map(
    lambda lists: [row for rows in lists for row in rows]
)


def load(board: Board, rows: Sequence[Row], *, ranked: bool = True, build: str = "") -> Load:
    seats = [
        Seat(
            board, str(row.player),
            now=Standing(row.score, row.score, from_microseconds(row.reached_us), row.version, 1),
        )
        for row in rows
    ]  # fmt: skip
    return Load(board, pack_seats(seats, more_is_better=board.more_is_better), ranked=ranked, build=build)


def batches(rows: list[Row], chance: random.Random) -> list[list[Row]]:
    """The rows shuffled, some of them twice, in flushes that name a player once."""
    disorder = rows + chance.sample(rows, len(rows) // 2)
    chance.shuffle(disorder)
    flushes: list[list[Row]] = [[]]
    for row in disorder:
        if chance.random() < 0.4 or any(other.player == row.player for other in flushes[-1]):
            flushes.append([])
        flushes[-1].append(row)
    return flushes


def newest(rows: Sequence[Row]) -> list[Row]:
    return list({row.player: row for row in sorted(rows, key=lambda row: row.version)}.values())


def ordered(rows: Sequence[Row], order: str) -> list[Row]:
    return sorted(rows, key=lambda row: (sort_score(row.score, order), row.reached_us, row.player.bytes))


def ranks(rows: Sequence[Row], board: Board) -> dict[UUID, int]:
    stand = ordered(rows, board.order)
    if board.ties == "Shared":
        return {
            row.player: 1
            + sum(sort_score(other.score, board.order) < sort_score(row.score, board.order) for other in stand)
            for row in stand
        }
    return {row.player: position for position, row in enumerate(stand, 1)}


async def ready(boards: Boards, board: Board) -> None:
    build = str(new_id())
    await boards.begin(board.name, build, "run")
    assert await boards.finish(board.name, build, str(new_id()))


async def stored(raw: redis.asyncio.Redis, board: Board) -> list[tuple[int, int, UUID]]:
    """Sort score, time and player of every member, as they lie there."""
    found: Any = await raw.zrange(OrderingKeys.of(board.name).order, 0, -1, withscores=True)
    return [(int(score), *unpack_member(member)) for member, score in found]


@slow_server
@given(histories, orders, ties, st.randoms(use_true_random=False))
async def test_any_interleaving_of_late_repeated_and_reordered_applies_leaves_the_same_board(
    boards: Boards, raw: redis.asyncio.Redis, rows: list[Row], order: str, tied: str, chance: random.Random
) -> None:
    board = Board(f"game:{new_id().hex[:12]}", order, "last", tied)
    await ready(boards, board)
    for flush in batches(rows, chance):
        await boards.apply([load(board, flush)])
    expected = [(sort_score(row.score, order), row.reached_us, row.player) for row in ordered(newest(rows), order)]
    assert await stored(raw, board) == expected
    held = await raw.hgetall(OrderingKeys.of(board.name).players)
    assert held == {row.player.bytes: pack_state(row.reached_us, row.version) for row in newest(rows)}


@slow_server
@given(histories, orders, ties, st.randoms(use_true_random=False))
async def test_every_apply_answers_the_ranks_before_and_after_it(
    boards: Boards, rows: list[Row], order: str, tied: str, chance: random.Random
) -> None:
    board = Board(f"tournament:{new_id()}", order, "last", tied)
    await ready(boards, board)
    known: list[Row] = []
    for flush in batches(rows, chance):
        before = ranks(newest(known), board)
        held = {row.player: row.version for row in newest(known)}
        known += flush
        after = ranks(newest(known), board)
        [applied] = await boards.apply([load(board, flush)])
        for row, change in zip(flush, applied.rank_changes(board), strict=True):
            assert change is not None
            assert change.rank == after[row.player]
            assert change.score == next(one.score for one in newest(known) if one.player == row.player)
            moved = row.version > held.get(row.player, 0)
            assert change.previous_rank == (before.get(row.player) if moved else after[row.player])


async def test_members_sort_by_time_and_then_by_player_within_a_score(boards: Boards, raw: redis.asyncio.Redis) -> None:
    board = Board("game:ties", "desc", "best")
    await ready(boards, board)
    rows = [Row(player, 5, START_US + time, 1) for time in (2, 1) for player in PLAYERS[time - 1 :: 2]]
    await boards.apply([load(board, rows)])
    members = await raw.zrange(OrderingKeys.of(board.name).order, 0, -1)
    assert members == sorted(pack_member(row.reached_us, row.player) for row in rows)


@pytest.mark.parametrize("score", [0, 1, -1, 2**53 - 1, -(2**53 - 1)])
@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_every_safe_integer_is_held_exactly(boards: Boards, score: int, order: str) -> None:
    board = Board(f"game:exact{new_id().hex[:8]}", order)
    await ready(boards, board)
    [applied] = await boards.apply([load(board, [Row(PLAYERS[0], score, START_US, 1)])])
    [change] = applied.rank_changes(board)
    assert change is not None
    assert change.score == score
    [applied] = await boards.apply([load(board, [Row(PLAYERS[0], 7, START_US, 0)])])
    [change] = applied.rank_changes(board)
    assert change is not None
    assert change.score == score


async def test_the_version_grows_by_one_for_each_apply_that_changes_something(boards: Boards) -> None:
    board = Board("game:versions")
    await ready(boards, board)
    row, later = Row(PLAYERS[0], 1, START_US, 1), Row(PLAYERS[0], 2, START_US, 2)
    told: list[Applied] = [(await boards.apply([load(board, [one])]))[0] for one in (row, row, later, row)]
    assert [one.version - told[0].version for one in told] == [0, 0, 1, 1]
    assert len({one.epoch for one in told}) == 1


async def test_a_missing_board_takes_nothing(boards: Boards, raw: redis.asyncio.Redis) -> None:
    board = Board("game:missing")
    [applied] = await boards.apply([load(board, [Row(PLAYERS[0], 1, START_US, 1)])])
    assert (applied.state, applied.ranks) == ("", [])
    assert await raw.exists(*OrderingKeys.of(board.name).all()) == 0


async def test_a_board_being_built_takes_live_scores_and_tells_no_ranks(
    boards: Boards, raw: redis.asyncio.Redis
) -> None:
    board = Board("game:building")
    await boards.begin(board.name, "one", "run")
    [applied] = await boards.apply([load(board, [Row(PLAYERS[0], 9, START_US, 2)])])
    assert (applied.state, applied.ranks) == ("building", [])
    await boards.apply([load(board, [Row(PLAYERS[0], 1, START_US, 1)], ranked=False, build="one")])
    assert [score for score, _, _ in await stored(raw, board)] == [-9]
    assert await boards.finish(board.name, "one", "epoch")
    meta = await raw.hgetall(OrderingKeys.of(board.name).meta)
    assert (meta[b"state"], meta[b"epoch"]) == (b"ready", b"epoch")
    assert b"build" not in meta


async def test_a_rebuild_that_was_overtaken_or_lost_its_board_ends_without_effect(
    boards: Boards, raw: redis.asyncio.Redis
) -> None:
    board = Board("game:overtaken")
    rows = [Row(PLAYERS[0], 9, START_US, 2)]
    await boards.begin(board.name, "one", "run")
    await boards.begin(board.name, "two", "run")
    [applied] = await boards.apply([load(board, rows, ranked=False, build="one")])
    assert applied.state == ""
    assert not await boards.finish(board.name, "one", "epoch")
    await raw.delete(*OrderingKeys.of(board.name).all())
    [applied] = await boards.apply([load(board, rows, ranked=False, build="two")])
    assert applied.state == ""
    assert not await boards.finish(board.name, "two", "epoch")
    assert await raw.exists(OrderingKeys.of(board.name).meta) == 0


async def test_scripts_are_loaded_again_into_a_redis_that_forgot_them(boards: Boards, raw: redis.asyncio.Redis) -> None:
    board = Board("game:scripts")
    await ready(boards, board)
    await raw.script_flush()
    [applied, _] = await boards.apply([load(board, [Row(player, 1, START_US, 1)]) for player in PLAYERS[:2]])
    assert applied.state == "ready"
