"""Every object that is rendered is what its API knows, to the last field: kubeconform, on the node's own schemas."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from chart import rendering, schemas
from chart.matrix import CASES, IDS
from chart.rendering import ROOT, named, objects

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.yaml"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schemas of every kind that there is."""
    made = tmp_path_factory.mktemp("schemas")
    schemas.write(made, Path(rendering.checkers()["schemas"]), ROOT / "crds")
    return made


def complaints(folder: Path, manifests: str) -> list[str]:
    """What kubeconform says against manifests; a kind without a schema is a complaint as well."""
    command = [rendering.checkers()["kubeconform"], "-strict", "-verbose", "-output", "json"]
    where = ["-schema-location", str(folder / schemas.LOCATION)]
    told = subprocess.run([*command, *where], input=manifests, capture_output=True, text=True, check=False)
    verdicts = [one for one in json.loads(told.stdout)["resources"] if one["status"] != "statusEmpty"]
    assert len(verdicts) == sum(1 for one in yaml.safe_load_all(manifests) if one), told.stderr
    return [f"{one['kind']}/{one['name']}: {one['msg']}" for one in verdicts if one["status"] != "statusValid"]


@pytest.mark.parametrize(("chart", "values"), CASES, ids=IDS)
def test_every_object_has_only_fields_that_its_kind_knows(folder: Path, chart: str, values: dict[str, Any]) -> None:
    assert complaints(folder, rendering.text(chart, values)) == []


@pytest.mark.parametrize("file", EXAMPLES, ids=[file.name for file in EXAMPLES])
def test_every_example_has_only_fields_that_its_kind_knows(folder: Path, file: Path) -> None:
    assert complaints(folder, file.read_text()) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "anotations"), {}),
        (("spec", "replica"), 2),
        (("spec", "replicas"), "2"),
        (("spec", "template", "spec", "containers", 0, "livenessProbes"), {}),
        (("spec", "template", "spec", "containers", 0, "resources", "limits", "memory"), True),
        (("spec", "template", "spec", "securityContext", "runAsNonroot"), True),
    ],
)
def test_a_mistyped_field_is_found_wherever_it_stands(folder: Path, path: tuple[Any, ...], value: Any) -> None:
    broken = json.loads(json.dumps(named(objects("palio-operator"), "Deployment", "palio-operator")))
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert len(complaints(folder, yaml.safe_dump(broken))) == 1


def test_a_mistyped_field_of_our_own_kinds_is_found(folder: Path) -> None:
    example = yaml.safe_load((ROOT / "docs/examples/tournament.yaml").read_text())
    mistyped = example | {"spec": example["spec"] | {"prizepool": 1}}
    assert len(complaints(folder, yaml.safe_dump(mistyped))) == 1


def test_a_field_that_is_told_twice_is_found(folder: Path) -> None:
    twice = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nmetadata: {name: b}\n"
    assert len(complaints(folder, twice)) == 1


def test_a_kind_that_nobody_defines_is_found(folder: Path) -> None:
    stranger = {"apiVersion": "palio.gg/v1alpha1", "kind": "Season", "metadata": {"name": "one"}}
    assert len(complaints(folder, yaml.safe_dump(stranger))) == 1
