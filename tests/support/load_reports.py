"""Reports and seconds as a run would make them, for what is done with them afterwards."""

from dataclasses import replace
from typing import Any

from palio_generator.load.histograms import Histogram
from palio_generator.load.plan import Plan
from palio_generator.load.results import Environment, Report, Second, endpoint_of, freshness_of, judged
from palio_generator.load.verdicts import Threshold, Verdict

THRESHOLD = Threshold.parse("p99_ms<=50")
PLAN = Plan(
    base_url="http://127.0.0.1:23455",
    virtual_users=100,
    duration_s=30,
    requests_per_second=100,
    thresholds=(THRESHOLD,),
)


def second(number: int, **others: Any) -> Second:
    made = Second(
        second=number, due=100, sent=100, answered=100, errors=0, in_flight=0, p50_ms=2.0, p95_ms=5.0, p99_ms=9.0,
        max_ms=12.0, freshness_p99_ms=80.0, sockets=10, generator_cpu=0.1,
    )  # fmt: skip
    return replace(made, **others)


def report(times_s: list[float] | None = None, **others: Any) -> Report:
    """A run whose requests took these times."""
    response = Histogram()
    for one in times_s or [0.002] * 98 + [0.009] * 2:
        response.record(one)
    p50, p95, p99 = (response.percentile_ms(percent) for percent in (50, 95, 99))
    encoded, freshness = response.encoded(), freshness_of("feed", response)
    made = Report(
        plan=PLAN, started_at=1_795_000_000.0, measured_s=25.0, requests=response.count, errors=0,
        requests_per_second=100.0, target_rate=100.0, p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=response.max_ms,
        service_p50_ms=p50, service_p99_ms=p99, schedule_error_p50_ms=0.1, schedule_error_p99_ms=0.4,
        generator_cpu=0.1, verdict=Verdict.INCONCLUSIVE, doubts=(), checks=(), was_stopped=False, sent_share=1.0,
        backlog_max=0, errors_by_class={},
        endpoints=(endpoint_of("POST /api/v1/scores", response.count, 0, response, response),),
        freshness=(freshness,), freshness_p50_ms=freshness.p50_ms, freshness_p99_ms=freshness.p99_ms, version_gaps=0,
        sockets=10, sockets_lost=0, schedule_error=encoded,
        environment=Environment(
            cores=2, cpu="cpu", memory_gib=8.0, kernel="6", python="3.11", versions={"uvloop": "0"}, commit="abc"
        ),
    )  # fmt: skip
    return judged(replace(made, **others))
