"""What rows and reports add up to: a run's numbers while it goes on, and its one report at the end. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from palio_generator.load.histograms import Histogram
from palio_generator.load.plan import Plan
from palio_generator.load.results import Environment, Report, Second, judged, merge_reports, merge_seconds
from palio_generator.load.verdicts import Verdict

FAILURES_TOLD_MAX = 10
_UNKNOWN = Environment(cores=0, cpu="", memory_gib=0.0, kernel="", python="", versions={}, commit="")


@dataclass(frozen=True, slots=True)
class Numbers:
    """A run's numbers in short; latencies from the scheduled time."""

    requests: int
    errors: int
    requests_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    freshness_p99_ms: float | None


def added(so_far: Second | None, row: Second) -> Second:
    """The sum of a run's rows, one more added; its `second` is the newest one's."""
    if so_far is None:
        return row
    both = merge_seconds([replace(so_far, second=0), replace(row, second=0)])[0]
    return replace(both, second=max(so_far.second, row.second))


def merged(known: Second | None, row: Second) -> Second:
    """A second of the run, one more runner's row added."""
    return row if known is None else merge_seconds([known, row])[0]


def numbers_of(report: Report) -> Numbers:
    """A report's numbers in short."""
    return Numbers(
        report.requests, report.errors, report.requests_per_second,
        report.p50_ms, report.p95_ms, report.p99_ms, report.max_ms, report.freshness_p99_ms,
    )  # fmt: skip


def provisional(plan: Plan, so_far: Second | None, started_at: float) -> Report:
    """The report of a run nobody reported on: what its measured rows add up to. Endpoints are not known then."""
    sums = so_far or _nothing()
    measured_s = max(0.0, min(sums.second + 1, plan.duration_s) - plan.measured_from_s) if so_far else 0.0
    latencies, freshness = _histogram(sums.latencies), _histogram(sums.freshness)
    return Report(
        plan=plan.share_of(0, 1), started_at=started_at, measured_s=measured_s,
        requests=sums.due, errors=sums.errors,
        requests_per_second=sums.answered / measured_s if measured_s else 0.0,
        target_rate=sums.due / measured_s if measured_s else 0.0,
        p50_ms=latencies.percentile_ms(50), p95_ms=latencies.percentile_ms(95), p99_ms=latencies.percentile_ms(99),
        max_ms=latencies.max_ms, service_p50_ms=0.0, service_p99_ms=0.0,
        schedule_error_p50_ms=0.0, schedule_error_p99_ms=0.0, generator_cpu=sums.generator_cpu,
        verdict=Verdict.INCONCLUSIVE, doubts=(), checks=(), was_stopped=False,
        sent_share=1.0, backlog_max=0, errors_by_class={}, endpoints=(), freshness=(),
        freshness_p50_ms=freshness.percentile_ms(50) if freshness.count else None,
        freshness_p99_ms=freshness.percentile_ms(99) if freshness.count else None,
        version_gaps=0, sockets=sums.sockets, sockets_lost=0, schedule_error=Histogram().encoded(),
        environment=_UNKNOWN, runners=0,
    )  # fmt: skip


def conclusion(plan: Plan, reports: Sequence[Report], so_far: Second | None, *, started_at: float, wanted: int,
               failures: Sequence[str]) -> Report:  # fmt: skip
    """The run's one report: that of its runners, or what its rows say if none of them reported.

    Args:
        failures: why runners did not report; a run with any is Inconclusive.
    """
    if reports:
        whole = merge_reports(reports, runners_wanted=wanted)
    else:
        whole = judged(provisional(plan, so_far, started_at), runners_wanted=wanted)
    if not failures:
        return whole
    told = tuple(failures[:FAILURES_TOLD_MAX])
    return replace(whole, doubts=whole.doubts + told, verdict=Verdict.INCONCLUSIVE)


def _histogram(encoded: bytes) -> Histogram:
    return Histogram.decoded(encoded) if encoded else Histogram()


def _nothing() -> Second:
    return Second(
        second=0, due=0, sent=0, answered=0, errors=0, in_flight=0, p50_ms=0.0, p95_ms=0.0, p99_ms=0.0, max_ms=0.0,
        freshness_p99_ms=None, sockets=0, generator_cpu=0.0,
    )  # fmt: skip
