"""hack/cluster.py before a Docker and a kind that only play: what it asks where images can be pulled, and where not."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCKER = """#!/bin/sh
echo "docker $*" >> {log}
case "$1 $2" in
  "image inspect") exec {there} ;;
  "pull -q") exec {pulls} ;;
  "inspect --format") echo {image} ;;
  "cp --follow-link") echo "the node's kubectl" > "$4" ;;
esac
"""
KIND = """#!/bin/sh
echo "kind $*" >> {log}
while [ $# -gt 0 ]; do
  if [ "$1" = --config ]; then while read -r line; do echo "config: $line" >> {log}; done < "$2"; fi
  shift
done
"""
GO = """#!/bin/sh
echo "go $*" >> {log}
exit 1
"""
OFFICIAL, OWN = "kindest/node:v1.34.11@sha256:44", "palio.local/node:v1.34.10-abc"


@dataclass(frozen=True)
class Machine:
    """Programs that play, alone on PATH, and what was asked of them."""

    folder: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": str(self.folder / "bin"), "PALIO_CACHE": str(self.folder / "cache")}
        command = [sys.executable, str(ROOT / "hack" / "cluster.py"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def asked(self, program: str) -> list[str]:
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line for line in lines if line.startswith(program)]


Make = Callable[..., Machine]


@pytest.fixture
def machine(tmp_path: Path) -> Make:
    def make(*, there: bool = False, pulls: bool = False, image: str = OFFICIAL) -> Machine:
        (tmp_path / "bin").mkdir()
        words = {"there": "/bin/true" if there else "/bin/false", "pulls": "/bin/true" if pulls else "/bin/false"}
        for name, text in {"docker": DOCKER, "kind": KIND, "go": GO}.items():
            program = tmp_path / "bin" / name
            program.write_text(text.format(log=tmp_path / "log", image=image, **words))
            program.chmod(0o755)
        return Machine(tmp_path)

    return make


@pytest.mark.parametrize(("there", "pulled"), [(False, 1), (True, 0)])
def test_the_official_node_is_taken_by_its_digest_and_nothing_is_built(machine: Make, there: bool, pulled: int) -> None:
    played = machine(there=there, pulls=True)
    done = played.run("up", "--private", "--name", "one")
    assert done.returncode == 0, done.stderr
    (created,) = played.asked("kind create cluster --name one")
    minor = re.search(r'^KUBERNETES = "(\d+\.\d+)\.', (ROOT / "hack" / "toolchain.py").read_text(), re.MULTILINE)
    assert minor is not None
    assert re.search(rf" --image kindest/node:v{re.escape(minor[1])}\.\d+@sha256:[0-9a-f]{{64}} ", created)
    assert len(played.asked("docker pull")) == pulled
    config = "\n".join(played.asked("config:"))
    assert "containerPort: 30300" in config
    assert "disableDefaultCNI" not in config
    assert "imageRepository" not in config
    assert played.asked("go ") == []


def test_without_a_registry_the_node_is_built(machine: Make) -> None:
    played = machine()
    done = played.run("up", "--private", "--name", "one")
    assert done.returncode != 0
    assert "cannot be pulled: the node is built from package registries" in done.stderr
    assert played.asked("kind create") == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the node's kubectl does not run")
@pytest.mark.parametrize("image", [OFFICIAL, OWN])
def test_kubectl_is_copied_out_of_the_node_once_and_never_built(machine: Make, image: str) -> None:
    played = machine(image=image)
    first, second = (played.run("tool", "kubectl", "--name", "one") for _ in range(2))
    assert (first.returncode, first.stdout) == (0, second.stdout), first.stderr
    assert Path(first.stdout.strip()).read_text() == "the node's kubectl\n"
    (copied,) = played.asked("docker cp")
    assert "one-control-plane:/usr/bin/kubectl" in copied
    assert played.asked("go ") == []


def test_services_are_built_on_official_images_where_the_node_is_official(machine: Make) -> None:
    played = machine()
    assert json.loads(played.run("bases", "--name", "one").stdout) == {}
    assert played.asked("docker build") == []


def test_what_may_not_be_built_is_refused_and_leaves_nothing(machine: Make) -> None:
    played = machine()
    command = [sys.executable, str(ROOT / "hack" / "cluster.py"), "checkers"]
    environment = {"PATH": str(played.folder / "bin"), "PALIO_CACHE": str(played.folder / "cache")}
    done = subprocess.run(
        command, env=environment | {"PALIO_BUILD": "never"}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "was not built before" in done.stderr
    assert not (played.folder / "cache").exists()
    assert played.asked("go ") == []
