"""One run from plan to report: where it goes, who runs it, what to do about Ctrl-C."""

import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palio_generator.load import messages
from palio_generator.load.plan import Plan
from palio_generator.load.results import Report, Second, merge_reports, merge_seconds
from palio_local import state
from palio_local.bench import runners
from palio_local.bench.runners import Runners
from palio_local.bench.showing import Watcher
from palio_local.gateway import DEFAULT_URL
from palio_local.layout import Layout


class NoRun(RuntimeError):
    """There is nothing to report; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where load goes, and what a runner's environment says so that it gets accounts quickly."""

    base_url: str
    live_url: str | None
    environment: Mapping[str, str]


def place(layout: Layout, url: str | None) -> Place:
    """The gateway of a URL, or of the stack that runs in the data directory, or the usual one of this machine."""
    document = state.read(layout)
    commit = {"PALIO_COMMIT": _commit()}
    if url is not None or document is None:
        return Place(url or os.environ.get("PALIO_GATEWAY_URL", DEFAULT_URL), None, commit)
    accounts = {
        "PALIO_USER_URL": str(document["services"]["user"]["url"]),
        "PALIO_IDENTITY_DIR": str(layout.identities / "generator"),
    }
    urls = document["urls"]
    return Place(str(urls["gateway"]), str(urls["websocket"]), commit | accounts)


@dataclass
class _Gathered:
    """What the runners said so far."""

    runners: int
    reports: list[Report] = field(default_factory=list)
    rows: defaultdict[int, list[Second]] = field(default_factory=lambda: defaultdict(list))
    failures: list[messages.Failed] = field(default_factory=list)

    def take(self, message: messages.Message, watcher: Watcher) -> None:
        """Note a message, and show what it completes."""
        match message:
            case messages.Preparing(what, done, total):
                watcher.preparing(what, done, total)
            case messages.Row(row):
                self.rows[row.second].append(row)
                if len(self.rows[row.second]) == self.runners:
                    watcher.second(*merge_seconds(self.rows[row.second]))
            case messages.Ended(report):
                self.reports.append(report)
            case messages.Failed():
                self.failures.append(message)

    def seconds(self) -> list[Second]:
        """All rows, merged."""
        return merge_seconds(row for rows in self.rows.values() for row in rows)


def measure(plan: Plan, place: Place, count: int, watcher: Watcher) -> tuple[Report, list[Second]]:
    """Run a plan with `count` runners; Ctrl-C ends it early with what was measured, a second one at once.

    Raises:
        NoRun: it did not come to a report.
    """
    gathered = _Gathered(count)
    with runners.started(plan, count, place.environment) as running, _stopping(running):
        for message in running.messages():
            gathered.take(message, watcher)
            if isinstance(message, messages.Failed):
                running.stop()  # the others would wait for it behind the barrier
    if not gathered.reports:
        told = gathered.failures[0] if gathered.failures else None
        raise NoRun(_told(told, plan))
    return merge_reports(gathered.reports, runners_wanted=count), gathered.seconds()


def _told(failure: messages.Failed | None, plan: Plan) -> str:
    if failure is None:
        return "The load generator ended without a word."
    if failure.code == "unreachable" or "gateway_away" in failure.detail:
        return f"The gateway at {plan.base_url} does not answer ({failure.detail}). Is `palio demo` running?"
    return failure.detail


@contextmanager
def _stopping(running: Runners) -> Iterator[None]:
    """SIGINT and SIGTERM end the run well the first time, and at once the second time."""
    told = False

    def stop(*_: Any) -> None:
        nonlocal told
        (running.kill if told else running.stop)()
        told = True

    before: dict[int, Callable[..., Any] | int | None] = {
        number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _commit() -> str:
    """The commit of the code that runs, if it lies in a repository."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
