"""Two runs side by side: what changed by more than the runs themselves vary. Pure.

A run varies from second to second; the standard error of its seconds' median says how well it knows its own numbers.
Two of those together, and never less than a twentieth, are the band within which a difference means nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import hypot, sqrt
from statistics import median

from palio_generator.load.results import Report, Second

BAND_MIN = 0.05
_SIGMA_OF_MAD = 1.4826
_ERROR_OF_MEDIAN = 1.2533
_BAND_ERRORS = 2.0


class Change(StrEnum):
    """What a difference means."""

    SAME = "same"
    BETTER = "better"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Measured:
    """A run with its seconds."""

    report: Report
    seconds: Sequence[Second]


@dataclass(frozen=True, slots=True)
class Difference:
    """One number in two runs; `band` is how far it may differ without meaning, in the number's own unit."""

    metric: str
    before: float
    after: float
    band: float
    change: Change


@dataclass(frozen=True, slots=True)
class Comparison:
    """All numbers, and `caveats`: what differs between the runs besides the platform."""

    differences: tuple[Difference, ...]
    caveats: tuple[str, ...]


_Number = tuple[str, Callable[[Report], float | None], Callable[[Second], float | None], bool]

NUMBERS: Sequence[_Number] = (
    ("p50_ms", lambda report: report.p50_ms, lambda second: second.p50_ms, False),
    ("p95_ms", lambda report: report.p95_ms, lambda second: second.p95_ms, False),
    ("p99_ms", lambda report: report.p99_ms, lambda second: second.p99_ms, False),
    ("requests_per_second", lambda report: report.requests_per_second, lambda second: second.answered, True),
    ("errors_per_mille", lambda report: 1000 * report.errors / max(report.requests, 1), lambda _: None, False),
    ("freshness_p99_ms", lambda report: report.freshness_p99_ms, lambda second: second.freshness_p99_ms, False),
)
"""Name, the whole run's value, a second's value, and whether more is better."""


def compare(before: Measured, after: Measured) -> Comparison:
    """What changed from one run to another."""
    return Comparison(tuple(_differences(before, after)), tuple(_caveats(before.report, after.report)))


def _differences(before: Measured, after: Measured) -> Iterable[Difference]:
    for name, of_report, of_second, more_is_better in NUMBERS:
        one, other = of_report(before.report), of_report(after.report)
        if one is None or other is None:
            continue
        errors = [_error(run, of_second) for run in (before, after)]
        band = max(_BAND_ERRORS * hypot(*errors), BAND_MIN * max(abs(one), abs(other)))
        yield Difference(name, one, other, band, _change(other - one, band, more_is_better=more_is_better))


def _change(by: float, band: float, *, more_is_better: bool) -> Change:
    if abs(by) <= band:
        return Change.SAME
    return Change.BETTER if (by > 0) is more_is_better else Change.WORSE


def _error(run: Measured, of_second: Callable[[Second], float | None]) -> float:
    """The standard error of the median of a run's measured seconds."""
    plan = run.report.plan
    measured = [row for row in run.seconds if plan.measured_from_s <= row.second < plan.duration_s and row.answered]
    values = [value for value in map(of_second, measured) if value is not None]
    if not values:
        return 0.0
    middle = median(values)
    spread = _SIGMA_OF_MAD * median(abs(value - middle) for value in values)
    return _ERROR_OF_MEDIAN * spread / sqrt(len(values))


def _caveats(before: Report, after: Report) -> Iterable[str]:
    for name in ("scenario", "virtual_users", "requests_per_second", "seed", "sockets_in_all", "game_id"):
        one, other = getattr(before.plan, name), getattr(after.plan, name)
        if one != other:
            yield f"{name} differs: {one} and {other}"
    for name in ("cores", "cpu", "kernel", "python"):
        one, other = getattr(before.environment, name), getattr(after.environment, name)
        if one != other:
            yield f"{name} differs: {one} and {other}"
    for which, report in (("first", before), ("second", after)):
        if report.doubts:
            yield f"the {which} run is inconclusive: {'; '.join(report.doubts)}"
