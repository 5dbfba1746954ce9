import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest

from integration.generator.gateway_stub import StubGateway, game, problem
from palio_generator import domain
from palio_generator.app import create_app
from palio_generator.settings import Settings
from palio_kit.testing.waiting import eventually

POPULATE = "/api/v1/demo/populate"
Generator = Callable[[], AbstractAsyncContextManager[httpx2.AsyncClient]]


async def status_of(client: httpx2.AsyncClient) -> dict[str, Any]:
    answer = await client.get(POPULATE)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def ended(client: httpx2.AsyncClient) -> dict[str, Any]:
    async def probe() -> dict[str, Any] | None:
        status = await status_of(client)
        return None if status["state"] == "running" else status

    status = await eventually(probe, within_s=60)
    assert status is not None
    return status


async def populated(client: httpx2.AsyncClient) -> dict[str, Any]:
    assert (await client.post(POPULATE, json={})).status_code == 202
    return await ended(client)


def planned_rows() -> int:
    contests = sum(min(plan.entrants, plan.places, 8) * plan.games_each for plan in domain.TOURNAMENTS)
    return 300 + contests


async def test_fills_an_empty_platform(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    status = await populated(client)
    assert (status["state"], status["error"]) == ("done", None)
    assert status["done"] == status["total"] > 0
    assert status["created"] == {"users": 8, "submissions": planned_rows(), "tournaments": 3}
    assert not status["already_there"]
    assert sorted(status["users"]) == sorted(stub.users)
    assert len(stub.rows) == planned_rows()
    assert Counter(row["game_id"] for row in stub.rows).keys() == {"space-race", "time-trial", "chess"}
    assert all(one["participants"] == 8 for one in stub.tournaments)


async def test_before_the_first_run_nothing_is_claimed(client: httpx2.AsyncClient) -> None:
    status = await status_of(client)
    assert (status["state"], status["already_there"], status["users"]) == ("idle", False, [])
    assert (status["done"], status["total"], status["eta_s"]) == (0, 0, None)


async def test_a_second_run_finds_everything_there(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    await populated(client)
    rows, requests = len(stub.rows), Counter(stub.requests)
    status = await populated(client)
    assert status["already_there"]
    assert status["created"] == {"users": 0, "submissions": 0, "tournaments": 0}
    assert status["done"] == status["total"]
    assert len(stub.rows) == rows
    assert [name for name in stub.requests - requests if name.startswith("POST")] == []


async def test_after_a_restart_it_is_idle_and_everything_is_still_there(generator: Generator) -> None:
    async with generator() as client:
        users = (await populated(client))["users"]
    async with generator() as client:
        status = await status_of(client)
        assert (status["state"], status["already_there"], status["users"]) == ("idle", True, users)
        assert (await populated(client))["already_there"]


async def test_a_game_added_later_does_not_change_the_plan(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    await populated(client)
    stub.games.append(game("a-new-one"))
    assert (await populated(client))["already_there"]


async def test_a_cancelled_run_stops_at_once_and_the_next_goes_on(
    client: httpx2.AsyncClient, stub: StubGateway
) -> None:
    gate = asyncio.Event()
    batches = 0

    def hold(path: str, done: bool) -> Any:
        nonlocal batches
        batches += path.endswith("/batch") and not done
        return problem(503, "unavailable", retry_after_s=1) if batches > 3 and not gate.is_set() else None

    stub.interfere = hold
    await client.post(POPULATE, json={})

    async def under_way() -> bool:
        return batches > 3

    await eventually(under_way)
    async with asyncio.timeout(20):  # far less than the patience with which a batch is tried again
        status = (await client.delete(POPULATE)).json()
    assert status["state"] == "cancelled"
    assert 0 < status["done"] < status["total"]
    gate.set()
    after = await populated(client)
    assert after["state"] == "done"
    assert len(stub.rows) == planned_rows()
    assert after["created"]["users"] == 0


async def test_one_that_was_killed_between_an_answer_and_its_note_counts_nothing_twice(
    generator: Generator, stub: StubGateway
) -> None:
    """Every tenth answer is lost and the process ends; the next process asks again with the same key."""
    chance = random.Random(1)

    def lose(path: str, done: bool) -> Any:
        return problem(400, "lost") if done and chance.random() < 0.1 else None

    stub.interfere = lose
    for _ in range(60):
        async with generator() as client:
            if (await populated(client))["state"] == "done":
                break
    else:
        raise AssertionError("never done")
    assert len(stub.rows) == planned_rows()
    assert len(stub.users) == 8
    assert len(stub.tournaments) == 3


async def test_waits_when_told_to(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    refused = 0
    chance = random.Random(1)

    def limit(path: str, done: bool) -> Any:
        nonlocal refused
        if done or path.startswith("/internal") or chance.random() < 0.8:
            return None
        refused += 1
        return problem(429 if refused % 2 else 503, "too_many_requests", retry_after_s=0)

    stub.interfere = limit
    status = await populated(client)
    assert status["state"] == "done"
    assert stub.statuses[429] + stub.statuses[503] == refused > 2
    assert len(stub.rows) == planned_rows()


async def test_a_gateway_that_stays_away_fails_the_run_with_its_problem(
    client_of: Any, settings: Settings, client: httpx2.AsyncClient, stub: StubGateway
) -> None:
    stub.interfere = lambda path, done: problem(500, "internal_error") if path.endswith("/batch") else None
    async with client_of(create_app, settings.model_copy(update={"patience_s": 2})) as impatient:
        status = await populated(impatient)
    assert status["state"] == "failed"
    assert status["error"] == {
        "type": "urn:palio:problem:internal_error", "title": "internal_error", "status": 500,
        "detail": "internal_error", "code": "internal_error",
    }  # fmt: skip
    stub.interfere = lambda path, done: None
    assert (await populated(client))["state"] == "done"


async def test_an_empty_catalogue_is_said(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    stub.games.clear()
    status = await populated(client)
    assert (status["state"], status["error"]["code"]) == ("failed", "no_games")


async def test_a_name_that_is_somebody_elses_gets_a_variant(
    client: httpx2.AsyncClient, stub: StubGateway, seed: int
) -> None:
    theirs = domain.handles(seed, 1)[0]
    stub.users[theirs] = ("00000000-0000-4000-8000-000000000001", "another-password")
    status = await populated(client)
    assert status["users"][0] == f"{theirs}_2"
    assert all(row["user_id"] != stub.users[theirs][0] for row in stub.rows)


async def test_a_demo_user_from_before_is_recognised(client: httpx2.AsyncClient, stub: StubGateway, seed: int) -> None:
    ours = domain.handles(seed, 1)[0]
    stub.users[ours] = ("00000000-0000-4000-8000-000000000001", domain.DEMO_PASSWORD)
    status = await populated(client)
    assert status["users"][0] == ours
    assert status["created"]["users"] == 7


async def test_starting_twice_is_one_run(client: httpx2.AsyncClient, stub: StubGateway) -> None:
    answers = [(await client.post(POPULATE, json={})).status_code for _ in range(3)]
    assert answers == [202, 202, 202]
    await ended(client)
    assert len(stub.rows) == planned_rows()


async def test_progress_only_grows(client: httpx2.AsyncClient) -> None:
    await client.post(POPULATE, json={})
    seen = []

    async def watch() -> bool:
        status = await status_of(client)
        seen.append(status["done"])
        return bool(status["state"] != "running")

    await eventually(watch, within_s=60, every_s=0.005)
    assert seen == sorted(seen)


async def test_no_body_is_an_empty_one_and_unknown_fields_are_refused(client: httpx2.AsyncClient) -> None:
    assert (await client.post(POPULATE)).status_code == 202
    refused = await client.post(POPULATE, json={"users": 10_000})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
    await client.delete(POPULATE)


async def test_cancelling_nothing_is_fine(client: httpx2.AsyncClient) -> None:
    answer = await client.delete(POPULATE)
    assert (answer.status_code, answer.json()["state"]) == (200, "idle")


@pytest.mark.parametrize("path", ["populate", "simulation"])
async def test_outside_the_demo_there_is_nothing(client_of: Any, settings: Any, path: str) -> None:
    production = settings.model_copy(update={"profile": "production"})
    async with client_of(create_app, production) as client:
        for method in ("GET", "POST", "DELETE"):
            assert (await client.request(method, f"/api/v1/demo/{path}")).status_code == 404
        assert "/api/v1/demo/populate" not in (await client.get("/openapi.json")).text
