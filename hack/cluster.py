"""A real kind cluster: `python hack/cluster.py up|down|kubeconfig`.

Where `kindest/node` can be pulled it is used as it is; where not, the node image is built here (images.py).
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import engine
import images
import toolchain
from cache import HACK, say

NAME = "palio"
CONFIG = HACK.parent / "kind-config.yaml"
NODE_IMAGE = f"kindest/node:v{toolchain.KUBERNETES}"
WAIT = "180s"
PULL_TIMEOUT_S = 300

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


def up(name: str = NAME) -> None:
    """Create the cluster unless it is there."""
    engine.ensure()
    if name in _kind("get", "clusters").split():
        say(f"the cluster {name} is there")
        return
    if _can_pull():
        _create(name, CONFIG.read_text(), NODE_IMAGE)
    else:
        say("no container registry can be reached: the node is built from package registries (15 min the first time)")
        _create(name, CONFIG.read_text() + OWN_NODE, images.node_image())


def down(name: str = NAME) -> None:
    """Delete the cluster, and end the Docker engine if it was ours."""
    if engine.answers():
        _kind("delete", "cluster", "--name", name)
    engine.stop()


def kubeconfig(name: str = NAME) -> str:
    """The cluster's kubeconfig."""
    return _kind("get", "kubeconfig", "--name", name)


def load(tag: str, name: str = NAME) -> None:
    """Put a local image into the cluster's nodes."""
    _kind("load", "docker-image", tag, "--name", name)


def _create(name: str, config: str, image: str) -> None:
    say(f"creating the cluster {name}")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config)
        file.flush()
        _kind("create", "cluster", "--name", name, "--config", file.name, "--image", image, "--wait", WAIT)


def _can_pull() -> bool:
    try:
        pull = ["docker", "pull", "-q", NODE_IMAGE]
        done = subprocess.run(pull, capture_output=True, check=False, timeout=PULL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _kind(*arguments: str) -> str:
    done = subprocess.run([str(toolchain.tool("kind")), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"kind {' '.join(arguments[:2])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    command = sys.argv[1] if len(sys.argv) == 2 else ""  # noqa: PLR2004
    if command == "kubeconfig":
        sys.stdout.write(kubeconfig())
    elif command in ("up", "down"):
        {"up": up, "down": down}[command]()
    else:
        raise SystemExit(Path(__file__).name + " up|down|kubeconfig")
