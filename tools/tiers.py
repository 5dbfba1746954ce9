"""Run the test tiers one after the other and say how many tests of each ran.

A tier that cannot run here is skipped with its reason; in CI that is a failure, so nothing goes untested unseen. Tiers
that need a cluster share one that is made for this run and removed with it; `PALIO_KEEP_CLUSTER=1` leaves it there.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = {
    "unit": 600, "integration": 1200, "contract": 1200, "ui": 900, "chaos": 1800,
    "chart": 600, "crds": 600, "operator": 1200, "e2e": 3000,
}  # fmt: skip
TEST_CLUSTER = "palio-test"
KEEP = "PALIO_KEEP_CLUSTER"
TEST_TIMEOUT_S = 600
CLEANUP_S = 60
PYTEST_OPTIONS = (
    "-o", "junit_logging=no", "-o", f"faulthandler_timeout={TEST_TIMEOUT_S}", "-o", "faulthandler_exit_on_timeout=true",
)  # fmt: skip
NO_TESTS = 5
"""pytest's exit code when nothing was collected."""


@dataclass(frozen=True)
class Outcome:
    """How a tier went."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    trouble: str = ""
    """Why it did not run, or did not end as it should."""

    def __add__(self, other: "Outcome") -> "Outcome":
        trouble = "; ".join(part for part in (self.trouble, other.trouble) if part)
        passed, failed, skipped = (
            getattr(self, name) + getattr(other, name) for name in ("passed", "failed", "skipped")
        )
        return Outcome(passed, failed, skipped, trouble)

    @property
    def ran(self) -> bool:
        """Whether any test was run."""
        return self.passed + self.failed > 0


@dataclass(frozen=True)
class Tier:
    """One directory of tests, and what else belongs to it."""

    name: str
    missing: Callable[[], str] = lambda: ""
    """What this machine lacks for it."""
    further: tuple[Callable[[], Outcome], ...] = field(default=())
    needs: tuple[str, ...] = ()
    """A command that makes ready what it needs, as arguments of Python."""

    def run(self) -> Outcome:
        """All of it."""
        lacking = self.missing()
        if lacking:
            return Outcome(trouble=f"skipped: {lacking}")
        if self.needs and not _ready(self.needs):
            return Outcome(failed=1, trouble=f"{self.needs[0]} failed")
        outcome = _pytest(self.name)
        for other in self.further:
            outcome += other()
        return outcome if outcome.ran or outcome.trouble else replace(outcome, trouble="skipped: no tests")


def main(names: list[str]) -> int:
    """Run the named tiers, or all; exit code 1 if anything failed, or in CI if a tier did not run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that tests do not outlive us
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, and its children, ignore it
    chosen = [tier for tier in TIERS if not names or tier.name in names]
    try:
        outcomes = dict(_outcomes(chosen))
    finally:
        _remove_cluster(chosen)
    total = sum(outcomes.values(), Outcome())
    print(f"{total.passed} passed, {total.failed} failed")
    unrun = [name for name, outcome in outcomes.items() if outcome.trouble]
    return 1 if total.failed or (unrun and _strict(outcomes)) else 0


def _strict(outcomes: dict[str, Outcome]) -> bool:
    """Trouble other than a skip always counts; a skip counts in CI."""
    return bool(os.environ.get("CI")) or any(
        outcome.trouble and not outcome.trouble.startswith("skipped") for outcome in outcomes.values()
    )


def _outcomes(tiers: list[Tier]) -> Iterator[tuple[str, Outcome]]:
    lines = []
    for tier in tiers:
        print(f"--- {tier.name}", flush=True)
        started = time.monotonic()
        outcome = tier.run()
        lines.append(_line(tier.name, outcome, time.monotonic() - started))
        yield tier.name, outcome
    print("\n".join(["", *lines]))


def _line(name: str, outcome: Outcome, seconds: float) -> str:
    counts = f"{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped"
    return f"{name:<12} {counts} in {seconds:.0f} s" + (f" ({outcome.trouble})" if outcome.trouble else "")


def _ready(command: tuple[str, ...], **environment: str) -> bool:
    """Run what makes a tier's needs ready; its progress goes to the terminal."""
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=os.environ | environment, stdout=subprocess.DEVNULL, check=False
    )
    return done.returncode == 0


def _pytest(name: str) -> Outcome:
    folder = ROOT / "tests" / name
    if not folder.is_dir():
        return Outcome()
    with tempfile.TemporaryDirectory(prefix="palio-tiers-") as scratch:
        report = Path(scratch) / "report.xml"
        stacks = Path(os.environ.get("PALIO_TEST_STACKS") or f"{scratch}/stacks")
        stacks.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", str(folder), f"--junit-xml={report}", *PYTEST_OPTIONS]
        try:
            code = _run(command, TIMEOUT_S[name], os.environ | {"PALIO_TEST_STACKS": str(stacks)})
        except subprocess.TimeoutExpired:
            return Outcome(failed=1, trouble=f"not done within {TIMEOUT_S[name]} s")
        finally:
            _stop_stacks(stacks)
        outcome = _read(report)
    if code not in (0, 1, NO_TESTS) or (code == 1 and not outcome.failed):
        return outcome + Outcome(failed=0 if outcome.failed else 1, trouble=f"pytest ended with {code}")
    return outcome


def _run(command: list[str], timeout_s: float, environment: dict[str, str]) -> int:
    """Run it in a session of its own, of which nothing is left however this ends; answers its exit code."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        return process.wait(timeout_s)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let pytest end its fixtures, which it does on Ctrl-C but not on SIGTERM; then kill what is left of its group."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(CLEANUP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _stop_stacks(notes: Path) -> None:
    """Stop the detached stacks that tests started and, killed or stuck, left."""
    for note in notes.iterdir():
        data_dir = note.read_text()
        if Path(data_dir, "run").is_dir():
            subprocess.run([Path(sys.executable).with_name("palio"), "stop", "--data-dir", data_dir], check=False)
        note.unlink()


def _read(report: Path) -> Outcome:
    if not report.exists():
        return Outcome()
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314 - pytest wrote it just now
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return Outcome(tests - failed - skipped, failed, skipped)


def _page_tests() -> Outcome:
    """The page's own tests, run by Node."""
    if not (ROOT / "ui" / "package.json").exists():
        return Outcome()
    command = [sys.executable, "tools/bootstrap.py", "npm", "run", "--silent", "test"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S["ui"], check=False)
    passed, failed, skipped = (_count(done.stdout, word) for word in ("pass", "fail", "skipped"))
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n")
    return Outcome(passed, max(failed, 1 if done.returncode else 0), skipped)


def _count(said: str, word: str) -> int:
    found = re.search(rf"^\W*{word} (\d+)$", said, re.MULTILINE)
    return int(found[1]) if found else 0


def _no_chromium() -> str:
    return "" if shutil.which("chromium") else "no chromium on PATH"


def _no_checkers() -> str:
    """In CI what is missing is installed; elsewhere it is enough that it was built before."""
    able = os.environ.get("CI") or shutil.which("go") or _ready(_CHECKERS, PALIO_BUILD="never")
    return "" if able else "no Go to build helm, kubeconform and kube-score with"


def _no_cluster() -> str:
    """Why no cluster can be made here. Docker is not installed for a test: `make up` and .ci/run do that."""
    if shutil.which("docker") is None:
        return "no docker on PATH; `python hack/engine.py start` brings it on Debian"
    asked = subprocess.run(["docker", "info"], capture_output=True, check=False)
    return "Docker does not run; `python hack/engine.py start` starts it" if asked.returncode else ""


def _remove_cluster(tiers: list[Tier]) -> None:
    if any(TEST_CLUSTER in tier.needs for tier in tiers) and not _no_cluster() and not os.environ.get(KEEP):
        subprocess.run([sys.executable, *_HAVE_CLUSTER[:1], "down", "--name", TEST_CLUSTER], cwd=ROOT, check=False)


_CHECKERS = ("hack/cluster.py", "checkers")
_PRIVATE = ("up", "--private", "--name", TEST_CLUSTER)
_HAVE_CLUSTER = ("hack/cluster.py", *_PRIVATE)
_HAVE_PALIO = ("tools/cluster.py", *_PRIVATE)

TIERS = (
    Tier("unit"),
    Tier("integration"),
    Tier("contract"),
    Tier("ui", _no_chromium, (_page_tests,)),
    Tier("chaos"),
    Tier("chart", _no_checkers, needs=_CHECKERS),
    Tier("crds", _no_cluster, needs=_HAVE_CLUSTER),
    Tier("operator", _no_cluster, needs=_HAVE_CLUSTER),
    # The last one: from here on an operator runs in the cluster and would meddle with the tests of the others.
    Tier("e2e", _no_cluster, needs=_HAVE_PALIO),
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
