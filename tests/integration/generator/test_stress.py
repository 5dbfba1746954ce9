"""Runs of this process through the public paths: started, watched, stopped, killed, found after a restart."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import msgspec
import psutil
import pytest
import redis.asyncio

from palio_generator.app import create_app
from palio_generator.settings import Settings
from palio_kit.events import CHANNEL, Envelope
from palio_kit.testing.waiting import eventually

STRESS = "/api/v1/demo/stress"
STUB = Path(__file__).parent / "engine_stub.py"
WISH = {"users": 5, "actions_per_second": 50, "duration_seconds": 4}
TESTS = str(Path(__file__).parents[2])

Start = Callable[[str], AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture
def start(client_of: Any, make_settings: Any, stub_url: str, monkeypatch: pytest.MonkeyPatch) -> Start:
    """`async with start("well") as client`: the service, with an engine that behaves so."""
    monkeypatch.setenv("PYTHONPATH", TESTS)

    @asynccontextmanager
    async def started(mode: str) -> AsyncIterator[httpx2.AsyncClient]:
        settings = make_settings(
            Settings, gateway_url=stub_url, user_url=stub_url, engine=(sys.executable, str(STUB), mode)
        )
        async with client_of(create_app, settings) as client:
            yield client

    return started


@pytest.fixture
async def heard(redis_url: str) -> AsyncIterator[list[dict[str, Any]]]:
    """What is told live while the test runs."""
    told: list[dict[str, Any]] = []

    async def listen() -> None:
        async with redis.asyncio.from_url(redis_url) as client, client.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            async for message in subscription.listen():
                if message["type"] == "message":
                    envelope = msgspec.msgpack.decode(message["data"], type=Envelope)
                    if envelope.kind == "loadtest":
                        told.append(envelope.data)

    task = asyncio.create_task(listen())
    yield told
    task.cancel()


async def begun(client: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    async def probe() -> dict[str, Any] | None:  # a run that an earlier test left is swept within two seconds
        answer = await client.post(STRESS, json=WISH | changes)
        assert answer.status_code in (202, 409, 503), answer.text
        return answer.json() if answer.status_code == 202 else None

    run = await eventually(probe)
    assert run is not None
    return run


async def run_of(client: httpx2.AsyncClient, run_id: str) -> dict[str, Any]:
    answer = await client.get(f"{STRESS}/{run_id}")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def in_phase(client: httpx2.AsyncClient, run_id: str, *phases: str, within_s: float = 15) -> dict[str, Any]:
    async def probe() -> dict[str, Any] | None:
        run = await run_of(client, run_id)
        return run if run["phase"] in phases else None

    run = await eventually(probe, within_s=within_s)
    assert run is not None
    return run


def engines() -> list[psutil.Process]:
    """Those that run; one that has ended and was not waited for yet does not."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if str(STUB) in child.cmdline():
                found.append(child)
    return found


async def test_a_run_ends_with_a_verdict_its_series_and_its_environment(start: Start) -> None:
    threshold = {"metric": "P99LatencyMs", "op": "AtMost", "value": 50}
    async with start("well") as client:
        run = await begun(client, thresholds=[threshold])
        assert (run["phase"], run["users"], run["actions_per_second"], run["scenario"]) == ("waiting", 5, 50, "Mixed")
        run = await in_phase(client, run["id"], "finished")
        assert (run["verdict"], run["doubts"]) == ("Passed", [])
        assert [check["held"] for check in run["checks"]] == [True]
        assert [row["second"] for row in run["series"]] == [0, 1, 2, 3]
        assert run["results"]["requests"] == 100
        assert run["runners"] == {"wanted": 1, "ready": 1, "reported": 1, "failed": 0}
        assert run["report"]["endpoints"][0]["endpoint"] == "POST /api/v1/scores"
        assert run["environment"]["cores"] == 2


async def test_a_missed_threshold_fails_the_run(start: Start) -> None:
    async with start("well") as client:
        run = await begun(client, thresholds=[{"metric": "P99LatencyMs", "op": "AtMost", "value": 1}])
        run = await in_phase(client, run["id"], "finished")
        assert (run["verdict"], run["checks"][0]["held"]) == ("Failed", False)


async def test_each_second_and_the_end_are_told_live(start: Start, heard: list[dict[str, Any]]) -> None:
    async with start("well") as client:
        run = await begun(client)
        await in_phase(client, run["id"], "finished")

        async def ended() -> bool:
            return any(one["event"].get("change") == "ended" for one in heard)

        await eventually(ended)
    events = [one["event"] for one in heard if one["id"] == run["id"]]
    assert [event["second"] for event in events if event["kind"] == "second"] == [0, 1, 2, 3]
    assert [event["change"] for event in events if event["kind"] == "run"] == ["preparing", "started", "ended"]
    assert events[-1]["run"]["verdict"] == "Passed"
    assert not any(isinstance(value, bytes) for event in events for value in event.values())


async def test_one_run_at_a_time(start: Start) -> None:
    async with start("until-stopped") as client:
        run = await begun(client)
        refused = await client.post(STRESS, json=WISH)
        assert (refused.status_code, refused.json()["code"]) == (409, "run_in_progress")
        assert run["id"] in refused.json()["detail"]


async def test_a_stopped_run_tells_what_it_measured(start: Start) -> None:
    async with start("until-stopped") as client:
        run = await begun(client, duration_seconds=3_600)
        await in_phase(client, run["id"], "running")

        async def has_rows() -> bool:
            return bool((await run_of(client, run["id"]))["series"])

        await eventually(has_rows)
        assert (await client.delete(f"{STRESS}/{run['id']}")).status_code == 202
        run = await in_phase(client, run["id"], "stopped")
        assert (run["verdict"], run["results"]["requests"]) == ("Inconclusive", 100)
        assert "stopped before its end" in run["doubts"]
        again = await client.delete(f"{STRESS}/{run['id']}")
        assert (again.status_code, again.json()["code"]) == (409, "run_over")


async def test_while_it_goes_on_the_numbers_are_those_of_its_seconds(start: Start) -> None:
    async with start("until-stopped") as client:
        run = await begun(client, duration_seconds=5)  # the first second is the ramp

        async def counted() -> dict[str, Any] | None:
            results: dict[str, Any] | None = (await run_of(client, run["id"]))["results"]
            return results

        results = await eventually(counted)
        assert results is not None
        assert results["requests"] >= 2
        assert results["p99_ms"] == pytest.approx(20, rel=0.01)


async def test_an_engine_that_was_killed_loses_the_run(start: Start) -> None:
    async with start("until-stopped") as client:
        run = await begun(client, duration_seconds=3_600)
        await in_phase(client, run["id"], "running")
        [engine] = engines()
        os.kill(engine.pid, signal.SIGKILL)
        run = await in_phase(client, run["id"], "lost")
        assert run["verdict"] == "Inconclusive"
        assert any("exit code -9" in doubt for doubt in run["doubts"]), run["doubts"]
        assert run["report"]["runners"] == 0
        await begun(client)  # and another one may begin


async def test_an_engine_that_vanishes_leaves_the_seconds_it_told(start: Start) -> None:
    async with start("vanishes") as client:
        run = await in_phase(client, (await begun(client))["id"], "lost")
        assert [row["second"] for row in run["series"]] == [0, 1]
        assert run["results"]["requests"] == 2  # second 0 is of the ramp


async def test_an_engine_that_cannot_prepare_says_why(start: Start) -> None:
    async with start("fails") as client:
        run = await in_phase(client, (await begun(client))["id"], "lost")
        assert any("unreachable: nobody answers there" in doubt for doubt in run["doubts"])


async def test_what_is_no_message_does_not_end_a_run(start: Start) -> None:
    async with start("chatters") as client:
        await in_phase(client, (await begun(client))["id"], "finished")


async def test_a_service_that_stops_takes_its_engine_along_and_the_run_is_lost(start: Start) -> None:
    async with start("until-stopped") as client:
        run = await begun(client, duration_seconds=3_600)
        await in_phase(client, run["id"], "running")
    assert engines() == []
    async with start("well") as client:
        found = await run_of(client, run["id"])
        assert (found["phase"], found["verdict"]) == ("lost", "Inconclusive")


async def test_a_run_that_nobody_runs_any_more_is_lost(start: Start, owner_dsn: str) -> None:
    """As a service that was killed leaves it."""
    async with start("well") as client:
        run = await in_phase(client, (await begun(client))["id"], "finished")
        connection = await asyncpg.connect(owner_dsn)
        await connection.execute(
            "UPDATE generator.runs SET outcome = NULL, finished_at = NULL, verdict = NULL, report = NULL WHERE id = $1",
            run["id"],
        )
        await connection.execute("DELETE FROM generator.runners WHERE run_id = $1", run["id"])
        await connection.close()
        run = await in_phase(client, run["id"], "lost")
        assert any("restarted" in doubt for doubt in run["doubts"])
        assert len(run["series"]) == 4


async def test_runs_are_listed_newest_first_in_pages(start: Start) -> None:
    async with start("well") as client:
        ids: list[str] = []
        for _ in range(3):
            run = await begun(client, duration_seconds=1)
            ids.insert(0, run["id"])
            await in_phase(client, run["id"], "finished")
        first = (await client.get(STRESS, params={"limit": 2})).json()
        assert [item["id"] for item in first["items"]] == ids[:2]
        second = (await client.get(STRESS, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert second["items"][0]["id"] == ids[2]
        assert (await client.get(STRESS, params={"cursor": "x"})).status_code == 400


@pytest.mark.parametrize("path", ["", "/report", f"/compare?with={uuid4()}"])
async def test_an_unknown_run_is_not_found(start: Start, path: str) -> None:
    async with start("well") as client:
        answer = await client.get(f"{STRESS}/{uuid4()}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")
        assert (await client.delete(f"{STRESS}/{uuid4()}")).status_code == 404
        assert (await client.get(f"{STRESS}/nonsense")).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"users": 0}, {"users": 20_001}, {"users": True}, {"actions_per_second": 0}, {"actions_per_second": 100_001},
        {"duration_seconds": 0}, {"duration_seconds": 3_601}, {"scenario": "Sleep"}, {"more": 1},
        {"thresholds": [{"metric": "P99LatencyMs", "op": "AtMost", "value": -1}]},
        {"thresholds": [{"metric": "P99LatencyMs", "op": "AtMost", "value": 1}] * 2},
    ],
)  # fmt: skip
async def test_numbers_out_of_bounds_are_refused(start: Start, wrong: dict[str, Any]) -> None:
    async with start("well") as client:
        assert (await client.post(STRESS, json=WISH | wrong)).status_code == 422


async def test_two_runs_are_compared_and_taken_away(start: Start) -> None:
    async with start("well") as client:
        runs = [
            (await in_phase(client, (await begun(client, duration_seconds=10))["id"], "finished"))["id"] for _ in "ab"
        ]
        compared = (await client.get(f"{STRESS}/{runs[0]}/compare", params={"with": runs[1]})).json()
        assert {one["metric"]: one["change"] for one in compared["differences"]}["p99_ms"] == "same"
        assert compared["caveats"] == []
        for form, begins in (("html", b"<!doctype html>"), ("ndjson", b'{"type":"second"'), ("csv", b"second,due,")):
            answer = await client.get(f"{STRESS}/{runs[0]}/report", params={"format": form})
            assert (answer.status_code, answer.content[: len(begins)]) == (200, begins)
            assert f".{form}" in answer.headers["content-disposition"]
        assert (await client.get(f"{STRESS}/{runs[0]}/report", params={"format": "pdf"})).status_code == 422


async def test_a_run_that_goes_on_is_neither_compared_nor_taken_away(start: Start) -> None:
    async with start("until-stopped") as client:
        run = (await begun(client))["id"]
        for path in ("report", f"compare?with={run}"):
            answer = await client.get(f"{STRESS}/{run}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (409, "run_not_over")


@pytest.fixture(autouse=True)
def no_engine_is_left() -> Iterator[None]:
    yield
    assert engines() == []
