"""A thousand tournaments that end at one instant: closed by the clock, settled in seconds.

The goals are 1 s and 20 s on a quiet machine. They are printed; what fails the test is only what no load explains.
"""

from typing import Any

import pytest

from integration.tournament.world import World
from palio_kit.testing.waiting import eventually
from palio_tournament.app import create_app
from palio_tournament.settings import Settings
from palio_tournament.settlement import Settler

_TOURNAMENTS, _PLAYERS = 1_000, 100
_END = "UPDATE tournament.tournaments SET ends_at = {moment}, settles_at = {moment}"
_SOON = "(SELECT clock_timestamp() + interval '1.5 s')"
_SINCE = """
SELECT extract(epoch FROM clock_timestamp() - max(ends_at))::float8 AS since,
    bool_and(tournament.phase(state, starts_at, ends_at, clock_timestamp()) <> 'Active') AS closed
FROM tournament.tournaments
"""


async def test_all_are_closed_and_settled_soon_after_their_end(
    world: World, client_of: Any, make_settings: Any, settler: Settler, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.season(_TOURNAMENTS, _PLAYERS, ends_s=3600)
    await world.owner.execute("VACUUM ANALYZE")
    async with client_of(create_app, make_settings(Settings)):
        await world.owner.execute(_END.format(moment=_SOON))

        async def closed_after() -> float:
            row = await world.owner.fetchrow(_SINCE)
            return float(row["since"]) if row["closed"] else 0.0

        closed_s = await eventually(closed_after, within_s=30, every_s=0.01)

        async def all_settled() -> bool:
            return await world.unsettled() == 0

        await eventually(all_settled, within_s=120)
    settled_s = await world.owner.fetchval(
        "SELECT extract(epoch FROM max(settled_at) - max(ends_at))::float8 FROM tournament.tournaments"
    )
    with capsys.disabled():
        print(
            f"\n{_TOURNAMENTS} tournaments of {_PLAYERS} players: all closed {closed_s:.2f} s after the end, "
            f"all settled {settled_s:.2f} s after it (goals: 1 s and 20 s)"
        )
    assert closed_s <= 20
    assert settled_s <= 100
    await world.check_season_is_paid(_TOURNAMENTS)
    some = await world.owner.fetchval("SELECT id FROM tournament.tournaments WHERE name = 'Season 500'")
    assert (await settler.verify(some)).ok
