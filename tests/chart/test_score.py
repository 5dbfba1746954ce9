"""kube-score has nothing to say that is not accepted in exceptions.py with its reason."""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from chart import rendering
from chart.exceptions import ACCEPTED
from chart.matrix import CASES, IDS, MATRIX
from chart.rendering import objects, pods

SCORED = [(chart, values) for chart, title, values in MATRIX if title in ("production", "demo", "replicas", "defaults")]
Remark = tuple[str, str, str]
"""Check, what it says, and of which object (`Kind/name`)."""


@cache
def score(manifests: str) -> tuple[Remark, ...]:
    """All that kube-score finds wanting."""
    minor = rendering.KUBERNETES.rpartition(".")[0]
    command = [rendering.checkers()["kube-score"], "score", "-", "-o", "json", "--kubernetes-version", f"v{minor}"]
    told = subprocess.run(command, input=manifests, capture_output=True, text=True, check=False)
    return tuple(_remarks(json.loads(told.stdout)))


def _remarks(scored: list[rendering.Object]) -> Iterator[Remark]:
    for one in scored:
        name = f"{one['type_meta']['kind']}/{one['object_meta']['name']}"
        for check in one["checks"]:
            if not check["skipped"] and check["grade"] < 10:
                yield from ((check["check"]["id"], comment["summary"], name) for comment in check["comments"])


def remarks() -> set[Remark]:
    return {remark for chart, values in SCORED for remark in score(rendering.text(chart, values))}


def test_whatever_kube_score_says_is_accepted_for_a_reason() -> None:
    assert sorted(one for one in remarks() if not any(accepted.covering(*one) for accepted in ACCEPTED)) == []


def test_nothing_is_accepted_that_is_not_said_any_more() -> None:
    needed = {(accepted, glob) for accepted in ACCEPTED for one in remarks() for glob in accepted.covering(*one)}
    listed = {(accepted, glob) for accepted in ACCEPTED for glob in accepted.objects}
    assert listed - needed == set()


def test_kube_score_finds_what_is_broken() -> None:
    whole = rendering.text("palio-operator")
    broken = whole.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
    assert {check for check, _, _ in set(score(broken)) - set(score(whole))} == {
        "container-security-context-readonlyrootfilesystem"
    }


@pytest.mark.parametrize(("chart", "values"), CASES, ids=IDS)
def test_every_scratch_volume_has_a_limit(chart: str, values: dict[str, Any]) -> None:
    for label, pod in pods(objects(chart, values)):
        scratch = [volume["emptyDir"] for volume in pod["spec"].get("volumes", []) if "emptyDir" in volume]
        assert all("sizeLimit" in one for one in scratch), label
