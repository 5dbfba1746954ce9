"""The score service's own script writes, this service's scripts read: both sides of the layout in Redis."""

import struct
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palio_kit import redis
from palio_kit.orderings import OrderingKeys, pack_state, sort_score, to_microseconds
from palio_kit.redis import lua
from palio_leaderboard.domain import PageQuery, Placed, Ranks, RanksQuery, Rules, Slice, Standing
from palio_leaderboard.settings import Settings
from palio_leaderboard.store import RedisBoards

APPLY = lua("palio_score", "apply")
BOARD = "game:written"
PLAYERS = [UUID(int=number, version=4) for number in range(5)]

WRITES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(-4, 4), st.integers(0, 2), st.integers(1, 6)), min_size=1, max_size=25
)


async def apply(client: Any, order: str, player: UUID, score: int, reached_at: int, version: int) -> None:
    row = player.bytes + struct.pack(">d", sort_score(score, order)) + pack_state(reached_at, version)
    await client.eval(APPLY, 3, *OrderingKeys.of(BOARD).all(), row, "own", "")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=WRITES, order=st.sampled_from(["desc", "asc"]))
async def test_ranks_after_late_double_and_reordered_writes_are_those_of_the_newest_standings(
    make_settings: Any, world: Any, writes: list[tuple[int, int, int, int]], order: Any
) -> None:
    start = to_microseconds(world.start)
    await world.forget(BOARD)
    await world.redis.hset(OrderingKeys.of(BOARD).meta, mapping={"state": "ready", "epoch": "e1", "version": 0})
    newest: dict[UUID, tuple[int, Standing]] = {}
    # One version of a standing is one standing: its score and time follow from the version.
    for number, score, late, version in writes:
        player = PLAYERS[number]
        standing = Standing(player.bytes, score * version % 5, start + (late * version) % 3)
        known = newest.get(player)
        if known is not None and known[0] == version:
            standing = known[1]
        if known is None or known[0] < version:
            newest[player] = (version, standing)
        for _ in range(2):
            await apply(world.redis, order, player, standing.score, standing.reached_at_us, version)
    rules = Rules(order, "earliest")
    expected = sorted(
        (standing for _, standing in newest.values()),
        key=lambda row: (rules.sign * row.score, row.reached_at_us, row.user_id),
    )
    async with redis.connect(make_settings(Settings, redis_timeout_s=5)) as cache:
        page, ranks = await RedisBoards(cache).find(
            [PageQuery(BOARD, rules, 100), RanksQuery(BOARD, rules, tuple(row.user_id for row in expected))]
        )
    assert isinstance(page, Slice)
    assert page.rows == expected
    assert isinstance(ranks, Ranks)
    assert [place.before for place in ranks.places if isinstance(place, Placed)] == list(range(len(expected)))
