"""Load tests as a person runs them: the examples of the documents, real pods, real load, and what may come between."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from support.cluster import ROOT
from support.deployed import NAMESPACE, Deployed, until

KILL_ENGINE = """
import os, pathlib, signal
for place in pathlib.Path("/proc").glob("[0-9]*"):
    if b"palio_generator.load\\0" in (place / "cmdline").read_bytes():
        os.kill(int(place.name), signal.SIGKILL)
"""
EXAMPLES = ROOT / "docs" / "examples"


@dataclass(frozen=True)
class LoadTest:
    """A resource in the installed platform."""

    palio: Deployed
    name: str
    uid: str

    @property
    def job(self) -> str:
        return f"{self.name}-run-{self.uid[:8]}"

    def status(self) -> dict[str, Any]:
        body = json.loads(self.palio.kubectl("-n", NAMESPACE, "get", "ldt", self.name, "-o", "json"))
        return dict(body.get("status") or {})

    def told(self) -> dict[str, str]:
        """Conditions as `status/reason`, and the phase."""
        status = self.status()
        found = {one["type"]: f"{one['status']}/{one['reason']}" for one in status.get("conditions", [])}
        return found | {"phase": status.get("phase", "")}

    def wait_for(self, *, within_s: float = 120, **wanted: str) -> dict[str, Any]:
        def says_so() -> bool:
            told = self.told()
            assert {key: told.get(key) for key in wanted} == wanted, told
            return True

        until(says_so, within_s=within_s, what=f"{self.name}: {wanted}")
        return self.status()

    def pods(self) -> list[str]:
        selector = f"palio.gg/loadtest-uid={self.uid}"
        return self.palio.kubectl("-n", NAMESPACE, "get", "pods", "-l", selector, "-o", "name").split()

    def has_job(self) -> bool:
        return bool(
            self.palio.kubectl("-n", NAMESPACE, "get", "job", self.job, "--ignore-not-found", "-o", "name").strip()
        )


@contextmanager
def applied(palio: Deployed, manifest: dict[str, Any]) -> Iterator[LoadTest]:
    """A load test that is deleted in the end, and gone with its pods."""
    told = palio.kubectl("-n", NAMESPACE, "apply", "-o", "json", "-f", "-", stdin=json.dumps(manifest))
    metadata = json.loads(told)["metadata"]
    made = LoadTest(palio, metadata["name"], metadata["uid"])
    try:
        yield made
    finally:
        palio.kubectl("-n", NAMESPACE, "delete", "ldt", made.name, "--timeout=90s", "--ignore-not-found")
        assert not made.has_job()


def example(name: str) -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load((EXAMPLES / name).read_text())
    return manifest


def a_load_test(*, duration_s: int = 10, runners: int = 2, **spec: Any) -> dict[str, Any]:
    """Little load, and a threshold that always holds."""
    load = {
        "parallelism": runners, "virtualUsers": 20, "requestsPerSecond": 20, "rampUpSeconds": 1,
        "durationSeconds": duration_s,
    }  # fmt: skip
    return {
        "apiVersion": "palio.gg/v1alpha1", "kind": "LoadTest", "metadata": {"name": f"load-{uuid4().hex[:8]}"},
        "spec": {"scenario": "ReadTop", "load": load, "thresholds": [
            {"metric": "ErrorPerMille", "op": "AtMost", "value": 1000}
        ]} | spec,
    }  # fmt: skip


def test_the_example_runs_and_passes(palio: Deployed) -> None:
    with applied(palio, example("loadtest.yaml")) as test:
        until(lambda: len(test.pods()) == 2, within_s=60, what="two pods")
        palio.kubectl("-n", NAMESPACE, "wait", "--for=condition=Succeeded", f"ldt/{test.name}", "--timeout=110s")
        status = test.status()
        assert (status["phase"], status["verdict"]) == ("Succeeded", "Passed")
        assert status["runners"] == {"desired": 2, "ready": 2, "succeeded": 2, "failed": 0}
        assert 40 <= status["results"]["requestsPerSecond"] <= 60
        assert status["results"]["requests"] >= 500
        row = palio.kubectl("-n", NAMESPACE, "get", "ldt", test.name).splitlines()
        assert row[0].split()[:7] == ["NAME", "PHASE", "RUNNERS", "USERS", "RPS", "P95", "VERDICT"]
        assert row[1].split()[6] == "Passed"
        until(lambda: not test.has_job(), within_s=60, what="the Job is deleted")


def test_the_other_example_misses_its_threshold(palio: Deployed) -> None:
    with applied(palio, example("loadtest-missed.yaml")) as test:
        waited = ("wait", "--for=condition=ThresholdsMet=False", f"ldt/{test.name}", "--timeout=110s")
        palio.kubectl("-n", NAMESPACE, *waited)
        status = test.wait_for(phase="Failed", Succeeded="False/ThresholdsMissed", ThresholdsMet="False/Missed")
        assert status["verdict"] == "Failed"
        (message,) = [one["message"] for one in status["conditions"] if one["type"] == "ThresholdsMet"]
        assert message.startswith("RequestsPerSecond ")
        assert message.endswith(", at least 1000")


def test_a_runner_whose_engine_is_killed_is_named_and_makes_it_inconclusive(palio: Deployed) -> None:
    with applied(palio, a_load_test(duration_s=60)) as test:
        test.wait_for(phase="Running")
        palio.kubectl("-n", NAMESPACE, "exec", test.pods()[0], "--", "python", "-c", KILL_ENGINE)
        status = test.wait_for(phase="Failed", within_s=50)
        assert status["verdict"] == "Inconclusive"
        assert test.told()["Succeeded"] in ("False/RunnerFailed", "False/RunnerLost")
        assert test.told()["RunnersReady"] == test.told()["Succeeded"]


def test_a_runner_whose_pod_is_deleted_tells_its_part_and_makes_it_inconclusive(palio: Deployed) -> None:
    with applied(palio, a_load_test(duration_s=20)) as test:
        test.wait_for(phase="Running")
        palio.kubectl("-n", NAMESPACE, "delete", test.pods()[0], "--wait=false")
        status = test.wait_for(phase="Failed")
        assert status["verdict"] == "Inconclusive"


def test_an_operator_killed_in_each_phase_changes_nothing(palio: Deployed) -> None:
    with applied(palio, a_load_test(duration_s=20)) as test:
        test.wait_for(phase="Provisioning")
        palio.kill_operator()
        test.wait_for(phase="Running")
        palio.kill_operator()
        status = test.wait_for(phase="Succeeded", Succeeded="True/Passed")
        palio.kill_operator()
        until(lambda: not test.has_job(), within_s=90, what="the Job is deleted")
        assert test.status() == status


def test_one_that_is_stopped_ends_early_and_keeps_what_it_measured(palio: Deployed) -> None:
    with applied(palio, a_load_test(duration_s=600)) as test:
        test.wait_for(phase="Running")
        until(lambda: (test.status().get("results") or {}).get("requests", 0) > 20, within_s=60, what="some requests")
        patch = json.dumps({"spec": {"desiredState": "Stopped"}})
        palio.kubectl("-n", NAMESPACE, "patch", "ldt", test.name, "--type=merge", "-p", patch)
        status = test.wait_for(phase="Stopped", Succeeded="False/Stopped")
        assert status["results"]["requests"] > 20


def test_a_second_one_waits_for_the_first(palio: Deployed) -> None:
    with applied(palio, a_load_test()) as first, applied(palio, a_load_test()) as second:
        second.wait_for(phase="Pending", Ready="False/Queued")
        assert not second.has_job()
        first.wait_for(phase="Succeeded")
        second.wait_for(phase="Succeeded")
        assert second.status()["startTime"] > first.status()["completionTime"]


def test_load_goes_nowhere_else(palio: Deployed) -> None:
    with applied(palio, a_load_test(target={"url": "http://169.254.169.254"})) as test:
        test.wait_for(phase="Failed", Ready="False/TargetNotAllowed")
        assert test.pods() == []
