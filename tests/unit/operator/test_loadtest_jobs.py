"""The runners' Job as it is made and as it is read, and what is read of a resource and a run."""

from typing import Any

import pytest

from palio_operator.loadtests.fence import Target
from palio_operator.loadtests.jobs import RunnerPods, manifest, observed, troubles
from palio_operator.loadtests.models import JobState, LoadTestSpec, Meta, Resource, Run, RunPhase, Trouble
from palio_operator.loadtests.runs import document
from palio_operator.resources import InvalidSpec
from unit.operator.loadtest_world import NOON, UID, a_spec

META = Meta(UID, "games", "evening", 1, created_at=NOON)
PODS = RunnerPods(
    "palio", "palio-generator:1", "Never", "palio-loadrunner", "http://palio-generator:23458", 3600,
    {"requests": {"cpu": "200m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
)  # fmt: skip


def pod(index: int = 0, **status: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {"batch.kubernetes.io/job-completion-index": str(index)}}, "status": status}


def contained(**state: Any) -> dict[str, Any]:
    return pod(1, containerStatuses=[{"state": state}])


def test_the_job_runs_each_share_once_and_ends_in_bounded_time() -> None:
    job = manifest(META, a_spec(), PODS)
    spec = job["spec"]
    assert (job["metadata"]["name"], job["metadata"]["namespace"]) == ("evening-run-0190a000", "palio")
    assert "ownerReferences" not in job["metadata"]
    assert job["metadata"]["labels"]["palio.gg/loadtest-uid"] == UID
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert (spec["backoffLimit"], spec["podReplacementPolicy"]) == (0, "Failed")
    assert spec["activeDeadlineSeconds"] == 60 + 20 + 60
    assert spec["ttlSecondsAfterFinished"] == 3600


def test_a_job_beside_its_resource_is_owned_by_it() -> None:
    (owner,) = manifest(Meta(UID, "palio", "evening", 1), a_spec(), PODS)["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("LoadTest", UID, True)


def test_the_pod_is_restricted_and_shows_an_identity_to_the_generator_alone() -> None:
    pod = manifest(META, a_spec(), PODS)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "palio-loadrunner"
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["resources"]["limits"] == {"memory": "1Gi"}
    (token,) = pod["volumes"][0]["projected"]["sources"]
    assert token["serviceAccountToken"] == {
        "audience": "palio-generator", "expirationSeconds": 3600, "path": "generator",
    }  # fmt: skip
    env = {one["name"]: one["value"] for one in container["env"]}
    assert env["PALIO_RUN_ID"] == UID
    assert env["PALIO_GENERATOR_URL"] == "http://palio-generator:23458"
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize(
    ("pod", "wanted"),
    [
        (pod(phase="Running", containerStatuses=[{"state": {"running": {}}}]), None),
        (pod(phase="Pending"), None),
        (contained(terminated={"exitCode": 0, "reason": "Completed"}), None),
        (contained(waiting={"reason": "ContainerCreating"}), None),
        (
            contained(waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling image \"x\""}),
            Trouble("ImagePullBackOff", 'runner 1: Back-off pulling image "x"'),
        ),
        (contained(waiting={"reason": "ErrImagePull"}), Trouble("ImagePullBackOff", "runner 1: ErrImagePull")),
        (contained(waiting={"reason": "CrashLoopBackOff"}), Trouble("CrashLoop", "runner 1: CrashLoopBackOff")),
        (
            contained(waiting={"reason": "CreateContainerConfigError", "message": "no\nsecret"}),
            Trouble("ContainerNotCreated", "runner 1: no secret"),
        ),
        (
            contained(terminated={"exitCode": 137, "reason": "OOMKilled"}),
            Trouble("OOMKilled", "runner 1 needed more memory than its limit"),
        ),
        (
            contained(terminated={"exitCode": 2, "reason": "Error", "message": "x" * 400}),
            Trouble("RunnerFailed", f"runner 1 ended with exit code 2: {'x' * 300}"),
        ),
        (contained(terminated={"exitCode": 143}), Trouble("RunnerFailed", "runner 1 ended with exit code 143")),
        (pod(2, reason="Evicted", message="low"), Trouble("Evicted", "runner 2 was put out: low")),
        (
            pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}]),
            Trouble("Unschedulable", "runner 0: 0/1"),
        ),
    ],
)  # fmt: skip
def test_what_a_pod_is_in_trouble_with_is_told_in_one_word(pod: dict[str, Any], wanted: Trouble | None) -> None:
    assert troubles([pod]) == ((wanted,) if wanted else ())


def a_read_job(**changes: Any) -> dict[str, Any]:
    metadata = {
        "name": "evening-run-0190a000", "namespace": "palio", "uid": "j", "labels": {"palio.gg/loadtest-uid": UID},
        "creationTimestamp": "2026-03-06T12:00:00+00:00",
    }  # fmt: skip
    return {"metadata": metadata | changes.pop("metadata", {}), "status": changes}


def test_a_job_is_read_with_the_indexes_that_are_done() -> None:
    job = observed(a_read_job(completedIndexes="0,2-4,9", ready=2, failed=1), META)
    assert (job.owned, job.state, job.created_at) == (True, JobState.ACTIVE, NOON)
    assert job.done == {0, 2, 3, 4, 9}
    assert (job.ready_pods, job.failed_pods) == (2, 1)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"conditions": [{"type": "Complete", "status": "True"}]}, JobState.SUCCEEDED),
        ({"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}, JobState.FAILED),
        ({"conditions": [{"type": "FailureTarget", "status": "True"}]}, JobState.ACTIVE),
        ({"conditions": [{"type": "Failed", "status": "False"}]}, JobState.ACTIVE),
        ({"metadata": {"deletionTimestamp": "2026-03-06T12:00:00Z"}}, JobState.LEAVING),
        (
            {
                "metadata": {"deletionTimestamp": "2026-03-06T12:00:00Z"},
                "conditions": [{"type": "Failed", "status": "True"}],
            },
            JobState.FAILED,
        ),
    ],
)
def test_how_a_job_stands(told: dict[str, Any], state: JobState) -> None:
    assert observed(a_read_job(**told), META).state is state


def test_a_job_of_another_resource_is_not_ours() -> None:
    assert not observed(a_read_job(metadata={"labels": {}}), META).owned
    assert not observed(a_read_job(metadata={"namespace": "games"}), META).owned


def test_a_resource_is_read_with_the_defaults_of_its_definition() -> None:
    metadata = {"uid": UID, "namespace": "games", "name": "evening", "creationTimestamp": "2026-03-06T12:00:00Z"}
    body = {"metadata": metadata, "spec": {"load": {"virtualUsers": 100, "durationSeconds": 60}}}
    read = Resource.parse(body)
    assert read.spec == LoadTestSpec(
        url=None, scenario="Mixed", runners=1, users=100, rate=None, ramp_up_s=5, duration_s=60, seed=1, thresholds=(),
        startup_deadline_s=120, ttl_s=86_400, keeps_runners=False, stopped=False,
    )  # fmt: skip
    assert read.meta.created_at == NOON
    assert isinstance(Resource.parse({"metadata": metadata, "spec": {"load": []}}).spec, InvalidSpec)


def test_the_generator_is_told_everything_that_a_run_needs() -> None:
    told = document(META, a_spec(rate=None), Target("http://palio-gateway:23455", None, ("palio-gateway",)))
    assert told == {
        "name": "evening", "namespace": "games", "scenario": "Mixed", "virtual_users": 100, "requests_per_second": None,
        "ramp_up_s": 5, "duration_s": 20, "seed": 1, "base_url": "http://palio-gateway:23455", "live_url": None,
        "allowed_hosts": ["palio-gateway"], "runners": 3, "startup_deadline_s": 60,
        "thresholds": [{"metric": "P99LatencyMs", "op": "AtMost", "value": 50}],
    }  # fmt: skip


def test_a_status_document_of_the_generator_is_read() -> None:
    run = Run.parse({
        "id": UID, "phase": "finished", "runners": {"wanted": 3, "ready": 3, "reported": 2, "failed": 1},
        "start_at": "2026-03-06T12:00:00.5Z", "finished_at": None,
        "results": {
            "requests": 10, "errors": 1, "requests_per_second": 1.5, "p50_ms": 1, "p95_ms": 2, "p99_ms": 3, "max_ms": 4,
            "freshness_p99_ms": None,
        },
        "verdict": "Inconclusive", "doubts": ["lost"],
        "checks": [{"metric": "P99FreshnessMs", "op": "AtMost", "value": 50, "measured": None, "held": False}],
    })  # fmt: skip
    assert (run.phase, run.is_over, run.wanted, run.reported) == (RunPhase.FINISHED, True, 3, 2)
    assert run.checks[0].text == "P99FreshnessMs not measured, at most 50"
    assert run.results is not None
    assert run.results.freshness_p99_ms is None
