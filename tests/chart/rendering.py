"""Charts as Helm renders them: once for each set of values, read as objects."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ROOT / "charts"
NAMES = ("palio", "palio-data", "palio-operator")
KUBERNETES = "1.34.0"
NAMESPACE = "games"

Object = dict[str, Any]


@cache
def checkers() -> dict[str, str]:
    """Programs that judge charts by name, and `schemas`; empty if they were not built here before."""
    command = [sys.executable, str(ROOT / "hack" / "cluster.py"), "checkers"]
    never = os.environ | {"PALIO_BUILD": "never"}
    told = subprocess.run(command, env=never, capture_output=True, text=True, check=False)
    return {} if told.returncode else dict(json.loads(told.stdout))


@dataclass
class Failed(Exception):
    """Helm refused."""

    said: str


def run(*arguments: str) -> str:
    """What Helm says.

    Raises:
        Failed: it refused.
    """
    done = subprocess.run([checkers()["helm"], *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(done.stdout + done.stderr)
    return done.stdout


@cache
def _rendered(chart: str, values: str) -> str:
    command = ["template", chart, str(CHARTS / chart), "--namespace", NAMESPACE, "--kube-version", KUBERNETES]
    return run(*command, *_sets(json.loads(values)))


def _sets(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        yield from ("--set-json", f"{key}={json.dumps(value)}")


def text(chart: str, values: Mapping[str, Any] | None = None) -> str:
    """The chart as YAML; keys of `values` are paths, `services.user.replicas`."""
    return _rendered(chart, json.dumps(values or {}, sort_keys=True))


def notes(chart: str, scratch: Path, values: Mapping[str, Any] | None = None) -> str:
    """What Helm says after installing; `helm template` leaves that out, so a copy of the chart has it as an object."""
    copy = shutil.copytree(CHARTS / chart, scratch / chart)
    (copy / "templates" / "NOTES.txt").rename(copy / "notes.txt")
    (copy / "templates" / "notes.yaml").write_text('kind: Notes\ntext: {{ tpl (.Files.Get "notes.txt") . | toJson }}\n')
    show = ["--show-only", "templates/notes.yaml", "--namespace", NAMESPACE, "--kube-version", KUBERNETES]
    return str(yaml.safe_load(run("template", chart, str(copy), *show, *_sets(values or {})))["text"])


def objects(chart: str, values: Mapping[str, Any] | None = None) -> list[Object]:
    """The chart as objects."""
    return [document for document in yaml.safe_load_all(text(chart, values)) if document]


def kinds(found: list[Object], *names: str) -> list[Object]:
    """Those of some kinds."""
    return [one for one in found if one["kind"] in names]


def named(found: list[Object], kind: str, name: str) -> Object:
    """The one object of that kind and name."""
    (one,) = [one for one in kinds(found, kind) if one["metadata"]["name"] == name]
    return one


def pods(found: list[Object]) -> Iterator[tuple[str, Object]]:
    """Everything that becomes a pod, with a name for messages: metadata and spec."""
    for one in found:
        label = f"{one['kind']}/{one['metadata']['name']}"
        spec = one.get("spec", {})
        if one["kind"] == "Pod":
            yield label, one
        elif one["kind"] == "CronJob":
            yield label, spec["jobTemplate"]["spec"]["template"]
        elif one["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield label, spec["template"]


def containers(pod: Object) -> list[Object]:
    """All containers of a pod."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def environment(container: Object) -> dict[str, Any]:
    """Name → value, or where it comes from."""
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container.get("env", [])}
