"""A run as it goes: bars on a terminal, a plain line now and then into a pipe, and its numbers at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from palio_generator.load.results import Report, Second
from palio_local.display import console, errors

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EACH = 5
"""Of the seconds, how many go by between two plain lines."""
_BAR_WIDTH = 12  # a second's numbers stand beside it, within eighty columns
STYLES = {"Passed": "bold green", "Failed": "bold red", "Inconclusive": "bold yellow"}


class Watcher(Protocol):
    """Sees a run."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Something is being prepared."""
        ...

    def second(self, row: Second) -> None:
        """A second went by."""
        ...


class Quiet:
    """Shows nothing."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Nothing."""

    def second(self, row: Second) -> None:
        """Nothing."""


class Lines:
    """Plain lines, on the error stream, so that a pipe gets the result alone."""

    def __init__(self) -> None:
        self._said = ""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Once for each thing, when it is done."""
        if done >= total and what != self._said:
            self._said = what
            errors.print(f"prepared: {what} ({total})")

    def second(self, row: Second) -> None:
        """Every few seconds."""
        if row.second % _EACH == 0:
            errors.print(f"{row.second:>5} s  {told(row)}")


class Bars:
    """Progress bars."""

    def __init__(self, progress: "Progress", duration_s: float) -> None:
        self._progress = progress
        self._duration_s = duration_s
        self._tasks: dict[str, TaskID] = {}

    def preparing(self, what: str, done: int, total: int) -> None:
        """A bar each."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total, told="")
        self._progress.update(self._tasks[what], completed=done, total=total)

    def second(self, row: Second) -> None:
        """The run's own bar."""
        if "load" not in self._tasks:
            self._tasks["load"] = self._progress.add_task("load", total=self._duration_s, told="")
        self._progress.update(self._tasks["load"], completed=min(row.second + 1, self._duration_s), told=told(row))


def told(row: Second) -> str:
    """A second in a line."""
    freshness = "" if row.freshness_p99_ms is None else f", fresh {row.freshness_p99_ms:.0f} ms"
    return f"{row.answered}/s, p50 {row.p50_ms:.1f}, p99 {row.p99_ms:.1f} ms, {row.errors} errors{freshness}"


@contextmanager
def watching(duration_s: float, *, quiet: bool) -> Iterator[Watcher]:
    """Whoever suits the reader."""
    if quiet:
        yield Quiet()
        return
    if not console.is_terminal:
        yield Lines()
        return
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - on terminals only

    columns = (TextColumn("{task.description:<12}"), BarColumn(_BAR_WIDTH), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console) as progress:
        yield Bars(progress, duration_s)


def show(report: Report, name: str | None) -> None:
    """A run's numbers, for people."""
    verdict = report.verdict.value
    console.print(f"{verdict}{'' if name is None else f'  {name}'}", style=STYLES[verdict])
    for line in summary(report):
        console.print(f"  {line}")


def summary(report: Report) -> Iterator[str]:
    """The numbers, a line each."""
    yield from (f"! {doubt}" for doubt in report.doubts)
    for check in report.checks:
        measured = "not measured" if check.measured is None else f"{check.measured:.2f}"
        held = "held  " if check.held else "MISSED"
        yield f"{held} {check.metric.value} {check.op.value} {check.value:g}: {measured}"
    by_class = ", ".join(f"{count} {name}" for name, count in sorted(report.errors_by_class.items()))
    failed = f"{report.errors:,} errors" + (f" ({by_class})" if by_class else "")
    yield f"requests   {report.requests:,} in {report.measured_s:g} s, {failed}"
    yield f"rate       {report.requests_per_second:,.1f}/s of {report.target_rate:,.1f}/s due"
    p50, p95, p99 = f"p50 {report.p50_ms:.2f}", f"p95 {report.p95_ms:.2f}", f"p99 {report.p99_ms:.2f}"
    yield f"response   {p50}  {p95}  {p99}  max {report.max_ms:.1f} ms"
    yield f"service    p50 {report.service_p50_ms:.2f}  p99 {report.service_p99_ms:.2f} ms"
    for one in report.freshness:
        if one.samples:
            yield f"freshness  {one.channel}: p50 {one.p50_ms:.0f}  p99 {one.p99_ms:.0f} ms, {report.sockets} sockets"
    yield (
        f"generator  {report.generator_cpu:.0%} of a core, schedule error p50 {report.schedule_error_p50_ms:.2f}"
        f"  p99 {report.schedule_error_p99_ms:.2f} ms"
    )
    if "http_429" in report.errors_by_class:
        yield "429 is the gateway's limit for an address or a player; `palio demo --limits off` lifts it for measuring."
