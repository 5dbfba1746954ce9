"""Boards in Redis stand in the order that SQL says, for random histories in every order, keep and tie policy."""

import itertools
import json
import random
from collections import defaultdict
from typing import Any

import pytest

from palio_score.domain import SCORE_MAX

ORDERS, KEEPS, TIES = ("desc", "asc"), ("best", "sum", "last"), ("EarliestAchieved", "Shared")


def entry(player: Any, game: str, score: int) -> list[Any]:
    body = json.dumps({"user_id": player.user_id, "game_id": game, "score": score}).encode()
    return [player.token, body, None, None]


def expected_score(keep: str, order: str, scores: list[int]) -> int:
    if keep == "sum":
        return max(-SCORE_MAX, min(SCORE_MAX, sum(scores)))
    return scores[-1] if keep == "last" else max(scores) if order == "desc" else min(scores)


@pytest.mark.parametrize(("order", "keep"), list(itertools.product(ORDERS, KEEPS)))
async def test_redis_sql_and_the_rules_agree(service: Any, world: Any, order: str, keep: str) -> None:
    chance = random.Random(f"{order}{keep}")
    game = await world.game(order, keep, counts=order == "desc" and keep == "best")
    players = [await world.player() for _ in range(8)]
    cups = {
        (cup_order, cup_keep): await world.tournament(game, *players, order=cup_order, keep=cup_keep, ties=ties)
        for cup_order, cup_keep, ties in zip(ORDERS * 3, KEEPS * 2, TIES * 3, strict=True)
    }
    history: dict[str, list[int]] = defaultdict(list)
    for _ in range(12):
        plays = [(chance.choice(players), chance.choice([-2, -1, 0, 1, 2, SCORE_MAX, -SCORE_MAX])) for _ in range(10)]
        await service.internal([entry(player, game, score) for player, score in plays])
        for player, score in plays:
            history[player.user_id].append(score)
    board = dict(await world.agreed(f"game:{game}"))
    assert board == {player: expected_score(keep, order, scores) for player, scores in history.items()}
    for (cup_order, cup_keep), cup in cups.items():
        board = dict(await world.agreed(f"tournament:{cup}"))
        assert board == {player: expected_score(cup_keep, cup_order, scores) for player, scores in history.items()}
