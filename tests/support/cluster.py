"""A real cluster for tests that need one: where it is, and what they do with it.

It is the kind cluster that tools/tiers.py makes for its run (`PALIO_TEST_CLUSTER`), or the one whose kubeconfig
`PALIO_TEST_KUBECONFIG` names; never the one of `make up`, in which an operator runs that would meddle. Without any
cluster such tests are skipped, and say so; where `CI` is set they fail.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NAME = os.environ.get("PALIO_TEST_CLUSTER", "palio-test")
_KUBECTL_TIMEOUT_S = 120


def kubeconfig() -> Path:
    """The kubeconfig of the cluster to test on; skips the test (fails in CI) if there is none."""
    named = os.environ.get("PALIO_TEST_KUBECONFIG")
    found = Path(named) if named else _of_kind()
    return found or missing(f"no cluster to test on: `python hack/cluster.py up --private --name {NAME}` makes one")


def missing(why: str) -> Any:
    """Skip the test, or fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(f"SKIP: {why}")


def hack(*arguments: str) -> str:
    """What a command of hack/cluster.py says about the test cluster."""
    command = [sys.executable, str(ROOT / "hack" / "cluster.py"), *arguments, "--name", NAME]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _of_kind() -> Path | None:
    if not shutil.which("docker"):
        return None
    ask = ["docker", "ps", "-q", "-f", f"name=^{NAME}-control-plane$"]
    answering = subprocess.run(ask, capture_output=True, text=True, check=False)
    if answering.returncode or not answering.stdout.strip():
        return None
    path = Path(tempfile.mkdtemp(prefix="palio-test-")) / "kubeconfig"
    path.write_text(hack("kubeconfig"))
    return path


class Cluster:
    """One cluster, by kubectl."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self._kubectl = hack("tool", "kubectl").strip()

    def command(self, *arguments: str) -> list[str]:
        """kubectl as a command."""
        return [self._kubectl, "--kubeconfig", str(self.config), *arguments]

    def kubectl(self, *arguments: str, stdin: str | None = None, within_s: float = _KUBECTL_TIMEOUT_S) -> str:
        """Run kubectl; what it printed."""
        done = subprocess.run(
            self.command(*arguments), input=stdin, capture_output=True, text=True, timeout=within_s, check=False
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def install_resources(self) -> None:
        """Bring the cluster's CRDs up to date with ours."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
        for name in ("tournaments.palio.gg", "loadtests.palio.gg"):
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{name}")

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """A namespace of one's own, removed in the end without waiting."""
        name = f"test-{uuid.uuid4().hex[:10]}"
        self.kubectl("create", "namespace", name)
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
