"""What the guides to the cluster say is what charts, definitions and operator do."""

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

ROOT = Path(__file__).resolve().parents[3]
GUIDES = {name: (ROOT / "docs" / name).read_text() for name in ("install.md", "resources.md", "gitops.md")}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETS = re.compile(r"--set(?:-string|-json)?[ =]['\"]?([a-zA-Z.]+)=")
WAITING_REASON = re.compile(r'(?:Error|BackOff|Pull|Name|NeverPull)": "(\w+)"')
CONDITION = re.compile(r'Condition\("(\w+)", (TRUE|FALSE|UNKNOWN), "(\w+)"')


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for name, text in GUIDES.items():
        yield from ((name, body) for kind, body in FENCE.findall(text) if kind == language)


def commands() -> list[str]:
    """Every line of every shell block, continuations joined, comments left out."""
    lines = (line for _, body in blocks("bash") for line in body.replace("\\\n", " ").splitlines())
    return [" ".join(shlex.split(line, comments=True)) for line in lines]


@cache
def schema(chart: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "charts" / chart / "values.schema.json").read_text())
    return found


def knows(chart: str, key: str) -> bool:
    rule = schema(chart)
    for part in key.split("."):
        properties = rule.get("properties", {})
        if part not in properties:
            return False
        rule = properties[part]
        if "$ref" in rule:
            rule = schema(chart)["$defs"][rule["$ref"].rpartition("/")[2]]
    return True


def keys(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield path + key
        if isinstance(value, dict):
            yield from keys(value, f"{path}{key}.")


def misfits(value: Any, rule: Mapping[str, Any], path: str) -> Iterator[str]:
    """Where a value is not what a definition's schema asks for: names, enumerations and what is required."""
    if "enum" in rule and value not in rule["enum"]:
        yield f"{path}: {value}"
    if isinstance(value, dict) and "properties" in rule:
        yield from (f"{path} lacks {name}" for name in rule.get("required", []) if name not in value)
        for name, inner in value.items():
            if name not in rule["properties"]:
                yield f"{path}.{name}"
            else:
                yield from misfits(inner, rule["properties"][name], f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from misfits(inner, rule["items"], f"{path}[]")


SHORT = {"Tournament": "trn", "LoadTest": "ldt"}
KINDS = pytest.mark.parametrize("kind", SHORT)
OPERATOR = ROOT / "operator/src/palio_operator"
SOURCES = {
    "Tournament": [OPERATOR / name for name in ("conditions.py", "records.py", "domain.py")],
    "LoadTest": sorted((OPERATOR / "loadtests").glob("*.py")),
}


@cache
def definition(kind: str = "Tournament") -> dict[str, Any]:
    (version,) = yaml.safe_load((ROOT / f"crds/{kind.lower()}.yaml").read_text())["spec"]["versions"]
    found: dict[str, Any] = version
    return found


@cache
def page(kind: str) -> str:
    """What is said of one kind of resource."""
    tournament, title, loadtest = GUIDES["resources.md"].partition("\n# LoadTest\n")
    assert title
    return tournament if kind == "Tournament" else loadtest


@cache
def told_conditions(kind: str = "Tournament") -> set[tuple[str, str, str]]:
    """Type, status and reason of each condition that the operator's code names outright."""
    source = next(file for file in SOURCES[kind] if file.name == "conditions.py").read_text()
    return {(type_, status.capitalize(), reason) for type_, status, reason in CONDITION.findall(source)}


@cache
def documented_conditions(kind: str = "Tournament") -> set[tuple[str, str, str]]:
    rows = re.findall(r"^\| `([A-Z]\w+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", page(kind), re.MULTILINE)
    return {
        (kind, status, reason)
        for kind, *cells in rows
        for status, cell in zip(("True", "False", "Unknown"), cells, strict=True)
        for reason in re.findall(r"\b[A-Z][A-Za-z]+\b", re.sub(r"`\w+`", "", cell))
    }


def test_helm_is_given_charts_that_are_there_and_values_that_they_know() -> None:
    given = [line for line in commands() if line.startswith("helm ") and "charts/" in line]
    assert len(given) >= 5
    for line in given:
        verb, release, chart = line.split()[1:4]
        assert (verb in ("install", "upgrade"), chart) == (True, f"charts/{release}"), line
        assert [key for key in SETS.findall(line) if not knows(release, key)] == [], line


@pytest.mark.parametrize("guide", GUIDES)
def test_every_value_that_is_set_is_one_of_some_chart(guide: str) -> None:
    charts = [folder.parent.name for folder in ROOT.glob("charts/*/Chart.yaml")]
    assert [key for key in SETS.findall(GUIDES[guide]) if not any(knows(chart, key) for chart in charts)] == []


def test_every_value_that_is_named_is_one_of_some_chart() -> None:
    charts = {
        folder.parent.name: schema(folder.parent.name)["properties"] for folder in ROOT.glob("charts/*/Chart.yaml")
    }
    sections = {key for properties in charts.values() for key in properties}
    named = set(
        re.findall(r"`([a-z][a-zA-Z]*(?:\.[a-zA-Z]+)+)(?:=\w+|: \w+)?`", GUIDES["install.md"] + GUIDES["gitops.md"])
    )
    assert named
    assert [
        key for key in sorted(named)
        if key.split(".")[0] in sections and not any(knows(chart, key) for chart in charts)
    ] == []  # fmt: skip


def test_the_values_of_a_flux_release_are_values_of_its_chart() -> None:
    releases = [
        document
        for _, body in blocks("yaml")
        for document in yaml.safe_load_all(body)
        if document["kind"] == "HelmRelease"
    ]
    assert releases
    for release in releases:
        name = release["metadata"]["name"]
        assert release["spec"]["chart"]["spec"]["chart"] == f"./charts/{name}"
        assert [key for key in keys(release["spec"]["values"]) if not knows(name, key)] == []


@KINDS
def test_every_resource_that_is_shown_is_one_that_the_definition_allows(kind: str) -> None:
    shown = [document for _, body in blocks("yaml") for document in yaml.safe_load_all(body)]
    shown += [yaml.safe_load(file.read_text()) for file in ROOT.glob("docs/examples/*.yaml")]
    resources = [one for one in shown if one["kind"] == kind]
    assert len(resources) >= 2
    for resource in resources:
        assert list(misfits(resource, definition(kind)["schema"]["openAPIV3Schema"], kind)) == []


@KINDS
def test_every_field_of_a_spec_is_told_and_no_other(kind: str) -> None:
    spec = definition(kind)["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    section = re.split(r"^## Spec.*$", page(kind), flags=re.MULTILINE)[1].partition("\n\n")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    told = {name.removesuffix("[]") for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    fields = {
        f"{name}.{inner}" if rule["type"] == "object" else name
        for name, rule in spec.items()
        for inner in (rule["properties"] if rule["type"] == "object" else [""])
    }
    assert told == fields


@KINDS
def test_every_default_of_a_spec_is_told_as_it_is(kind: str) -> None:
    spec = definition(kind)["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    told = dict(re.findall(r"^\| `([\w.]+)` \| `?([\w/]+)`? \|", page(kind), re.MULTILINE))
    for name, default in told.items():
        rule: dict[str, Any] = {"properties": spec}
        for part in name.split("."):
            rule = rule["properties"].get(part, {"properties": {}})
        assert "default" not in rule or str(rule["default"]) == default, name


@KINDS
def test_every_condition_that_the_operator_tells_is_explained(kind: str) -> None:
    assert told_conditions(kind)
    assert told_conditions(kind) - documented_conditions(kind) == set()


@KINDS
def test_no_condition_is_explained_that_the_operator_does_not_tell(kind: str) -> None:
    source = "".join(file.read_text() for file in SOURCES[kind])
    others = documented_conditions(kind) - told_conditions(kind)
    assert {reason for _, _, reason in others if f'"{reason}"' not in source} == set()


def test_every_way_in_which_a_load_test_ends_is_explained_and_no_other() -> None:
    table = page("LoadTest").partition("| why it ended | what happened |")[2].partition("\n\n")[0]
    told = {reason for cell in re.findall(r"^\| ([A-Z][^|]*) \|", table, re.MULTILINE)
            for reason in re.findall(r"\b[A-Z]\w+\b", cell)}  # fmt: skip
    source = "".join(file.read_text() for file in SOURCES["LoadTest"])
    named = set(re.findall(r'(?:Trouble|Refusal|Ending)\(\s*"(\w+)"', source)) | set(WAITING_REASON.findall(source))
    assert told == named - {"Passed", "ThresholdsMissed", "Inconclusive", "Stopped"}


@KINDS
def test_the_columns_and_phases_are_those_of_the_definition(kind: str) -> None:
    columns = definition(kind)["additionalPrinterColumns"]
    plain = ", ".join(one["name"] for one in columns if not one.get("priority"))
    wide = ", ".join(one["name"] for one in columns if one.get("priority"))
    assert f"Columns of `kubectl get {SHORT[kind]}`: {plain}; with `-o wide` also {wide}." in page(kind)
    status = definition(kind)["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    table = page(kind).partition("| phase | means |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| ([A-Z]\w+) \|", table, re.MULTILINE)) == set(status["phase"]["enum"])


def test_the_annotations_are_those_that_the_operator_reads() -> None:
    source = "\n".join(
        (ROOT / f"operator/src/palio_operator/{name}.py").read_text() for name in ("models", "resources")
    )
    read = {
        f"palio.gg/{name}"
        for name in re.findall(r'^(?:ADOPT|RETRY|PAUSE) = f"\{GROUP\}/([\w-]+)"', source, re.MULTILINE)
    }
    assert set(re.findall(r"^\| `(palio\.gg/[\w-]+):", GUIDES["resources.md"], re.MULTILINE)) == read


def test_kubectl_waits_for_conditions_and_selects_by_fields_that_there_are() -> None:
    text = "\n".join(GUIDES.values())
    for kind, short in SHORT.items():
        awaited = set(re.findall(rf"--for=condition=(\w+)(?:=\w+)? {short}/", text))
        assert awaited
        assert awaited <= {type_ for type_, _, _ in told_conditions(kind)}
    selectable = {one["jsonPath"].removeprefix(".") for kind in SHORT for one in definition(kind)["selectableFields"]}
    assert set(re.findall(r"--field-selector ([\w.]+)=", text)) <= selectable


def test_health_checks_look_at_conditions_and_reasons_that_there_are() -> None:
    page = GUIDES["gitops.md"]
    kinds = {kind for kind, _, _ in told_conditions()}
    reasons = {reason for _, _, reason in told_conditions()}
    assert set(re.findall(r"\bis\.(\w+)", page)) <= kinds
    assert set(re.findall(r"c\.type == '(\w+)'", page)) <= kinds
    assert set(re.findall(r'reason [=~]= "(\w+)"', page)) <= reasons
