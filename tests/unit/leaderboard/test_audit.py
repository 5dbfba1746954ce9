"""The drift audit tells late from lost."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prometheus_client import REGISTRY

from palio_leaderboard.audit import Audit
from palio_leaderboard.domain import GLOBAL_RULES, Moment, Placed, Ranks, RanksQuery, Rules, Standing

ADA, BOB = (UUID(int=number, version=4).bytes for number in (1, 2))


class Stores:
    """Redis, SQL and the score service in one."""

    def __init__(self) -> None:
        self.cached = {ADA: (5, 0), BOB: (3, 0)}
        self.stored = {ADA: (5, 0, 1), BOB: (3, 0, 1)}
        self.rebuilt: list[str] = []

    def known(self) -> dict[str, Rules]:
        return {"global": GLOBAL_RULES}

    async def sample(self, board: str, rules: Rules, at: float, players: int) -> list[Standing]:
        return [Standing(user, *standing) for user, standing in self.cached.items()]

    async def find(self, queries: Sequence[RanksQuery]) -> list[Ranks]:
        (query,) = queries
        places = [
            Placed(Standing(user, *self.cached[user]), 0, 0) if user in self.cached else None for user in query.users
        ]
        return [Ranks("e1", [Moment(1, 2)] * len(places), places)]

    async def standings(self, board: str, users: Any, from_user: UUID, players: int) -> dict[bytes, Any]:
        return dict(self.stored)

    def ask(self, board: str, reason: str) -> None:
        self.rebuilt.append(board)


def audit(stores: Stores) -> Audit:
    return Audit(stores, stores, stores, stores, every_s=7.0, players=10)  # type: ignore[arg-type]


def drift() -> float | None:
    return REGISTRY.get_sample_value("palio_rank_drift", {"family": "global"})


async def test_boards_that_agree_have_no_drift() -> None:
    stores = Stores()
    looks = audit(stores)
    assert [await looks.step() for _ in range(3)] == [7.0] * 3
    assert (drift(), stores.rebuilt) == (0, [])


async def test_a_score_in_flight_is_no_drift() -> None:
    stores = Stores()
    looks = audit(stores)
    for version in range(2, 5):
        stores.stored[ADA] = (5 + version, 0, version)
        await looks.step()
    assert (drift(), stores.rebuilt) == (0, [])


async def test_what_still_differs_at_the_second_look_is_drift_and_is_rebuilt() -> None:
    for change in ({ADA: (6, 0, 2)}, {bytes(16): (1, 0, 1)}):
        stores = Stores()
        looks = audit(stores)
        stores.stored |= change
        await looks.step()
        assert (drift(), stores.rebuilt) == (0, [])
        await looks.step()
        assert (drift(), stores.rebuilt) == (1, ["global"])


async def test_a_player_only_redis_knows_is_drift() -> None:
    stores = Stores()
    looks = audit(stores)
    del stores.stored[BOB]
    await looks.step()
    await looks.step()
    assert (drift(), stores.rebuilt) == (1, ["global"])
