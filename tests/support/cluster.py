"""A real cluster for tests that need one: where it is, and what they do with it.

`PALIO_TEST_KUBECONFIG` names its kubeconfig; without it the kind cluster of `hack/cluster.py` is taken if it runs.
Without any cluster such tests are skipped, and say so; where `CI` is set they fail.
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

import pytest

_ROOT = Path(__file__).parents[2]
_HACK = _ROOT / "hack"
_KUBECTL_TIMEOUT_S = 120


def kubeconfig() -> Path:
    """The kubeconfig of the cluster to test on; skips the test (fails in CI) if there is none."""
    named = os.environ.get("PALIO_TEST_KUBECONFIG")
    if named:
        return Path(named)
    found = _of_kind()
    if found is not None:
        return found
    why = "SKIP: no cluster to test on; `python hack/cluster.py up` makes one, PALIO_TEST_KUBECONFIG names another"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def _of_kind() -> Path | None:
    if not shutil.which("docker"):
        return None
    ask = ["docker", "ps", "-q", "-f", "name=palio-control-plane"]
    answering = subprocess.run(ask, capture_output=True, text=True, check=False)
    if answering.returncode or not answering.stdout.strip():
        return None
    ask = [sys.executable, str(_HACK / "cluster.py"), "kubeconfig"]
    told = subprocess.run(ask, capture_output=True, text=True, check=False)
    if told.returncode:
        return None
    path = Path(tempfile.mkdtemp(prefix="palio-test-")) / "kubeconfig"
    path.write_text(told.stdout)
    return path


class Cluster:
    """One cluster, by kubectl."""

    def __init__(self, config: Path) -> None:
        self.config = config
        ask = [sys.executable, "-c", "import toolchain; print(toolchain.kubectl())"]
        self._kubectl = subprocess.run(ask, cwd=_HACK, capture_output=True, text=True, check=True).stdout.strip()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl; what it printed."""
        done = subprocess.run(
            [self._kubectl, "--kubeconfig", str(self.config), *arguments], input=stdin, capture_output=True, text=True,
            timeout=_KUBECTL_TIMEOUT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def install_resources(self) -> None:
        """Bring the cluster's CRDs up to date with ours."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(_ROOT / "crds"))
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
