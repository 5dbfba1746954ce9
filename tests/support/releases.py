"""All releases of palio in the test cluster: installed and upgraded by the tool of a checkout, or removed.

Every commit knows best how it is installed, so the previous one is installed by its own `tools/cluster.py`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.cluster import NAME, ROOT, Cluster, hack, missing
from support.deployed import NAMESPACE

DEFINITIONS = ("tournaments.palio.gg", "loadtests.palio.gg")
_INSTALL_TIMEOUT_S = 380
_HELM_TIMEOUT_S = 300


def helm(cluster: Cluster, *arguments: str) -> str:
    """Run helm in palio's namespace; what it printed."""
    command = [hack("tool", "helm").strip(), "--kubeconfig", str(cluster.config), "-n", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_HELM_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(checkout: Path = ROOT) -> None:
    """Install what a checkout holds, or upgrade to it what is there."""
    command = [sys.executable, str(checkout / "tools" / "cluster.py"), "up", "--private", "--name", NAME]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False)
    print(done.stderr)
    assert done.returncode == 0


def remove(cluster: Cluster) -> None:
    """Remove the releases with all data, definitions and resources: as if nothing had ever been installed."""
    for release in ("palio-operator", "palio", "palio-data"):  # the operator's hook takes its finalizers off
        helm(cluster, "uninstall", release, "--ignore-not-found")
    cluster.kubectl("delete", "crd", *DEFINITIONS, "--ignore-not-found", "--timeout=60s")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=110s")


def previous_commit(into: Path) -> Path:
    """A checkout of the commit before this one; skips the test where history does not reach so far."""
    if not shutil.which("git"):
        missing("no git on PATH to get the previous commit with")
    # Modes are a part of what images are cached by, and those of an archive are others than a checkout's.
    told = subprocess.run(
        ["git", "-c", "tar.umask=0022", "archive", "HEAD~1"], cwd=ROOT, capture_output=True, check=False
    )
    if told.returncode:
        pytest.skip(f"SKIP: the previous commit is not here, `git fetch --deepen=1` brings it: {told.stderr.decode()}")
    subprocess.run(["tar", "-x", "-C", str(into)], input=told.stdout, check=True)
    return into
