"""Every chart: lints, refuses what it does not know, agrees with its siblings and with what the examples say."""

import json
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from chart import rendering
from chart.matrix import CASES, IDS
from chart.rendering import CHARTS, KUBERNETES, NAMES, ROOT, Failed, objects, run

charts = pytest.mark.parametrize("chart", NAMES)


@charts
def test_it_lints(chart: str) -> None:
    run("lint", "--strict", "--kube-version", KUBERNETES, str(CHARTS / chart))


@pytest.mark.parametrize(("chart", "values"), CASES, ids=IDS)
def test_it_renders(chart: str, values: dict[str, Any]) -> None:
    assert objects(chart, values)


def _paths(values: Any, prefix: str = "") -> list[str]:
    """Every object in the values, as a path."""
    if not isinstance(values, dict):
        return []
    free = {"env", "annotations", "parameters", "matchLabels"}
    below = [path for key, value in values.items() if key not in free for path in _paths(value, f"{prefix}{key}.")]
    return [prefix, *below]


def _all_paths() -> list[tuple[str, str]]:
    return [
        (chart, path)
        for chart in NAMES
        for path in _paths(yaml.safe_load((CHARTS / chart / "values.yaml").read_text()))
    ]


@pytest.mark.parametrize(("chart", "path"), _all_paths())
def test_an_unknown_key_is_refused_wherever_it_stands(chart: str, path: str) -> None:
    with pytest.raises(Failed, match=r"(?i)additional propert|not allowed"):
        rendering.text(chart, {f"{path}mistyped": 1})


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("palio", {"profile": "testing"}),
        ("palio", {"services.user.replicas": -1}),
        ("palio", {"services.user.replicas": "many"}),
        ("palio", {"services.user.env": {"PATH": "/tmp"}}),
        ("palio", {"services.user.env": {"PALIO_HASH_THREADS": 2}}),
        ("palio", {"services.user.resources.limits": {"memory": "lots"}}),
        ("palio", {"services.score.autoscaling": {"enabled": True, "min": 4, "max": 2, "cpuPercent": 50}}),
        ("palio", {"nodePorts.ui": 3000}),
        ("palio", {"origins": ["play.example.org"]}),
        ("palio", {"identity.jwksUrl": "http://issuer.example.org"}),
        ("palio", {"identity.jwksUrl": "https://issuer.example.org/keys"}),
        ("palio", {"database.roles": {"gateway": {"secret": "a", "key": "b"}}}),
        ("palio-data", {"redis.maxMemory": "50%"}),
        ("palio-data", {"postgres.user": 0}),
        ("palio-operator", {"cleanup.mode": "Forget"}),
        ("palio-operator", {"watch.namespaces": ["Games"]}),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(chart: str, values: dict[str, Any]) -> None:
    with pytest.raises(Failed):
        rendering.text(chart, values)


@charts
def test_every_value_is_in_the_schema_and_the_other_way_round(chart: str) -> None:
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text())
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())
    assert set(schema["properties"]) - {"global"} == set(values)


@charts
def test_what_charts_share_is_the_same_in_each(chart: str) -> None:
    house = "templates/_house.tpl"
    assert (CHARTS / chart / house).read_text() == (CHARTS / "palio" / house).read_text()


@charts
def test_charts_are_released_together(chart: str) -> None:
    own, first = (yaml.safe_load((CHARTS / name / "Chart.yaml").read_text()) for name in (chart, "palio"))
    assert (own["version"], own["appVersion"], own["kubeVersion"]) == (
        first["version"], first["appVersion"], first["kubeVersion"],
    )  # fmt: skip
    assert own["name"] == chart


@charts
def test_notes_name_only_what_there_is(chart: str) -> None:
    notes = (CHARTS / chart / "templates" / "NOTES.txt").read_text()
    assert "kubectl" in notes


def test_the_example_has_a_kind_that_is_defined() -> None:
    example = yaml.safe_load((ROOT / "docs/examples/tournament.yaml").read_text())
    definition = yaml.safe_load((ROOT / "crds/tournament.yaml").read_text())["spec"]
    version = definition["versions"][0]
    assert example["apiVersion"] == f"{definition['group']}/{version['name']}"
    known = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert example["spec"].keys() <= known.keys()
