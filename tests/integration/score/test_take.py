"""PostgreSQL and the domain make the same of every share: sql/take.sql against `domain.take`."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palio_kit import postgres
from palio_kit.ids import new_id
from palio_score.domain import GLOBAL, SCORE_MAX, Board, Rules, Sheet, Standing, fold, game_board, take
from palio_score.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)
PLAYERS = 3
scores = st.sampled_from([-2, -1, 0, 1, 2, SCORE_MAX, -SCORE_MAX])
plays = st.tuples(st.integers(0, PLAYERS - 1), st.integers(0, 1), scores, st.integers(0, 30))
histories = st.lists(st.lists(plays, min_size=1, max_size=6), min_size=1, max_size=5)


@pytest_asyncio.fixture
async def store(settings: Any) -> AsyncIterator[Store]:
    async with postgres.connect(settings) as database:
        yield Store(database)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories, st.sampled_from(["desc", "asc"]), st.sampled_from(["best", "sum", "last"]))
async def test_sql_takes_shares_as_the_domain_does(store: Store, history: Any, order: str, keep: str) -> None:
    chance = random.Random(repr(history))
    counts = order == "desc" and keep == "best"
    names = [f"g{new_id().hex}" for _ in range(2)]
    games = [Rules(name, game_board(name, order, keep), -SCORE_MAX, SCORE_MAX, counts) for name in names]
    players = [str(UUID(int=chance.getrandbits(128))) for _ in range(PLAYERS)]
    model: dict[tuple[str, str], Standing] = {}
    for flush in history:
        sheet = Sheet((games[game], players[player]) for player, game, _, _ in flush)
        for player, game, score, time in sorted(flush, key=lambda play: play[3]):
            seat = sheet.places[names[game], players[player]].game
            seat.efforts.append((score, START + timedelta(microseconds=time)))
        async with store.flush() as opened:
            await opened.take(sheet)
        follow(sheet, model)


def follow(sheet: Sheet, model: dict[tuple[str, str], Standing]) -> None:
    """Play a flush in the model and hold what PostgreSQL answered against it."""
    improved: dict[str, int] = {}
    for seat in sheet.played():
        key = (seat.board.name, seat.user_id)
        held, share = model.get(key), fold(seat.board, seat.efforts)
        model[key] = now = take(held, seat.board, share)
        assert seat.now == now
        assert (seat.held is None) == (held is None)
        if held is not None and seat.held is not None:
            assert (seat.held.score, seat.held.reached_at, seat.held.version) == (
                held.score,
                held.reached_at,
                held.version,
            )
        if seat.counts_globally and (held is None or held.score != now.score):
            improved[seat.user_id] = improved.get(seat.user_id, 0) + now.score - (held.score if held else 0)
    for user_id, seat in sheet.overall.items():
        assert (seat.now is not None) == (user_id in improved)
        if seat.now is not None:
            key = (GLOBAL.name, user_id)
            before = model.get(key)
            total = (before.total if before else 0) + improved[user_id]
            assert (seat.now.total, seat.now.score) == (total, max(-SCORE_MAX, min(SCORE_MAX, total)))
            model[key] = seat.now


async def test_a_board_says_its_rule_in_its_rows(service: Any, world: Any) -> None:
    for order, keep in (("desc", "best"), ("asc", "best"), ("desc", "sum"), ("asc", "last")):
        game = await world.game(order, keep)
        await service.submit(await world.player(), game, 1)
        [standing] = await world.standings(f"game:{game}")
        assert standing["rule"].decode() == Board("b", order, keep).rule
