"""kill -9 of the whole service while it settles: nothing is missed and nothing is paid twice."""

import os
import signal
import subprocess
import sys
from typing import Any

from integration.tournament.world import World
from palio_kit.settings import ServiceSettings
from palio_kit.testing.waiting import eventually
from palio_tournament.settings import Settings
from palio_tournament.settlement import Settler

_TOURNAMENTS = 400


def environment(settings: ServiceSettings) -> dict[str, str]:
    """The settings as a process of its own reads them."""
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    plain = {name: getattr(value, "get_secret_value", lambda value=value: value)() for name, value in values.items()}
    return dict(os.environ) | {f"PALIO_{name.upper()}": str(value) for name, value in plain.items()}


async def run_until(world: World, settings: ServiceSettings, left: int, end: signal.Signals) -> None:
    """Start the service, and end it by a signal as soon as at most `left` tournaments are unsettled."""
    command = [sys.executable, "-m", "palio_tournament"]
    process = subprocess.Popen(command, env=environment(settings), stdout=subprocess.DEVNULL)  # noqa: ASYNC220

    async def got_there() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended by itself: {process.returncode}")
        return await world.unsettled() <= left

    try:
        await eventually(got_there, within_s=60, every_s=0.01)
    finally:
        process.send_signal(end)
        process.wait(20)


async def test_killed_twice_in_the_middle_of_a_season_it_misses_and_repeats_nothing(
    world: World, make_settings: Any, settler: Settler
) -> None:
    await world.season(_TOURNAMENTS, 20, ends_s=0)
    settings = make_settings(Settings, settle_batch=5, settle_workers=1, port=0)
    await run_until(world, settings, 350, signal.SIGKILL)
    assert 0 < await world.unsettled() < _TOURNAMENTS
    await run_until(world, settings, 200, signal.SIGKILL)
    assert await world.unsettled() > 0
    await run_until(world, settings, 0, signal.SIGTERM)
    await world.check_season_is_paid(_TOURNAMENTS)
    for one in await world.owner.fetch("SELECT id FROM tournament.tournaments ORDER BY id LIMIT 20"):
        assert (await settler.verify(one["id"])).ok
