"""Skaffold and Tilt build and install what `make up` does: the same images, charts, values and ports."""

import ast
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

ROOT = Path(__file__).resolve().parents[3]
CHARTS = ("palio-data", "palio", "palio-operator")
NOT_STARLARK = (
    ast.JoinedStr, ast.ClassDef, ast.Import, ast.ImportFrom, ast.While, ast.Try, ast.With, ast.Yield, ast.Set,
    ast.AsyncFunctionDef, ast.NamedExpr, ast.Raise, ast.Assert, ast.Global, ast.Is, ast.IsNot, ast.Starred,
)  # fmt: skip


@dataclass(frozen=True)
class Release:
    """One chart as it is installed: which value takes which image, and what else is set."""

    images: Mapping[str, str]
    values: Mapping[str, str]


@dataclass
class Loop:
    """What a dev loop builds and installs, in its order."""

    images: dict[str, dict[str, str]] = field(default_factory=dict)
    releases: dict[str, Release] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    flags: dict[str, list[str]] = field(default_factory=dict)


class Stopped(Exception):
    """The Tiltfile called `fail`."""


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


@cache
def kind() -> dict[str, Any]:
    config: dict[str, Any] = read("kind-config.yaml")
    return config


def text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def skaffold() -> Loop:
    config, loop = read("skaffold.yaml"), Loop()
    for artifact in config["build"]["artifacts"]:
        assert artifact["context"] == "."
        loop.images[artifact["image"]] = artifact["docker"]["buildArgs"]
    for release in config["deploy"]["helm"]["releases"]:
        assert release["chartPath"] == f"charts/{release['name']}"
        assert release["namespace"] == "palio"
        images = {key: named_image(value) for key, value in release["setValueTemplates"].items()}
        values = {key: text(value) for key, value in release.get("setValues", {}).items()}
        loop.releases[release["name"]] = Release(images, values)
    return loop


def named_image(template: str) -> str:
    """The image of a template: Skaffold writes `_` for what a template's name may not hold."""
    found = re.fullmatch(r"\{\{\.IMAGE_FULLY_QUALIFIED_(\w+)\}\}", template)
    assert found, template
    return found[1].replace("_", "-")


def run_tiltfile(context: str) -> Loop:
    """The Tiltfile run as Python, of which it is a subset, with functions that write down how they were called."""
    loop = Loop()

    def fail(why: str) -> None:
        raise Stopped(why)

    def docker_build(name: str, folder: str, *, build_args: dict[str, str]) -> None:
        assert folder == "."
        loop.images[name] = build_args

    def helm_resource(name: str, chart: str, **how: Any) -> None:
        assert chart == f"charts/{name}"
        assert (how["namespace"], how["deps"]) == ("palio", [chart])
        assert how["resource_deps"] == list(loop.releases)[-1:], "one after the other"
        sets = [flag.removeprefix("--set=").split("=", 1) for flag in how["flags"] if flag.startswith("--set=")]
        images = dict(zip(how["image_keys"], how["image_deps"], strict=True))
        loop.releases[name] = Release(images, dict(sets))
        loop.flags[name] = [flag for flag in how["flags"] if not flag.startswith("--set=")]

    def k8s_resource(name: str, *, links: list[str]) -> None:
        assert name in loop.releases
        loop.links += links

    names: dict[str, Callable[..., Any]] = {
        "load": lambda *_: None, "k8s_context": lambda: context, "link": lambda url, _: url, "fail": fail,
        "docker_build": docker_build, "helm_resource": helm_resource, "k8s_resource": k8s_resource,
    }  # fmt: skip
    exec(compile((ROOT / "Tiltfile").read_text(), "Tiltfile", "exec"), dict(names))
    return loop


@cache
def tilt() -> Loop:
    return run_tiltfile(f"kind-{kind()['name']}")


LOOPS = pytest.mark.parametrize("loop", [skaffold, tilt], ids=["skaffold", "tilt"])


@cache
def images_of_the_repository() -> dict[str, dict[str, str]]:
    spec = importlib.util.spec_from_file_location("palio_images_tool", ROOT / "tools" / "images.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return {f"palio-{image.name}": image.build_arguments() for image in module.images()}


@cache
def leaves(chart: str) -> dict[str, Any]:
    """The chart's values by path."""
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(inner, f"{path}.{key}" if path else key)
        else:
            found[path] = value

    walk(read(f"charts/{chart}/values.yaml"), "")
    return found


@LOOPS
def test_every_image_is_built_with_the_arguments_that_the_dockerfile_asks_for(loop: Callable[[], Loop]) -> None:
    assert loop().images == images_of_the_repository()


@LOOPS
def test_the_charts_are_installed_in_the_order_in_which_they_need_one_another(loop: Callable[[], Loop]) -> None:
    assert tuple(loop().releases) == CHARTS


@LOOPS
@pytest.mark.parametrize("chart", CHARTS)
def test_every_image_of_ours_that_a_chart_runs_is_one_that_was_built(loop: Callable[[], Loop], chart: str) -> None:
    taken = {key for key, value in leaves(chart).items() if key.endswith(".image") and value == ""}
    given = loop().releases[chart].images
    assert given.keys() == taken
    assert set(given.values()) <= loop().images.keys()
    assert {key: image for key, image in given.items() if key.removesuffix(".image").split(".")[-1] != image[6:]} == (
        {"payout.image": "palio-tournament", "loadTest.image": "palio-generator"} if chart == "palio-operator" else {}
    )


@LOOPS
@pytest.mark.parametrize("chart", CHARTS)
def test_every_value_that_is_set_is_one_of_the_chart(loop: Callable[[], Loop], chart: str) -> None:
    schema = read(f"charts/{chart}/values.schema.json")
    for key, value in loop().releases[chart].values.items():
        assert key in leaves(chart)
        rule = schema
        for part in key.split("."):
            rule = rule["properties"][part]
        assert value in rule.get("enum", [value])
        assert rule.get("type", "string") == ("boolean" if value in ("true", "false") else "string")


def test_skaffold_and_tilt_install_the_same() -> None:
    assert skaffold().releases == tilt().releases
    flags = read("skaffold.yaml")["deploy"]["helm"]["flags"]
    assert flags["install"] == flags["upgrade"]
    assert all(tilt().flags[chart] == ["--create-namespace", *flags["install"]] for chart in CHARTS)


def test_tournaments_are_run_by_the_operator_that_is_installed() -> None:
    assert skaffold().releases["palio"].values["tournaments.runBy"] == "operator"


def test_no_other_cluster_than_the_one_of_kind_is_touched() -> None:
    assert read("skaffold.yaml")["deploy"]["kubeContext"] == f"kind-{kind()['name']}"
    with pytest.raises(Stopped):
        run_tiltfile("production")


def test_the_nodes_ports_lead_to_the_ports_that_the_services_have_everywhere() -> None:
    (node,) = kind()["nodes"]
    mapped = {one["containerPort"]: one["hostPort"] for one in node["extraPortMappings"]}
    template = (ROOT / "charts/palio/templates/_components.tpl").read_text()
    wanted = {name: int(port) for name, port in re.findall(r"^(\w+): +\{port: (\d+)", template, re.MULTILINE)}
    ui = re.search(r'define "palio.uiPort" -\}\}(\d+)', template)
    assert ui
    ports = {name: port for name, port in read("charts/palio/values.yaml")["nodePorts"].items() if name != "enabled"}
    assert {name: mapped[port] for name, port in ports.items()} == {
        "ui": int(ui[1]), "gateway": wanted["gateway"], "websocket": wanted["websocket"],
    }  # fmt: skip
    assert {one["listenAddress"] for one in node["extraPortMappings"]} == {"127.0.0.1"}


def test_tilts_links_lead_to_ports_of_the_node() -> None:
    (node,) = kind()["nodes"]
    hosts = {f"{one['listenAddress']}:{one['hostPort']}" for one in node["extraPortMappings"]}
    assert tilt().links
    assert [link for link in tilt().links if link.split("/")[2] not in hosts] == []


def test_the_tiltfile_keeps_to_what_starlark_has() -> None:
    tree = ast.parse((ROOT / "Tiltfile").read_text())
    assert [node for node in ast.walk(tree) if isinstance(node, NOT_STARLARK)] == []
