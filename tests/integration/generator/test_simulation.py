import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest

from integration.generator.gateway_stub import StubGateway, problem, tournament
from palio_kit.testing.waiting import eventually

SIMULATION = "/api/v1/demo/simulation"
FAST = {"players": 6, "speed": 20}
STOPPED_WITHIN_S = 20
"""The goal is two seconds on a quiet machine; players and their patience go on for a minute and more."""
Generator = Callable[[], AbstractAsyncContextManager[httpx2.AsyncClient]]


async def status_of(client: httpx2.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await client.get(SIMULATION)).json()
    return document


async def until(client: httpx2.AsyncClient, name: str, count: int) -> dict[str, Any]:
    async def probe() -> dict[str, Any] | None:
        status = await status_of(client)
        return status if status[name] >= count else None

    status = await eventually(probe, within_s=60)
    assert status is not None
    return status


async def test_players_come_and_play(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    answer = await client.post(SIMULATION, json=FAST)
    assert answer.status_code == 202
    assert answer.json()["state"] == "running"
    status = await until(client, "submissions", 25)
    assert (status["players"], status["speed"], status["errors"]) == (6, 20.0, 0)
    assert status["started_at"].endswith("Z")
    bounds = {game["id"]: (game["score_min"], game["score_max"]) for game in stub.games}
    for row in stub.rows:
        low, high = bounds[row["game_id"]]
        assert low <= row["score"] <= high
    assert len({row["user_id"] for row in stub.rows}) > 1
    assert len(stub.users) <= 6


async def test_they_join_open_tournaments_and_leave_half_of_the_places(
    client: httpx2.AsyncClient, stub: StubGateway
) -> None:
    stub.tournaments += [
        tournament(name="open", game_id="chess", max_participants=6),
        tournament(name="over", game_id="chess", max_participants=100, phase="Completed"),
    ]
    await client.post(SIMULATION, json=FAST)
    status = await until(client, "joins", 3)
    assert status["joins"] == 3
    await until(client, "submissions", status["submissions"] + 20)
    assert [one["participants"] for one in stub.tournaments] == [3, 0]


async def test_everything_stops_at_once(client: httpx2.AsyncClient) -> None:
    await client.post(SIMULATION, json={"players": 30, "speed": 20})
    await until(client, "submissions", 10)
    async with asyncio.timeout(STOPPED_WITHIN_S):
        status = (await client.delete(SIMULATION)).json()
    assert status["state"] == "idle"
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("simulation")]


async def test_the_service_stops_with_a_simulation_running(generator: Generator) -> None:
    async with generator() as client:
        await client.post(SIMULATION, json={"players": 30, "speed": 20})
        await until(client, "submissions", 5)
        left_at = time.monotonic()
    stopped_s = time.monotonic() - left_at
    print(f"stopped after {stopped_s:.2f} s (goal: 2 s)")
    assert stopped_s < STOPPED_WITHIN_S


async def test_after_a_restart_it_is_idle_and_says_so(generator: Generator) -> None:
    async with generator() as client:
        await client.post(SIMULATION, json=FAST)
    async with generator() as client:
        status = await status_of(client)
    assert (status["state"], status["players"], status["started_at"]) == ("idle", 0, None)


async def test_other_numbers_replace_it_and_the_same_ones_do_not(client: httpx2.AsyncClient) -> None:
    first = (await client.post(SIMULATION, json=FAST)).json()
    same = (await client.post(SIMULATION, json=FAST)).json()
    other = (await client.post(SIMULATION, json={"players": 3, "speed": 20})).json()
    assert same["started_at"] == first["started_at"] != other["started_at"]
    assert (other["state"], other["players"]) == ("running", 3)
    players = [task for task in asyncio.all_tasks() if task.get_name().startswith("simulation-player")]
    assert len(players) <= 3


async def test_limits_and_faults_do_not_stop_them(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    asked: Counter[str] = Counter()

    def trouble(path: str, done: bool) -> Any:
        # Counted by path: one that waits for another to be asked would be refused until its patience ends.
        asked[path] += not done
        if path.endswith("/scores") and asked[path] % 3 == 0:
            return problem(503, "outcome_unknown", retry_after_s=0)
        return problem(429, "too_many_requests", retry_after_s=0) if not done and asked[path] % 5 == 4 else None

    stub.interfere = trouble
    await client.post(SIMULATION, json=FAST)
    status = await until(client, "submissions", 20)
    assert status["errors"] == 0
    assert stub.statuses[503] > 0
    assert stub.statuses[429] > 0


async def test_an_error_is_counted_and_the_player_comes_back(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    broken = True
    stub.interfere = lambda path, done: problem(422, "invalid") if broken and path.endswith("/scores") else None
    await client.post(SIMULATION, json=FAST)
    assert (await until(client, "errors", 3))["submissions"] == 0
    broken = False
    await until(client, "submissions", 5)


async def test_short_lived_tokens_are_refreshed(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    stub.expires_in = 1
    await client.post(SIMULATION, json=FAST)
    status = await until(client, "submissions", 20)
    assert status["errors"] == 0
    assert stub.requests["POST /api/v1/users/refresh"] > 5
    assert stub.requests["POST /api/v1/users/login"] <= 6


async def test_refused_tokens_lead_to_a_new_login(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    await client.post(SIMULATION, json=FAST)
    await until(client, "submissions", 10)
    stub.tokens.clear()
    before = (await until(client, "errors", 1))["submissions"]
    await until(client, "submissions", before + 10)


@pytest.mark.parametrize(
    "body", [{"players": 0}, {"players": 201}, {"speed": 0.05}, {"speed": 21}, {"players": "9"}, {"bots": 3}]
)
async def test_numbers_outside_the_bounds_are_refused(client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    answer = await client.post(SIMULATION, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_no_body_means_thirty_players_at_human_speed(client: httpx2.AsyncClient) -> None:
    status = (await client.post(SIMULATION)).json()
    assert (status["players"], status["speed"]) == (30, 1.0)
    assert (await client.delete(SIMULATION)).json()["state"] == "idle"
