"""Every bound and rule of `LoadTest`: one manifest inside, one outside, before a real API server."""

from typing import Any

import pytest
from kubernetes.aio import client

from crds.judge import REMOVED, changed, refusal, refusal_of_change

MANIFEST: dict[str, Any] = {
    "apiVersion": "palio.gg/v1alpha1",
    "kind": "LoadTest",
    "metadata": {"name": "evening"},
    "spec": {"load": {"virtualUsers": 100, "durationSeconds": 60}},
}


def threshold(**changes: Any) -> list[dict[str, Any]]:
    return [{"metric": "P99LatencyMs", "op": "AtMost", "value": 50} | changes]


BOUNDS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("name", {"metadata.name": "a" * 40}, {"metadata.name": "a" * 41}, "longer than 40"),
    ("url", {"spec.target": {"url": "http://gateway:80"}}, {"spec.target": {"url": "ftp://x"}}, "target.url"),
    (
        "url length", {"spec.target": {"url": "http://" + "a" * 193}}, {"spec.target": {"url": "http://" + "a" * 194}},
        "target.url",
    ),
    ("scenario", {"spec.scenario": "ReadTop"}, {"spec.scenario": "Sleep"}, "scenario"),
    ("load required", {}, {"spec.load": REMOVED}, "spec.load"),
    ("users required", {}, {"spec.load.virtualUsers": REMOVED}, "virtualUsers"),
    ("duration required", {}, {"spec.load.durationSeconds": REMOVED}, "durationSeconds"),
    ("fewest users", {"spec.load.virtualUsers": 1}, {"spec.load.virtualUsers": 0}, "virtualUsers"),
    ("most users", {"spec.load.virtualUsers": 20_000}, {"spec.load.virtualUsers": 20_001}, "virtualUsers"),
    ("pods", {"spec.load.parallelism": 50}, {"spec.load.parallelism": 51}, "parallelism"),
    ("a pod", {"spec.load.parallelism": 1}, {"spec.load.parallelism": 0}, "parallelism"),
    (
        "pods and users", {"spec.load.virtualUsers": 10, "spec.load.parallelism": 10},
        {"spec.load.virtualUsers": 9, "spec.load.parallelism": 10}, "parallelism may not be more",
    ),
    ("rate", {"spec.load.requestsPerSecond": 100_000}, {"spec.load.requestsPerSecond": 100_001}, "requestsPerSecond"),
    ("least rate", {"spec.load.requestsPerSecond": 1}, {"spec.load.requestsPerSecond": 0}, "requestsPerSecond"),
    ("ramp", {"spec.load.rampUpSeconds": 60}, {"spec.load.rampUpSeconds": 61}, "rampUpSeconds may not be longer"),
    ("no ramp", {"spec.load.rampUpSeconds": 0}, {"spec.load.rampUpSeconds": -1}, "rampUpSeconds"),
    (
        "longest ramp", {"spec.load.durationSeconds": 7200, "spec.load.rampUpSeconds": 3600},
        {"spec.load.durationSeconds": 7200, "spec.load.rampUpSeconds": 3601}, "rampUpSeconds",
    ),
    ("shortest", {"spec.load.durationSeconds": 5}, {"spec.load.durationSeconds": 4}, "durationSeconds"),
    ("longest", {"spec.load.durationSeconds": 86_400}, {"spec.load.durationSeconds": 86_401}, "durationSeconds"),
    ("metric", {"spec.thresholds": threshold()}, {"spec.thresholds": threshold(metric="Mood")}, "metric"),
    ("op", {"spec.thresholds": threshold(op="AtLeast")}, {"spec.thresholds": threshold(op="Is")}, "op"),
    ("value", {"spec.thresholds": threshold(value=0)}, {"spec.thresholds": threshold(value=-1)}, "value"),
    ("one each", {"spec.thresholds": threshold()}, {"spec.thresholds": threshold() * 2}, "Duplicate"),
    ("start", {"spec.startupDeadlineSeconds": 30}, {"spec.startupDeadlineSeconds": 29}, "startupDeadlineSeconds"),
    ("late", {"spec.startupDeadlineSeconds": 1800}, {"spec.startupDeadlineSeconds": 1801}, "startupDeadlineSeconds"),
    ("kept", {"spec.ttlSecondsAfterFinished": 60}, {"spec.ttlSecondsAfterFinished": 59}, "ttlSecondsAfterFinished"),
    (
        "kept longest", {"spec.ttlSecondsAfterFinished": 2_592_000}, {"spec.ttlSecondsAfterFinished": 2_592_001},
        "ttlSecondsAfterFinished",
    ),
    ("cleanup", {"spec.cleanupPolicy": "Retain"}, {"spec.cleanupPolicy": "Burn"}, "cleanupPolicy"),
    ("state", {"spec.desiredState": "Stopped"}, {"spec.desiredState": "Paused"}, "desiredState"),
    ("unknown field", {}, {"spec.users": 5}, "unknown field"),
]  # fmt: skip


@pytest.mark.parametrize(("inside", "outside", "why"), [row[1:] for row in BOUNDS], ids=[row[0] for row in BOUNDS])
async def test_a_bound_lets_in_and_keeps_out(
    resources: client.CustomObjectsApi, namespace: str, inside: dict[str, Any], outside: dict[str, Any], why: str
) -> None:
    assert await refusal(resources, namespace, changed(MANIFEST, inside)) is None
    said = await refusal(resources, namespace, changed(MANIFEST, outside))
    assert said is not None
    assert why in said


@pytest.mark.parametrize(
    "changes",
    [
        {"spec.target": {"url": "http://other"}}, {"spec.scenario": "ReadTop"}, {"spec.load.virtualUsers": 5},
        {"spec.seed": 2}, {"spec.thresholds": threshold()},
    ],
    ids=["target", "scenario", "load", "seed", "thresholds"],
)  # fmt: skip
async def test_a_run_may_not_be_changed_only_stopped(
    resources: client.CustomObjectsApi, namespace: str, changes: dict[str, Any]
) -> None:
    said = await refusal_of_change(resources, namespace, MANIFEST, {}, changes)
    assert said is not None
    assert "may not change; create a new LoadTest" in said
    assert await refusal_of_change(resources, namespace, MANIFEST, {}, {"spec.desiredState": "Stopped"}) is None


async def test_a_stopped_run_may_not_be_started_again(resources: client.CustomObjectsApi, namespace: str) -> None:
    stopped = changed(MANIFEST, {"spec.desiredState": "Stopped"})
    said = await refusal_of_change(resources, namespace, stopped, {}, {"spec.desiredState": "Run"})
    assert said is not None
    assert "may not be started again" in said
