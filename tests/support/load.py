"""Made-up seconds and reports of a run, from the times its requests took."""

from collections.abc import Sequence
from typing import Any

from palio_generator.load.histograms import Histogram
from palio_generator.load.plan import Plan
from palio_generator.load.results import Report, Second
from support import load_reports


def histogram(times_s: Sequence[float]) -> Histogram:
    """Of these times."""
    made = Histogram()
    for one in times_s:
        made.record(one)
    return made


def second(number: int, latencies: Sequence[float] = (0.01, 0.02), **changes: Any) -> Second:
    """One second in which each of these requests was due and answered."""
    history = histogram(latencies)
    p50, p95, p99 = (history.percentile_ms(percent) for percent in (50, 95, 99))
    values: dict[str, Any] = {
        **dict.fromkeys(("due", "sent", "answered"), len(latencies)), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99,
        "max_ms": history.max_ms, "freshness_p99_ms": None, "latencies": history.encoded(),
        "freshness": Histogram().encoded(),
    }  # fmt: skip
    return load_reports.second(number, **(values | changes))


def report(plan: Plan, latencies: Sequence[float] = (0.01, 0.02), **changes: Any) -> Report:
    """A runner's report on these requests; nobody listened."""
    values: dict[str, Any] = {
        "plan": plan, "measured_s": plan.measured_s, "requests_per_second": len(latencies) / plan.measured_s,
        "target_rate": len(latencies) / plan.measured_s, "freshness": (), "freshness_p50_ms": None,
        "freshness_p99_ms": None, "schedule_error": histogram([0.0004]).encoded(),
    }  # fmt: skip
    return load_reports.report(list(latencies), **(values | changes))
