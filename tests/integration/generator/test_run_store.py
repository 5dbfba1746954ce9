"""The internal routes of runs, as the operator and the pods of a LoadTest use them, and the pod's own program."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import msgspec
import pytest
from typing_extensions import override

from palio_generator import app, run_routes
from palio_generator.app import create_app
from palio_generator.load.plan import Plan, read_plan
from palio_generator.runs.players import Players
from palio_generator.settings import Settings
from palio_kit.http import Peer
from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually
from support.load import report, second

STUB = Path(__file__).parent / "engine_stub.py"
TESTS = str(Path(__file__).parents[2])
RUN = {
    "name": "rush", "namespace": "games", "scenario": "Mixed", "virtual_users": 10, "requests_per_second": 100,
    "ramp_up_s": 1, "duration_s": 4, "base_url": "http://gateway:23455", "runners": 2, "startup_deadline_s": 120,
    "thresholds": [{"metric": "P99LatencyMs", "op": "AtMost", "value": 50}],
}  # fmt: skip


class Store:
    """The run store as the operator (`put`, `get`...) and the runners of one run (`ready`, `rows`...) see it."""

    def __init__(self, client: httpx2.AsyncClient, issuer: Issuer, run_id: str = "") -> None:
        self.client = client
        self.run_id = run_id or str(uuid4())
        self.operator = {"palio-service-token": issuer.service_token("operator", "generator")}
        self.pods = {"palio-service-token": issuer.service_token("loadrunner", "generator")}

    def another(self) -> "Store":
        other = Store.__new__(Store)
        other.__dict__ |= self.__dict__ | {"run_id": str(uuid4())}
        return other

    async def say(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        content = None if body is None else msgspec.json.encode(body)
        return await self.client.request(
            method, f"/internal/v1/loadtests/{self.run_id}{path}", content=content,
            headers={"content-type": "application/json", **(headers or self.operator)},
        )  # fmt: skip

    async def put(self, **changes: Any) -> Any:
        return await self.say("PUT", "", RUN | changes)

    async def get(self) -> dict[str, Any]:
        document: dict[str, Any] = (await self.say("GET", "")).json()
        return document

    async def runner(self, index: int, what: str, body: Any = None) -> Any:
        return await self.say("POST", f"/runners/{index}/{what}", body, self.pods)

    async def ready(self, index: int) -> dict[str, Any]:
        answer = await self.runner(index, "ready")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def plan(self, index: int) -> Plan:
        return read_plan((await self.say("GET", f"/plan?runner={index}", None, self.pods)).content)

    async def reported(self, index: int, **changes: Any) -> Any:
        return await self.runner(index, "report", report(await self.plan(index), [0.01, 0.02], **changes))


@pytest.fixture
async def store(client_of: Any, make_settings: Any, service_issuer: Issuer) -> AsyncIterator[Store]:
    async with client_of(create_app, make_settings(Settings)) as client:
        yield Store(client, service_issuer)


@pytest.fixture
async def started(store: Store) -> Store:
    await store.put()
    assert (await store.ready(0))["wait_s"] is None
    assert 0 < (await store.ready(1))["wait_s"] <= 3
    return store


class Maker(Peer):
    """The user service's part: who asked for which accounts."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    @override
    async def call(self, method: str, path: str, document: object = None, **_: Any) -> Any:
        self.asked.append((method, path, document))
        return {"players": [{"user_id": "u", "access_token": "t"}], "expires_in": 900}


async def test_runners_have_accounts_made_for_load_on_this_platform_and_no_other(
    client_of: Any, make_settings: Any, service_issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = Maker()
    monkeypatch.setattr(app, "Players", lambda runs, _, gateway_url: Players(runs, maker, gateway_url))
    async with client_of(create_app, make_settings(Settings, gateway_url="http://gateway:23455/")) as client:
        ours = Store(client, service_issuer)
        await ours.put()
        made = await ours.say("POST", "/players", {"numbers": [3]}, ours.pods)
        assert made.json()["players"] == [{"user_id": "u", "access_token": "t"}]
        assert made.headers["cache-control"] == "no-store"
        assert maker.asked == [("POST", "/internal/v1/virtual-players", {"numbers": [3]})]
        assert (await ours.say("POST", "/players", {"numbers": [3]})).status_code == 403
        assert (await ours.say("POST", "/players", {"numbers": list(range(201))}, ours.pods)).status_code == 422
        theirs = ours.another()
        await theirs.put(base_url="http://gateway.example:23455")
        refused = await theirs.say("POST", "/players", {"numbers": [3]}, theirs.pods)
        assert (refused.status_code, refused.json()["code"]) == (409, "target_elsewhere")
        await ours.say("POST", "/finish", {"lost": [0, 1], "stopped": False})
        assert (await ours.say("POST", "/players", {"numbers": [3]}, ours.pods)).json()["code"] == "run_over"
        assert len(maker.asked) == 1


async def test_a_resource_becomes_a_run_and_each_runner_gets_its_share(store: Store) -> None:
    status = (await store.put()).json()
    assert (status["id"], status["phase"]) == (store.run_id, "waiting")
    assert status["runners"] == {"wanted": 2, "ready": 0, "reported": 0, "failed": 0}
    plans = [await store.plan(index) for index in (0, 1)]
    assert [list(plan.own_users) for plan in plans] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]
    assert {plan.run_id for plan in plans} == {store.run_id}


async def test_a_run_may_be_put_again_but_not_changed(store: Store) -> None:
    first = (await store.put()).json()
    assert (await store.put()).json() == first
    changed = await store.put(virtual_users=11)
    assert (changed.status_code, changed.json()["code"]) == (409, "run_changed")


async def test_the_barrier_opens_for_all_at_one_moment(started: Store) -> None:
    waits = [(await started.ready(index))["wait_s"] for index in (0, 1, 0)]
    assert waits == sorted(waits, reverse=True)
    assert all(2 < wait <= 3 for wait in waits)
    start_at = (await started.get())["start_at"]
    assert (await started.get())["start_at"] == start_at


async def test_many_runners_ready_at_once_open_the_barrier_once(store: Store) -> None:
    await store.put(runners=10)
    signals = await asyncio.gather(*(store.ready(index) for index in range(10)))
    assert [one["wait_s"] for one in signals if one["wait_s"] is not None] != []
    again = await asyncio.gather(*(store.ready(index) for index in range(10)))
    assert all(one["wait_s"] is not None for one in again)


async def test_a_late_runner_finds_the_run_ended(store: Store, owner_dsn: str) -> None:
    await store.put()
    await store.ready(0)
    await age(owner_dsn, store.run_id, seconds=121)
    assert await store.ready(1) == {"wait_s": None, "stop": True}
    status = await store.get()
    assert (status["phase"], status["verdict"]) == ("lost", "Inconclusive")
    assert await store.ready(0) == {"wait_s": None, "stop": True}


async def test_rows_of_both_runners_are_one_second_and_repeated_ones_count_once(started: Store) -> None:
    for index in (0, 1, 1, 0):
        answer = await started.runner(index, "seconds", [second(1, [0.01]), second(2, [0.03])])
        assert answer.json() == {"stop": False}
    results = (await started.get())["results"]
    assert (results["requests"], results["requests_per_second"]) == (4, 2)
    public = (await started.client.get(f"/api/v1/demo/stress/{started.run_id}")).json()
    assert [(row["second"], row["due"], row["runners"]) for row in public["series"]] == [(1, 2, 2), (2, 2, 2)]


async def test_rows_in_any_order_and_at_the_same_time_are_all_counted(started: Store) -> None:
    batches = [[second(number)] for number in (3, 1, 2, 5, 4)]
    await asyncio.gather(*(started.runner(index, "seconds", rows) for rows in batches for index in (0, 1, 0)))
    assert (await started.get())["results"]["requests"] == 5 * 2 * 2


async def test_when_all_reported_the_run_is_judged_once(started: Store) -> None:
    assert (await started.reported(0)).status_code == 204
    assert (await started.get())["phase"] == "reporting"
    assert (await started.reported(1)).status_code == 204
    status = await started.get()
    assert (status["phase"], status["verdict"], status["results"]["requests"]) == ("finished", "Passed", 4)
    assert (await started.reported(1, requests=99)).status_code == 204
    assert (await started.get()) == status


async def test_a_report_that_comes_twice_at_once_counts_once(started: Store) -> None:
    answers = await asyncio.gather(*(started.reported(index) for index in (0, 0, 1, 1, 0)))
    assert {answer.status_code for answer in answers} == {204}
    status = await started.get()
    assert (status["phase"], status["results"]["requests"]) == ("finished", 4)


async def test_a_report_after_the_end_is_refused(started: Store) -> None:
    await started.reported(0)
    await started.say("POST", "/finish", {"lost": [1], "stopped": False})
    answer = await started.reported(1)
    assert (answer.status_code, answer.json()["code"]) == (409, "run_over")
    assert (await started.runner(1, "seconds", [second(1)])).json() == {"stop": True}


async def test_a_lost_runner_makes_the_run_inconclusive(started: Store) -> None:
    await started.reported(0)
    status = (await started.say("POST", "/finish", {"lost": [1], "stopped": False})).json()
    assert (status["phase"], status["verdict"], status["results"]["requests"]) == ("lost", "Inconclusive", 2)
    assert "1 of 2 runners were lost" in status["doubts"]
    assert (await started.say("POST", "/finish", {"lost": [], "stopped": True})).json() == status


async def test_a_runner_that_fails_before_the_start_ends_the_run_and_says_why(store: Store) -> None:
    await store.put()
    await store.ready(0)
    failed = await store.runner(1, "failed", {"code": "unreachable", "detail": "no such host\n\x00"})
    assert failed.status_code == 204
    status = await store.get()
    assert status["phase"] == "lost"
    assert any("runner 1: unreachable: no such host" in doubt for doubt in status["doubts"])
    assert await store.ready(0) == {"wait_s": None, "stop": True}


async def test_stopping_asks_the_runners_and_keeps_what_they_report(started: Store) -> None:
    assert (await started.say("POST", "/stop")).status_code == 200
    assert (await started.runner(0, "seconds", [second(0)])).json() == {"stop": True}
    for index in (0, 1):
        await started.reported(index, was_stopped=True)
    status = await started.get()
    assert (status["phase"], status["verdict"]) == ("stopped", "Inconclusive")
    assert (await started.say("POST", "/stop")).json()["code"] == "run_over"


async def test_runs_of_resources_do_not_wait_for_one_another(store: Store) -> None:
    for one in (store, store.another(), store.another()):
        assert (await one.put()).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None), ("POST", "/stop", None), ("POST", "/finish", {}), ("GET", "/plan?runner=0", None),
        ("POST", "/runners/0/ready", None), ("POST", "/runners/0/seconds", []),
        ("POST", "/runners/0/failed", {"code": "x", "detail": ""}),
    ],
)  # fmt: skip
async def test_an_unknown_run_is_not_found(store: Store, method: str, path: str, body: Any) -> None:
    headers = store.pods if "runner" in path else store.operator
    answer = await store.say(method, path, body, headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")


async def test_a_runner_that_the_run_does_not_have_is_not_found(started: Store) -> None:
    for answer in (
        await started.runner(2, "ready"),
        await started.runner(2, "seconds", [second(0)]),
        await started.say("GET", "/plan?runner=2", None, started.pods),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "runner_not_found")


async def test_each_route_has_one_caller(store: Store, service_issuer: Issuer) -> None:
    await store.put()
    assert (await store.say("GET", "", None, store.pods)).status_code == 403
    assert (await store.say("POST", "/runners/0/ready", None, store.operator)).status_code == 403
    assert (await store.say("GET", "", None, {"palio-service-token": ""})).status_code == 401
    gateway = {"palio-service-token": service_issuer.service_token("gateway", "generator")}
    assert (await store.say("GET", "", None, gateway)).status_code == 403


@pytest.mark.parametrize(
    "rows",
    [
        {}, [1], [{"second": 1}], [second(0)] * 61, [second(-1)], [second(86_400)],
        [replace(second(0), latencies=b"zzz")],
    ],
)  # fmt: skip
async def test_rows_that_are_none_or_too_many_are_refused(started: Store, rows: Any) -> None:
    assert (await started.runner(0, "seconds", rows)).status_code == 422
    assert (await started.get())["results"] is None


async def test_bodies_are_bounded(started: Store) -> None:
    big = report(await started.plan(0), errors_by_class={"x" * run_routes.REPORT_BYTES_MAX: 1})
    assert (await started.runner(0, "report", big)).status_code == 413
    assert (await started.runner(0, "report", {"requests": 1})).status_code == 422
    assert (await started.get())["runners"]["reported"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"runners": 0}, {"runners": 51}, {"runners": 11}, {"virtual_users": 0}, {"ramp_up_s": 5}, {"duration_s": 0},
        {"base_url": "file:///etc"}, {"name": ""}, {"more": 1}, {"scenario": "Sleep"},
    ],
)  # fmt: skip
async def test_numbers_that_do_not_go_together_are_refused(store: Store, wrong: dict[str, Any]) -> None:
    assert (await store.put(**wrong)).status_code == 422
    assert (await store.say("GET", "")).status_code == 404


async def test_a_run_whose_reports_never_come_is_ended_by_the_store(started: Store, owner_dsn: str) -> None:
    await started.runner(0, "seconds", [second(2, [0.01])])
    await age(owner_dsn, started.run_id, seconds=200)

    async def ended() -> bool:
        return bool((await started.get())["phase"] == "lost")

    await eventually(ended)
    assert (await started.get())["results"]["requests"] == 1


async def test_old_runs_are_forgotten_and_those_that_go_on_are_not(
    client_of: Any, make_settings: Any, service_issuer: Issuer, owner_dsn: str
) -> None:
    async with client_of(create_app, make_settings(Settings, runs_kept_max=2, runs_kept_days=1)) as client:
        store = Store(client, service_issuer)
        over = [store.another() for _ in range(3)]
        await store.put()
        for one in over:
            await one.put()
            await one.say("POST", "/finish", {"stopped": True})

        async def known() -> list[bool]:
            return [(await one.say("GET", "")).status_code == 200 for one in (store, *over)]

        async def pruned() -> bool:
            return await known() == [True, False, True, True]

        await eventually(pruned)
        await age(owner_dsn, over[2].run_id, seconds=2 * 86_400)

        async def too_old() -> bool:
            return not (await known())[3]

        await eventually(too_old)


@pytest.fixture
def pod(running: Any, make_settings: Any, service_issuer: Issuer, tmp_path: Path) -> Iterator[Any]:
    """The service really listening, and a way to start a pod's program beside it."""
    service_issuer.write_identity(tmp_path / "pod", "loadrunner", ("generator",))
    with running(create_app, make_settings(Settings)) as server:

        @asynccontextmanager
        async def start(run_id: str, index: int, mode: str) -> AsyncIterator[asyncio.subprocess.Process]:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "palio_generator.runner",
                env=os.environ | {
                    "PALIO_RUN_ID": run_id, "JOB_COMPLETION_INDEX": str(index), "PALIO_GENERATOR_URL": server.url,
                    "PALIO_IDENTITY_DIR": str(tmp_path / "pod"), "PYTHONPATH": TESTS,
                    "PALIO_ENGINE": msgspec.json.encode([sys.executable, str(STUB), mode]).decode(),
                },
            )  # fmt: skip
            try:
                yield process
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

        yield server, start


async def test_pods_wait_for_one_another_and_end_with_one_report(pod: Any, service_issuer: Issuer) -> None:
    server, start = pod
    async with httpx2.AsyncClient(base_url=server.url) as client:
        store = Store(client, service_issuer)
        await store.put()
        async with start(store.run_id, 0, "well") as first:
            await eventually(lambda: _ready(store, 1))
            assert (await store.get())["start_at"] is None
            async with start(store.run_id, 1, "well") as second_:
                codes = await asyncio.wait_for(asyncio.gather(first.wait(), second_.wait()), 30)
        status = await store.get()
        assert list(codes) == [0, 0]
        assert (status["phase"], status["verdict"], status["results"]["requests"]) == ("finished", "Passed", 200)
        public = (await client.get(f"/api/v1/demo/stress/{store.run_id}")).json()
        assert [(row["second"], row["runners"]) for row in public["series"]] == [(0, 2), (1, 2), (2, 2), (3, 2)]
        begun = [datetime.fromisoformat(public[moment]) for moment in ("created_at", "start_at", "finished_at")]
        assert begun == sorted(begun)


async def test_a_pod_that_is_told_to_end_reports_what_it_has(pod: Any, service_issuer: Issuer) -> None:
    server, start = pod
    async with httpx2.AsyncClient(base_url=server.url) as client:
        store = Store(client, service_issuer)
        await store.put(runners=1, duration_s=3_600)
        async with start(store.run_id, 0, "until-stopped") as process:
            await eventually(lambda: _has_rows(store))
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == 0
        assert (await store.get())["doubts"] == ["stopped before its end"]


async def test_a_pod_stops_when_the_store_says_so(pod: Any, service_issuer: Issuer) -> None:
    server, start = pod
    async with httpx2.AsyncClient(base_url=server.url) as client:
        store = Store(client, service_issuer)
        await store.put(runners=1, duration_s=3_600)
        async with start(store.run_id, 0, "until-stopped") as process:
            await eventually(lambda: _has_rows(store))
            await store.say("POST", "/stop")
            assert await asyncio.wait_for(process.wait(), 20) == 0
        assert (await store.get())["phase"] == "stopped"


async def test_a_pod_whose_engine_dies_says_so_and_fails(pod: Any, service_issuer: Issuer) -> None:
    server, start = pod
    async with httpx2.AsyncClient(base_url=server.url) as client:
        store = Store(client, service_issuer)
        await store.put(runners=1)
        async with start(store.run_id, 0, "vanishes") as process:
            assert await asyncio.wait_for(process.wait(), 20) == 1
        status = await store.get()
        assert (status["phase"], status["runners"]["failed"]) == ("lost", 1)


async def test_a_pod_without_a_run_fails(pod: Any, service_issuer: Issuer) -> None:
    _, start = pod
    async with start(str(uuid4()), 0, "well") as process:
        assert await asyncio.wait_for(process.wait(), 20) == 1


async def _ready(store: Store, count: int) -> bool:
    return bool((await store.get())["runners"]["ready"] == count)


async def _has_rows(store: Store) -> bool:
    return (await store.get())["results"] is not None


async def age(owner_dsn: str, run_id: str, *, seconds: int) -> None:
    """Make a run older than it is."""
    connection = await asyncpg.connect(owner_dsn)
    await connection.execute(
        "UPDATE generator.runs SET created_at = created_at - $2 * interval '1 second',"
        " start_at = start_at - $2 * interval '1 second' WHERE id = $1",
        run_id, seconds,
    )  # fmt: skip
    await connection.close()
