"""Runs of the load engine against any server: the stage is set by hand, so that no platform need be there."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from typing_extensions import override

from palio_generator.domain import Game
from palio_generator.load import targets
from palio_generator.load.engine import OnSecond, Run
from palio_generator.load.plan import Plan
from palio_generator.load.players import Accounts, Player, Tell
from palio_generator.load.results import Report
from palio_generator.load.stage import Stage, Surroundings

GAME = Game("space-race", ascending=False, score_min=0, score_max=10_000_000)
TOKEN_VALID_S = 1e9
_TOKEN_BYTES = 560
"""About the length of a real access token."""


class NoAccounts(Accounts):
    """Tokens that never end."""

    @override
    async def enter(self, numbers: Sequence[int], tell: Tell) -> list[Player]:
        return [player(number) for number in numbers]

    @override
    async def renew(self, players: Sequence[Player]) -> None:
        """Nothing to renew."""


def player(number: int) -> Player:
    return Player(number, str(UUID(int=number)), "x" * _TOKEN_BYTES, TOKEN_VALID_S)


def stage_of(plan: Plan) -> Stage:
    players = {number: player(number) for number in plan.own_users}
    return Stage(GAME, f"game/{GAME.game_id}", ("score", f"leaderboard:game:{GAME.game_id}"), players, NoAccounts(), {})


async def run(
    plan: Plan, on_second: OnSecond = lambda _: None, *, meanwhile: Callable[[Run], Any] | None = None
) -> Report:
    """Run a plan against whatever listens there; `meanwhile` is started as a task beside it."""
    place = targets.resolve(targets.read_target(plan.base_url, ()))
    live = targets.resolve(
        targets.read_target((plan.live_url or plan.base_url).replace("http", "ws", 1), (), schemes=("ws",))
    )
    running = Run(plan, place, live, stage_of(plan), Surroundings())
    await running.open(lambda *_: None)
    beside = asyncio.ensure_future(meanwhile(running)) if meanwhile else None
    try:
        return await running.measure(on_second)
    finally:
        running.close()
        if beside is not None:
            await beside
