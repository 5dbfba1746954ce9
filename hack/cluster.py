"""A real kind cluster: `python hack/cluster.py COMMAND`; the commands are below.

Where `kindest/node` can be pulled it is used as it is; where not, the node image is built here (images.py). A cluster
whose making was interrupted is made anew; one that is there is only started.
"""

import argparse
import json
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import engine
import images
import toolchain
from cache import CACHE, HACK, cached, say

NAME = "palio"
CONFIG = HACK.parent / "kind-config.yaml"
NODE_IMAGE = "kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d"
"""What the notes of our kind's release list for the minor version that we build: each release has its own images."""
WAIT_S = 180
PULL_TIMEOUT_S = 300
DISK_BYTES_MIN = 12 * 1024**3
_HOST_PORT = re.compile(r"hostPort: (\d+)")

# What our own node needs besides: its images have another name, and its host may not lower OOM scores.
OWN_NODE = f"""
networking: {{disableDefaultCNI: true}}
kubeadmConfigPatches:
- |
  kind: ClusterConfiguration
  imageRepository: {images.REGISTRY}
- |
  kind: KubeletConfiguration
  oomScoreAdj: 0
- |
  kind: KubeProxyConfiguration
  oomScoreAdj: 0
"""


def up(name: str, *, private: bool) -> None:
    """Create the cluster unless it is there, and start it if it is stopped."""
    engine.ensure()
    unfinished = CACHE / f"{name}.unfinished"
    if name in _clusters() and unfinished.exists():
        say(f"removing the cluster {name}: its making was interrupted")
        _kind("delete", "cluster", "--name", name)
    if name in _clusters():
        _start(name)
        return
    config = CONFIG.read_text()
    if not private:
        _demand_free(config)
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    _create(name, _HOST_PORT.sub("hostPort: 0", config) if private else config, private=private)
    unfinished.unlink()


def down(name: str) -> None:
    """Delete the cluster, and end the Docker engine if it was ours and nothing runs in it any more."""
    if engine.answers():
        if name in _clusters():
            _kind("delete", "cluster", "--name", name)
            say(f"removed the cluster {name}")
        if _clusters() or _docker("ps", "--quiet").strip():
            return
    engine.stop()


def kubeconfig(name: str) -> str:
    """The cluster's kubeconfig."""
    return _kind("get", "kubeconfig", "--name", name)


def ports(name: str) -> dict[str, int]:
    """Ports of the node → where they are on this machine."""
    told = _docker("inspect", "--format", "{{json .NetworkSettings.Ports}}", _node(name))
    return {port.partition("/")[0]: int(at[0]["HostPort"]) for port, at in json.loads(told).items() if at}


def bases(name: str) -> dict[str, str]:
    """Images to build on, where the node is our own because official ones cannot be pulled; otherwise none."""
    if not _node_image(name).startswith(images.REGISTRY):
        return {}
    return {"python": images.python_base(), "postgres": images.postgres_image(), "redis": images.redis_image()}


def load(name: str, references: Sequence[str]) -> None:
    """Put local images into the cluster's node, those that it does not have."""
    _kind("load", "docker-image", "--name", name, *references)


def tool(name: str, program: str) -> str:
    """The path of helm, kubectl or kind; kubectl is the cluster's own."""
    return str(_kubectl(name) if program == "kubectl" else toolchain.tool(program))


def _kubectl(name: str) -> Path:
    """The one on PATH, or a copy of the one in the node, which fits its API server and is there already."""
    found = shutil.which("kubectl")
    if found:
        return Path(found)
    if platform.system() != "Linux":
        raise SystemExit("kubectl is needed, and the node's is for Linux: install it")
    return cached("kubectl", [_node_image(name)], lambda folder: _copy_kubectl(name, folder / "kubectl")) / "kubectl"


def _copy_kubectl(name: str, to: Path) -> None:
    _docker("cp", "--follow-link", f"{_node(name)}:/usr/bin/kubectl", str(to))


def _create(name: str, config: str, *, private: bool) -> None:
    if _can_pull():
        image = NODE_IMAGE
    else:
        _announce()
        config, image = config + OWN_NODE, images.node_image()
    say(f"creating the cluster {name} (30 s)")
    # A private cluster leaves the user's kubeconfig, and what is current in it, alone.
    into = ["--kubeconfig", str(CACHE / f"{name}.kubeconfig")] if private else []
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config)
        file.flush()
        _kind(
            "create", "cluster", "--name", name, "--config", file.name, "--image", image, "--wait", f"{WAIT_S}s", *into
        )


def _start(name: str) -> None:
    say(f"the cluster {name} is there")
    _docker("start", _node(name))
    ask = "kubectl --kubeconfig /etc/kubernetes/admin.conf wait --for=condition=Ready node --all --timeout=5s"
    again = f"for i in $(seq {WAIT_S // 2}); do {ask} >/dev/null 2>&1 && exit 0; sleep 2; done; {ask}"
    _docker("exec", _node(name), "sh", "-c", again)


def _announce() -> None:
    """What making the node will cost, and a refusal where it cannot end well."""
    say(f"{NODE_IMAGE.partition('@')[0]} cannot be pulled: the node is built from package registries")
    if any(CACHE.glob("kubernetes-*")):
        return
    say(f"this first time takes 15 min on two cores and 6 GB in {CACHE} and Go's caches; after that 40 s")
    place = next(folder for folder in (CACHE, *CACHE.parents) if folder.exists())
    if shutil.disk_usage(place).free < DISK_BYTES_MIN:
        raise SystemExit(
            f"less than {DISK_BYTES_MIN // 1024**3} GB are free in {place}; PALIO_CACHE names another place"
        )


def _demand_free(config: str) -> None:
    taken = [port for port in map(int, _HOST_PORT.findall(config)) if _is_taken(port)]
    if taken:
        raise SystemExit(f"taken on this machine: port {', '.join(map(str, taken))} (`make stop` ends `make demo`)")


def _is_taken(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _can_pull() -> bool:
    """Whether the official node is here, or can be brought here now."""
    if images.has(NODE_IMAGE):
        return True
    try:
        pull = ["docker", "pull", "-q", NODE_IMAGE]
        done = subprocess.run(pull, capture_output=True, check=False, timeout=PULL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _clusters() -> list[str]:
    return _kind("get", "clusters", "-q").split()


def _node(name: str) -> str:
    return f"{name}-control-plane"


def _node_image(name: str) -> str:
    return _docker("inspect", "--format", "{{.Config.Image}}", _node(name)).strip()


def _kind(*arguments: str) -> str:
    return _run(str(toolchain.tool("kind")), *arguments)


def _docker(*arguments: str) -> str:
    return _run("docker", *arguments)


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{Path(program).name} {' '.join(arguments[:2])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


TOLD: dict[str, Callable[[str], dict[str, Any]]] = {
    "ports": ports, "bases": bases, "checkers": lambda _: toolchain.checkers(),
}  # fmt: skip
"""Commands that tell something as JSON."""


def main() -> None:
    """One command for each thing that may be done with the cluster."""
    parser = argparse.ArgumentParser(prog="hack/cluster.py", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "kubeconfig", "load", "tool", *TOLD])
    parser.add_argument("things", nargs="*", metavar="THING", help="images to load, or a tool")
    parser.add_argument("--name", default=NAME, help="the cluster's")
    parser.add_argument("--private", action="store_true", help="up: on free ports, and not in ~/.kube/config")
    asked = parser.parse_args()
    match asked.command:
        case "up":
            up(asked.name, private=asked.private)
        case "down":
            down(asked.name)
        case "load":
            load(asked.name, asked.things)
        case "tool":
            sys.stdout.write("".join(f"{tool(asked.name, program)}\n" for program in asked.things))
        case "kubeconfig":
            sys.stdout.write(kubeconfig(asked.name))
        case _:
            json.dump(TOLD[asked.command](asked.name), sys.stdout)


if __name__ == "__main__":
    main()
