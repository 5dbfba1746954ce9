"""`python -m palio_tournament settle|retry|verify|reopen`: what a payout job and an administrator run."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from integration.tournament.world import World
from palio_kit.problems import Unavailable
from palio_tournament import commands

Run = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def run(dsn_of: Callable[[str], str]) -> Run:
    """Run a command that knows nothing but its database; exit code and what it printed."""

    async def run_command(*arguments: str) -> tuple[int, Any]:
        environment = {"PATH": os.environ["PATH"], "PALIO_DATABASE_URL": dsn_of("tournament")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "palio_tournament", *arguments, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env=environment,
        )  # fmt: skip
        printed, complained = await process.communicate()
        assert process.returncode is not None
        return process.returncode, json.loads(printed) if printed else complained.decode()

    return run_command


async def test_settle_pays_says_what_it_did_and_says_when_there_was_nothing_to_do(world: World, run: Run) -> None:
    tournament = await world.create()
    people = await world.joined(tournament, 3)
    await world.score(tournament, zip(people, (1, 2, 3), strict=True))
    assert await run("settle", tournament["id"]) == (
        75, {"tournament_id": tournament["id"], "code": "not_yet_due", "detail": "Its phase is Active."},
    )  # fmt: skip
    await world.over(tournament)
    code, first = await run("settle", tournament["id"])
    assert (code, first["changed"], first["paid"], first["note"]) == (0, True, 100, "settled now")
    codes = await asyncio.gather(*(run("settle", tournament["id"]) for _ in range(2)))
    for code, again in codes:
        assert (code, again["changed"], again["note"]) == (0, False, "it was settled before; nothing was changed")
        assert again["standings_digest"] == first["standings_digest"]
    code, verified = await run("verify", tournament["id"])
    assert (code, verified["ok"], verified["digest_found"]) == (0, True, first["standings_digest"])
    await world.owner.execute("UPDATE tournament.final_standings SET rank = 1 WHERE position = 2")
    code, verified = await run("verify", tournament["id"])
    assert (code, verified["ok"]) == (1, False)


async def test_what_cannot_be_settled_is_not_worth_a_second_try(world: World, run: Run) -> None:
    tournament = await world.create()
    await world.owner.execute(
        "UPDATE tournament.tournaments SET state = 'failed' WHERE id = $1", UUID(tournament["id"])
    )
    assert (await run("settle", tournament["id"]))[0] == 42
    assert (await run("settle", str(UUID(int=3))))[1]["code"] == "tournament_not_found"
    assert (await run("reopen", tournament["id"]))[1]["reopened"] is True
    assert (await run("reopen", tournament["id"]))[0] == 42
    assert (await run("settle", "nonsense"))[0] == 42
    assert "usage" in (await run("dance", tournament["id"]))[1]


async def test_retry_settles_what_was_given_up_and_anything_else_as_settle_does(world: World, run: Run) -> None:
    tournament = await world.create()
    assert (await run("retry", tournament["id"]))[1]["code"] == "not_yet_due"
    await world.over(tournament)
    await world.owner.execute(
        "UPDATE tournament.tournaments SET state = 'failed' WHERE id = $1", UUID(tournament["id"])
    )
    code, settled = await run("retry", tournament["id"])
    assert (code, settled["changed"]) == (0, True)
    code, again = await run("retry", tournament["id"])
    assert (code, again["changed"]) == (0, False)
    cancelled = await world.create()
    await world.owner.execute(
        "UPDATE tournament.tournaments SET state = 'cancelled' WHERE id = $1", UUID(cancelled["id"])
    )
    assert (await run("retry", cancelled["id"]))[0] == 42


async def test_a_database_that_is_away_is_worth_a_second_try() -> None:
    environment = {"PATH": os.environ["PATH"], "PALIO_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "palio_tournament", "settle", str(UUID(int=3)), stdout=asyncio.subprocess.PIPE,
        env=environment,
    )  # fmt: skip
    printed, _ = await process.communicate()
    assert process.returncode == 75
    assert b'"code":"unavailable"' in printed


async def test_a_command_waits_for_a_database_that_is_away_as_long_as_it_may() -> None:
    tries: list[float] = []

    async def second_time_lucky() -> str:
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise Unavailable
        return "paid"

    with pytest.raises(Unavailable):
        await commands._patiently(second_time_lucky, 0)
    tries.clear()
    assert await commands._patiently(second_time_lucky, 30) == "paid"
    assert len(tries) == 2
