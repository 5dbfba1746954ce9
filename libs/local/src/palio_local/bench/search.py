"""Looking for the highest rate that a platform carries: doubling until it does not, then halving the gap. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from palio_generator.load.results import Report

CLOSE_ENOUGH = 1.05
"""The search ends when the lowest rate that failed is within a twentieth of the highest that held."""
PROBES_MAX = 16
_CARRIED = 0.98
_ERRORS_MAX = 0.001


@dataclass(frozen=True, slots=True)
class Probe:
    """One rate that was tried; `why_not` is empty if it was carried."""

    rate: float
    p99_ms: float
    why_not: str

    @property
    def held(self) -> bool:
        """Whether it was carried."""
        return not self.why_not


def judge(report: Report, rate: float, p99_ms_max: float) -> Probe:
    """Whether a run carried its rate: p99 within the limit, at most one error in a thousand, nothing left behind.

    Lateness of our own makes times longer, never shorter: it can be why a rate was not carried, but a rate that was
    carried in spite of it was carried.
    """
    why_not = ""
    if report.requests and report.errors > _ERRORS_MAX * report.requests:
        worst = max(report.errors_by_class, key=lambda name: report.errors_by_class[name])
        why_not = f"{report.errors} errors, most of them {worst}"
    elif report.p99_ms > p99_ms_max:
        why_not = f"p99 {report.p99_ms:.1f} ms"
    elif report.requests_per_second < _CARRIED * report.target_rate:
        why_not = f"{report.requests_per_second:.0f} answers per second"
    if why_not and report.doubts:
        why_not += f" (inconclusive: {report.doubts[0]})"
    return Probe(rate, report.p99_ms, why_not)


def next_rate(probes: Sequence[Probe], *, first: float, highest: float) -> float | None:
    """What to try next; None when it is known well enough."""
    if len(probes) >= PROBES_MAX:
        return None
    held, failed = best(probes), min((probe.rate for probe in probes if not probe.held), default=None)
    if failed is None:
        wanted = min(2 * held, highest) if held else first
        return wanted if wanted > held else None
    if failed <= 1 or (held and failed / held <= CLOSE_ENOUGH):
        return None
    return (held + failed) / 2 if held else failed / 2


def best(probes: Sequence[Probe]) -> float:
    """The highest rate that held; 0 if none did."""
    return max((probe.rate for probe in probes if probe.held), default=0.0)
