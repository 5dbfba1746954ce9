"""Load tests against an API server and a generator that fail: killed in the middle, refused, away.

No cluster is needed: both are small ones of our own.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kopf
import pytest
from aiohttp import web
from kubernetes.aio import client

from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually
from palio_operator.settings import Settings
from support.fake_cluster import FakeCluster, fake_cluster
from support.fake_runs import FakeRuns, fake_runs
from support.loadtest_stage import LoadStage
from support.operator_stage import operating

Operate = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
async def fake() -> AsyncIterator[FakeCluster]:
    async with fake_cluster() as made:
        yield made


@pytest.fixture
async def runs() -> AsyncIterator[FakeRuns]:
    async with fake_runs() as made:
        yield made


@pytest.fixture
def operate(fake: FakeCluster, runs: FakeRuns, tmp_path: Path, service_issuer: Issuer) -> Operate:
    identity = tmp_path / "identity" / "operator"
    service_issuer.write_identity(identity, "operator", ("tournament", "generator"))

    def start(**changes: Any) -> AbstractAsyncContextManager[None]:
        values: dict[str, Any] = {
            "generator_url": runs.url, "identity_dir": identity, "resync_s": 0.5, "deletion_grace_s": 2.0,
            "audit_s": 0.3, "kubernetes_timeout_s": 2.0, "loadtest_poll_s": 0.2, "drift_s": 1.0,
        }  # fmt: skip
        login = kopf.ConnectionInfo(server=fake.url)
        return operating(Settings(**(values | changes)), client.Configuration(host=fake.url), login)

    return start


@pytest.fixture
async def stage(fake: FakeCluster, runs: FakeRuns) -> AsyncIterator[LoadStage]:
    async with client.ApiClient(client.Configuration(host=fake.url)) as api:
        yield LoadStage(api, "games", runs)


def end_pods(fake: FakeCluster, **status: Any) -> None:
    """The Job ends as its pods did."""
    (key,) = [key for key in fake.objects if key[0] == "jobs"]
    fake.change(key, lambda held: held.update(status=status))


async def finish(stage: LoadStage, name: str, uid: str) -> None:
    """Runners do their work, and the end is told."""
    await stage.job_of(name, uid)
    stage.runs.ready(uid)
    await stage.wait_for(name, phase="Running")
    stage.runs.report(uid)
    await stage.wait_for(name, phase="Succeeded", Succeeded="True/Passed")


async def test_a_load_test_runs_and_passes_and_its_pods_go(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        uid = await stage.apply("evening")
        await stage.wait_for("evening", phase="Provisioning", Ready="True/Provisioning")
        await finish(stage, "evening", uid)
        await stage.without_job("evening", uid)
        status = await stage.status("evening")
        assert status["verdict"] == "Passed"
        assert status["results"]["p95Ms"] == 20
        assert {"Provisioning", "Started", "Passed"} <= set(await stage.events("evening"))


async def test_an_operator_killed_after_each_of_its_calls_reaches_the_same_end(
    stage: LoadStage, operate: Operate, fake: FakeCluster, runs: FakeRuns
) -> None:
    uid = await stage.apply("killed")
    told: list[str] = []

    async def die_at(writes: int) -> None:
        reached, left = asyncio.Event(), [writes]

        def cut(request: web.Request) -> int | None:
            if request.method != "GET":
                left[0] -= 1
                if left[0] < 0:
                    reached.set()
            return 500 if reached.is_set() else None  # to this operator everything is dead from here on

        fake.fault = runs.fault = cut
        async with operate():
            await asyncio.wait({asyncio.create_task(reached.wait())}, timeout=1.5)
        fake.fault = runs.fault = lambda _: None
        told.append(fake.objects["loadtests", "games", "killed"].get("status", {}).get("phase", ""))

    for writes in range(5):
        await die_at(writes)
    async with operate():
        await stage.job_of("killed", uid)
        await stage.wait_for("killed", phase="Provisioning")
    runs.ready(uid)
    for writes in range(2):
        await die_at(writes)
    runs.report(uid)
    for writes in range(3):
        await die_at(writes)
    async with operate():
        await stage.wait_for("killed", phase="Succeeded", Succeeded="True/Passed")
        await stage.without_job("killed", uid)
    order = ["", "Pending", "Provisioning", "Running", "Succeeded"]
    assert told == sorted(told, key=order.index)
    assert len([call for call in fake.calls if call[0] == "POST" and call[1].endswith("/jobs")]) <= 2
    assert [call for call in runs.calls if call[0] == "finish"] == []


async def test_a_third_of_all_calls_fails_and_it_still_passes(
    stage: LoadStage, operate: Operate, fake: FakeCluster, runs: FakeRuns
) -> None:
    dice = random.Random(7)
    fake.fault = lambda request: 503 if "watch" not in request.query and dice.random() < 0.3 else None
    runs.fault = lambda request: 503 if dice.random() < 0.3 else None
    async with operate():
        uid = await stage.apply("flaky")

        async def job_there() -> bool:
            return any(key[0] == "jobs" for key in fake.objects)

        await eventually(job_there, within_s=40)
        runs.ready(uid)
        fake.fault = lambda _: None
        await stage.wait_for("flaky", phase="Running")
        runs.report(uid)
        await stage.wait_for("flaky", phase="Succeeded", Succeeded="True/Passed")


async def test_a_generator_that_is_away_is_told_and_waited_for(
    stage: LoadStage, operate: Operate, runs: FakeRuns
) -> None:
    runs.fault = lambda _: 503
    async with operate():
        uid = await stage.apply("patient")
        await stage.wait_for("patient", Ready="False/StoreUnavailable", Succeeded="Unknown/InProgress")
        runs.fault = lambda _: None
        await finish(stage, "patient", uid)


async def test_a_run_that_the_generator_refuses_says_why(stage: LoadStage, operate: Operate, runs: FakeRuns) -> None:
    runs.fault = lambda request: 422 if request.method == "PUT" else None
    async with operate():
        await stage.apply("refused")
        await stage.wait_for("refused", phase="Failed", Succeeded="False/RunRefused", Ready="False/RunRefused")


async def test_a_job_that_may_not_be_made_is_told(stage: LoadStage, operate: Operate, fake: FakeCluster) -> None:
    fake.fault = lambda request: 403 if request.method == "POST" and request.path.endswith("/jobs") else None
    async with operate():
        uid = await stage.apply("denied")
        await stage.wait_for("denied", phase="Provisioning", RunnersReady="False/NotCreated")
        (message,) = [
            one["message"] for one in (await stage.status("denied"))["conditions"] if one["type"] == "RunnersReady"
        ]
        assert message.startswith("create_job: 403")
        fake.fault = lambda _: None
        await finish(stage, "denied", uid)


async def test_a_lost_runner_is_named_by_what_its_pod_says(
    stage: LoadStage, operate: Operate, fake: FakeCluster, runs: FakeRuns
) -> None:
    async with operate():
        uid = await stage.apply("lost", runners=3)
        await stage.job_of("lost", uid)
        runs.ready(uid)
        await stage.wait_for("lost", phase="Running")
        runs.report(uid, runners=1)
        fake.make("pods", {
            "metadata": {
                "name": "lost-2", "labels": {"palio.gg/loadtest-uid": uid},
                "annotations": {"batch.kubernetes.io/job-completion-index": "2"},
            },
            "status": {"containerStatuses": [{
                "name": "runner", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "ready": False,
                "image": "x", "imageID": "x", "restartCount": 0,
            }]},
        })  # fmt: skip
        failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
        end_pods(fake, conditions=[failed], failed=1, completedIndexes="0")
        told = await stage.wait_for("lost", phase="Failed", Succeeded="False/OOMKilled", RunnersReady="False/OOMKilled")
        assert told["ThresholdsMet"] == "Unknown/Inconclusive"
    status = fake.objects["loadtests", "games", "lost"]["status"]
    assert status["verdict"] == "Inconclusive"
    assert status["runners"] == {"desired": 3, "ready": 3, "succeeded": 1, "failed": 1}
    (message,) = [one["message"] for one in status["conditions"] if one["type"] == "Succeeded"]
    assert message == "runner 2 needed more memory than its limit (2 of 3 runners were lost)"


async def test_a_deleted_one_is_let_go_of_when_its_pods_are_gone_even_without_the_generator(
    stage: LoadStage, operate: Operate, runs: FakeRuns
) -> None:
    async with operate():
        uid = await stage.apply("leaving")
        await stage.job_of("leaving", uid)
        await stage.wait_for("leaving", RunnersReady="False/Starting")
        runs.fault = lambda _: 503
        await stage.delete("leaving")
        await stage.without_job("leaving", uid, within_s=5)
        await stage.gone("leaving", within_s=20)


async def test_a_running_one_that_is_deleted_ends_its_run_first(
    stage: LoadStage, operate: Operate, runs: FakeRuns
) -> None:
    async with operate():
        uid = await stage.apply("leaving")
        await stage.job_of("leaving", uid)
        runs.ready(uid)
        await stage.wait_for("leaving", phase="Running")
        await stage.delete("leaving")
        await stage.gone("leaving")
        await stage.without_job("leaving", uid)
    assert runs.told[uid]["phase"] == "stopped"


async def test_a_quiet_load_test_is_not_written_again_and_again(
    stage: LoadStage, operate: Operate, fake: FakeCluster, runs: FakeRuns
) -> None:
    async with operate():
        uid = await stage.apply("quiet")
        await stage.job_of("quiet", uid)
        runs.ready(uid)
        await stage.wait_for("quiet", phase="Running")
        reads = len([call for call in fake.calls if call[0] == "GET" and call[1].endswith("/quiet")])
        writes = [call for call in fake.calls if call[0] in ("PATCH", "POST", "PUT")]

        async def looked_often() -> bool:
            return len([call for call in fake.calls if call[0] == "GET" and call[1].endswith("/quiet")]) >= reads + 4

        await eventually(looked_often)
        assert [call for call in fake.calls if call[0] in ("PATCH", "POST", "PUT")] == writes


async def test_many_at_once_run_one_after_the_other_in_the_order_of_their_creation(
    stage: LoadStage, operate: Operate, fake: FakeCluster, runs: FakeRuns
) -> None:
    uids = {name: await stage.apply(name) for name in ("d", "b", "a", "c")}
    for age, name in enumerate(("d", "b", "a", "c")):
        made = datetime(2026, 3, 6, 12, 0, age, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        fake.objects["loadtests", "games", name]["metadata"]["creationTimestamp"] = made
    began: list[str] = []
    async with operate(loadtest_concurrent_max=2):
        await stage.wait_for("a", Ready="False/Queued")
        await stage.wait_for("c", Ready="False/Queued")
        for name in ("d", "b", "a", "c"):
            await stage.job_of(name, uids[name])
            began = [told for verb, told in runs.calls if verb == "PUT"]
            assert len([one for one in began if runs.told[one]["phase"] != "finished"]) <= 2
            await finish(stage, name, uids[name])
    assert began[2:] == [uids["a"], uids["c"]]
    assert set(began[:2]) == {uids["d"], uids["b"]}
