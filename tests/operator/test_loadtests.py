"""A load test's life as a resource of a real API server, and what may come between; the generator is a small fake.

The image of its runners is in no registry, so their pods show what pods in trouble show; the tests are the runners.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import kopf
import pytest
from kubernetes.aio import client

from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually
from palio_operator.settings import Settings
from support.cluster import Cluster
from support.fake_runs import FakeRuns, fake_runs
from support.loadtest_stage import LoadStage
from support.operator_stage import operating

PODS_GONE_S = 75
"""Longer than a pod's grace of 30 s and what the cluster needs to notice."""

Operate = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
async def runs() -> AsyncIterator[FakeRuns]:
    async with fake_runs() as made:
        yield made


@pytest.fixture
def operate(
    runs: FakeRuns, namespace: str, tmp_path: Path, service_issuer: Issuer, configuration: client.Configuration,
    login: kopf.ConnectionInfo,
) -> Operate:  # fmt: skip
    identity = tmp_path / "identity" / "operator"
    service_issuer.write_identity(identity, "operator", ("tournament", "generator"))

    def start(**changes: Any) -> AbstractAsyncContextManager[None]:
        values: dict[str, Any] = {
            "namespaces": [namespace], "generator_url": runs.url, "identity_dir": identity, "resync_s": 2.0,
            "deletion_grace_s": 90.0, "audit_s": 1.0, "loadtest_image": "registry.invalid/palio-generator:none",
            "loadtest_image_pull_policy": "Never", "loadtest_service_account": "default", "loadtest_poll_s": 0.3,
            "loadtest_stop_grace_s": 3.0, "drift_s": 2.0,
        }  # fmt: skip
        return operating(Settings(**(values | changes)), configuration, login)

    return start


@pytest.fixture
async def stage(
    configuration: client.Configuration, namespace: str, runs: FakeRuns, operate: Operate
) -> AsyncIterator[LoadStage]:
    """A namespace; what was made in it is deleted while an operator lives to let it go."""
    async with client.ApiClient(configuration) as api:
        made = LoadStage(api, namespace, runs)
        yield made
        left = [name for name in made.made if await made.read(name) is not None]
        for name in left:
            await made.delete(name)
        if left:
            async with operate():
                for name in left:
                    await made.gone(name, within_s=PODS_GONE_S)


async def test_a_load_test_waits_runs_passes_and_tells(stage: LoadStage, operate: Operate, cluster: Cluster) -> None:
    async with operate():
        uid = await stage.apply("evening")
        job = await stage.job_of("evening", uid)
        assert job["metadata"]["ownerReferences"][0]["uid"] == uid
        assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 2)
        told = await stage.wait_for("evening", phase="Provisioning", RunnersReady="False/ImagePullBackOff")
        assert (told["Ready"], told["Succeeded"]) == ("True/Provisioning", "Unknown/InProgress")
        stage.runs.ready(uid)
        await stage.wait_for("evening", phase="Running", RunnersReady="True/Ready", Started="True/Started")
        stage.runs.report(uid)
        await stage.wait_for("evening", phase="Succeeded", Succeeded="True/Passed", ThresholdsMet="True/Held")
        await stage.without_job("evening", uid)
        cluster.kubectl(
            "-n", stage.namespace, "wait", "--for=condition=Succeeded", "ldt/evening", "--timeout=10s"
        )  # fmt: skip
        row = cluster.kubectl("-n", stage.namespace, "get", "ldt", "evening").splitlines()
        assert row[0].split()[:7] == ["NAME", "PHASE", "RUNNERS", "USERS", "RPS", "P95", "VERDICT"]
        assert row[1].split()[:7] == ["evening", "Succeeded", "2", "10", "50", "20", "Passed"]
        status = await stage.status("evening")
        assert status["results"] == {
            "requests": 1000, "errors": 2, "requestsPerSecond": 50, "p50Ms": 4, "p95Ms": 20, "p99Ms": 40, "maxMs": 91,
            "freshnessP99Ms": 32,
        }  # fmt: skip
        posted = await stage.events("evening")
        assert {"Provisioning", "ImagePullBackOff", "Started", "Passed"} <= set(posted)
        body = await stage.read("evening")
        assert body is not None
        assert body["metadata"]["finalizers"] == ["palio.gg/cleanup"]
    assert stage.runs.wanted[uid]["base_url"] == "http://palio-gateway:23455"
    assert stage.runs.wanted[uid]["thresholds"] == [{"metric": "P99LatencyMs", "op": "AtMost", "value": 50}]


async def test_a_missed_threshold_fails_it(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        uid = await stage.apply("slow", cleanupPolicy="Retain")
        await stage.job_of("slow", uid)
        stage.runs.ready(uid)
        stage.runs.report(uid, p99_ms=83.2)
        await stage.wait_for("slow", phase="Failed", Succeeded="False/ThresholdsMissed", ThresholdsMet="False/Missed")
        assert (await stage.status("slow"))["verdict"] == "Failed"
        assert await stage.job(stage.job_name("slow", uid)) is not None


async def test_pods_that_never_become_ready_fail_it_with_their_own_reason(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        uid = await stage.apply("noimage", startupDeadlineSeconds=30)
        await stage.wait_for("noimage", RunnersReady="False/ImagePullBackOff")
        await stage.wait_for("noimage", within_s=50, phase="Failed", Succeeded="False/ImagePullBackOff")
        await stage.without_job("noimage", uid)
    assert stage.runs.told[uid]["verdict"] == "Inconclusive"
    assert [verb for verb, _ in stage.runs.calls] == ["PUT", "finish"]


async def test_a_job_that_fails_makes_it_inconclusive(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        uid = await stage.apply("cut")
        name = stage.job_name("cut", uid)
        await stage.job_of("cut", uid)
        stage.runs.ready(uid)
        await stage.wait_for("cut", phase="Running")
        await stage.jobs.patch_namespaced_job(name, stage.namespace, {"spec": {"activeDeadlineSeconds": 1}})
        await stage.wait_for("cut", within_s=40, phase="Failed")
        status = await stage.status("cut")
        assert status["verdict"] == "Inconclusive"
        told = await stage.told("cut")
        assert told["Succeeded"] in ("False/RunnerLost", "False/ImagePullBackOff")


async def test_a_job_deleted_from_outside_is_not_made_again(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        uid = await stage.apply("robbed")
        await stage.job_of("robbed", uid)
        stage.runs.ready(uid)
        await stage.wait_for("robbed", phase="Running")
        await stage.jobs.delete_namespaced_job(
            stage.job_name("robbed", uid), stage.namespace, propagation_policy="Background"
        )
        await stage.wait_for("robbed", phase="Failed", Succeeded="False/RunnersDeleted")
        assert await stage.job(stage.job_name("robbed", uid)) is None


async def test_one_that_is_stopped_asks_its_runners_and_then_ends(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        uid = await stage.apply("halt")
        await stage.job_of("halt", uid)
        stage.runs.ready(uid)
        await stage.wait_for("halt", phase="Running")
        await stage.patch("halt", {"spec": {"desiredState": "Stopped"}})
        await stage.wait_for("halt", Ready="Unknown/Stopping")
        assert uid in stage.runs.asked_to_stop
        stage.runs.report(uid)
        await stage.wait_for("halt", phase="Stopped", Succeeded="False/Stopped")
        assert (await stage.status("halt"))["results"]["requests"] == 1000
        await stage.without_job("halt", uid)


async def test_runners_that_do_not_obey_are_not_awaited_for_ever(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        uid = await stage.apply("deaf")
        await stage.job_of("deaf", uid)
        stage.runs.ready(uid)
        await stage.wait_for("deaf", phase="Running")
        await stage.patch("deaf", {"spec": {"desiredState": "Stopped"}})
        await stage.wait_for("deaf", phase="Stopped", Succeeded="False/Stopped")
        await stage.without_job("deaf", uid)
    assert stage.runs.told[uid]["phase"] == "stopped"


async def test_a_second_one_waits_its_turn_and_says_so(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        first = await stage.apply("first")
        await stage.job_of("first", first)
        second = await stage.apply("second")
        await stage.wait_for("second", phase="Pending", Ready="False/Queued", Succeeded="Unknown/Queued")
        assert await stage.job(stage.job_name("second", second)) is None
        stage.runs.ready(first)
        await stage.wait_for("first", phase="Running")
        stage.runs.report(first)
        await stage.wait_for("first", phase="Succeeded")
        await stage.job_of("second", second)
        await stage.wait_for("second", phase="Provisioning")


async def test_a_target_outside_the_fence_is_refused(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        await stage.apply("cannon", target={"url": "http://169.254.169.254"})
        await stage.wait_for(
            "cannon", phase="Failed", Ready="False/TargetNotAllowed", Succeeded="False/TargetNotAllowed"
        )
        allowed = await stage.apply("neighbour", target={"url": "https://play.example.org"})
        await stage.wait_for("neighbour", phase="Failed", Ready="False/TargetNotAllowed")
    async with operate(loadtest_allowed_hosts=["play.example.org"]):
        again = await stage.apply("allowed", target={"url": "https://play.example.org"})
        await stage.job_of("allowed", again)
        assert (await stage.told("neighbour"))["phase"] == "Failed"
    assert stage.runs.wanted[again]["allowed_hosts"] == ["play.example.org"]
    assert allowed not in stage.runs.wanted


async def test_an_operator_started_anew_in_each_phase_changes_nothing(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        uid = await stage.apply("restarted")
        job = await stage.job_of("restarted", uid)
        await stage.wait_for("restarted", RunnersReady="False/ImagePullBackOff")
    stage.runs.ready(uid)
    async with operate():
        await stage.wait_for("restarted", phase="Running")
    stage.runs.report(uid)
    async with operate():
        await stage.wait_for("restarted", phase="Succeeded", Succeeded="True/Passed")
        told = await stage.status("restarted")
    async with operate():
        await stage.without_job("restarted", uid)

        async def looked() -> bool:
            return await stage.status("restarted") == told

        await eventually(looked)
    assert [verb for verb, _ in stage.runs.calls] == ["PUT"]
    assert job["metadata"]["uid"] != ""


async def test_two_operators_at_once_make_one_job(stage: LoadStage, operate: Operate) -> None:
    async with operate(), operate():
        uid = await stage.apply("twins")
        job = await stage.job_of("twins", uid)
        stage.runs.ready(uid)
        await stage.wait_for("twins", phase="Running")
        found = await stage.job_of("twins", uid)
        assert found["metadata"]["uid"] == job["metadata"]["uid"]
        stage.runs.report(uid)
        await stage.wait_for("twins", phase="Succeeded")


async def test_one_that_is_deleted_goes_after_its_pods(stage: LoadStage, operate: Operate) -> None:
    async with operate():
        uid = await stage.apply("leaving")
        await stage.job_of("leaving", uid)
        await stage.wait_for("leaving", RunnersReady="False/ImagePullBackOff")
        await stage.delete("leaving")
        await stage.gone("leaving", within_s=PODS_GONE_S)
        assert await stage.job(stage.job_name("leaving", uid)) is None
        pods = await client.CoreV1Api(stage.api).list_namespaced_pod(
            stage.namespace, label_selector=f"palio.gg/loadtest-uid={uid}"
        )
        assert pods.items == []
    assert stage.runs.told[uid]["phase"] == "stopped"


async def test_the_pods_keep_the_restricted_standard(stage: LoadStage, operate: Operate, cluster: Cluster) -> None:
    """The API server refuses what does not, if the namespace enforces it: then there would be no pods in trouble."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    cluster.kubectl("label", "namespace", stage.namespace, label)
    async with operate():
        uid = await stage.apply("strict", runners=1)
        await stage.wait_for("strict", RunnersReady="False/ImagePullBackOff")
        pods = json.loads(
            cluster.kubectl("-n", stage.namespace, "get", "pods", "-l", f"palio.gg/loadtest-uid={uid}", "-o", "json")
        )
        assert len(pods["items"]) == 1
