"""Runs as the API tells them. Histograms stay here: what people read are numbers; the export has them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Literal

from palio_generator.load.comparison import Change, Comparison
from palio_generator.load.plan import Scenario
from palio_generator.load.results import Endpoint, Report, Second
from palio_generator.load.verdicts import Check, Metric, Side, Verdict
from palio_generator.runs import sums
from palio_generator.runs.doors import Preparing
from palio_generator.runs.store import Run
from palio_kit.wire import Answer, Instant, UuidText

PhaseName = Literal["waiting", "running", "reporting", "finished", "stopped", "lost"]


class RunnersAnswer(Answer):
    """How many runners there should be, and how many were ready, reported, fell."""

    wanted: int
    ready: int
    reported: int
    failed: int


class ResultsAnswer(Answer):
    """A run's numbers; latencies count from the scheduled time. While it goes on: what its seconds so far say."""

    requests: int
    errors: int
    requests_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    freshness_p99_ms: float | None


class CheckAnswer(Answer):
    """One threshold held against the run; `measured` is null if the run has no such number."""

    metric: Metric
    op: Side
    value: float
    measured: float | None
    held: bool


class StatusAnswer(Answer):
    """How far a run is. `doubts` say why a verdict is Inconclusive."""

    id: UuidText
    phase: PhaseName
    runners: RunnersAnswer
    start_at: Instant | None
    finished_at: Instant | None
    results: ResultsAnswer | None
    verdict: Verdict | None
    doubts: list[str]
    checks: list[CheckAnswer]


class ThresholdAnswer(Answer):
    """What must hold."""

    metric: Metric
    op: Side
    value: float


class PreparingAnswer(Answer):
    """How far preparing is: `what` is done for `done` of `total` users."""

    what: str
    done: int
    total: int


class RunAnswer(StatusAnswer):
    """A run: what was wanted, and how far it is. `name` is its LoadTest's, if it has one."""

    name: str | None
    created_at: Instant
    stop_asked_at: Instant | None
    scenario: Scenario
    users: int
    actions_per_second: float | None
    duration_seconds: float
    ramp_up_seconds: float
    seed: int
    thresholds: list[ThresholdAnswer]


class SecondAnswer(Answer):
    """One second of a run, all runners together; `second` counts from 0."""

    second: int
    due: int
    sent: int
    answered: int
    errors: int
    in_flight: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    freshness_p99_ms: float | None
    sockets: int
    generator_cpu: float
    runners: int


class EndpointAnswer(Answer):
    """One kind of request; service times count from the moment it was written."""

    endpoint: str
    requests: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    service_p50_ms: float
    service_p99_ms: float


class FreshnessAnswer(Answer):
    """Score written to the gateway → frame read from a socket."""

    channel: str
    samples: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class ReportAnswer(Answer):
    """What came out, the measured part of the run only. `generator_cpu` is a share of a core, of the busiest runner."""

    started_at: Instant
    measured_s: float
    target_rate: float
    service_p50_ms: float
    service_p99_ms: float
    schedule_error_p50_ms: float
    schedule_error_p99_ms: float
    generator_cpu: float
    was_stopped: bool
    sent_share: float
    backlog_max: int
    errors_by_class: dict[str, int]
    endpoints: list[EndpointAnswer]
    freshness: list[FreshnessAnswer]
    freshness_p50_ms: float | None
    version_gaps: int
    sockets: int
    sockets_lost: int
    runners: int


class EnvironmentAnswer(Answer):
    """Where it ran; `target` is what the gateway told about itself."""

    cores: int
    cpu: str
    memory_gib: float
    kernel: str
    python: str
    versions: dict[str, str]
    commit: str
    target: dict[str, str]


class RunDetailAnswer(RunAnswer):
    """A run with its last seconds, oldest first; report and environment once it is over."""

    preparing: PreparingAnswer | None
    series: list[SecondAnswer]
    report: ReportAnswer | None
    environment: EnvironmentAnswer | None


def told(row: Second) -> dict[str, object]:
    """A second without its histograms, as JSON says it."""
    return {name: value for name, value in asdict(row).items() if not isinstance(value, bytes)}


def status_of(run: Run) -> StatusAnswer:
    """How far a run is."""
    return StatusAnswer.model_validate(_status(run))


def run_of(run: Run) -> RunAnswer:
    """What was wanted, and how far it is."""
    return RunAnswer.model_validate(_run(run))


def detail_of(run: Run, series: Sequence[Second], preparing: Preparing | None) -> RunDetailAnswer:
    """A run with everything people read."""
    report = run.report
    return RunDetailAnswer.model_validate(
        _run(run)
        | {
            "preparing": None if preparing is None or run.is_over else asdict(preparing),
            "series": [told(row) for row in series],
            "report": None if report is None else _report(report),
            "environment": None if report is None or not report.environment.cores else asdict(report.environment),
        }
    )


def _status(run: Run) -> dict[str, object]:
    course, report = run.course, run.report
    return {
        "id": str(run.id), "phase": run.phase.value,
        "runners": {
            "wanted": course.runners, "ready": course.ready, "reported": course.reported, "failed": course.failed,
        },
        "start_at": course.start_at, "finished_at": run.finished_at, "results": _results(run),
        "verdict": None if report is None else report.verdict,
        "doubts": [] if report is None else list(report.doubts),
        "checks": [] if report is None else [_check(one) for one in report.checks],
    }  # fmt: skip


def _run(run: Run) -> dict[str, object]:
    plan = run.wanted.plan
    return _status(run) | {
        "name": run.wanted.name or None, "created_at": run.course.created_at,
        "stop_asked_at": run.course.stop_asked_at, "scenario": plan.scenario, "users": plan.virtual_users,
        "actions_per_second": plan.requests_per_second, "duration_seconds": plan.duration_s,
        "ramp_up_seconds": plan.ramp_up_s, "seed": plan.seed,
        "thresholds": [asdict(threshold) for threshold in plan.thresholds],
    }  # fmt: skip


def _results(run: Run) -> Mapping[str, object] | None:
    if run.report is None and run.so_far is None:
        return None
    report = run.report or sums.provisional(run.wanted.plan, run.so_far, 0.0)
    return asdict(sums.numbers_of(report))


def _check(one: Check) -> dict[str, object]:
    return asdict(one)


def _report(report: Report) -> dict[str, object]:
    plain = {name: getattr(report, name) for name in ReportAnswer.model_fields}
    return plain | {
        "started_at": datetime.fromtimestamp(report.started_at, UTC),
        "errors_by_class": dict(report.errors_by_class),
        "endpoints": [_endpoint(one) for one in report.endpoints],
        "freshness": [{name: getattr(one, name) for name in FreshnessAnswer.model_fields} for one in report.freshness],
    }


def _endpoint(one: Endpoint) -> dict[str, object]:
    return {name: getattr(one, name) for name in EndpointAnswer.model_fields}


class DifferenceAnswer(Answer):
    """One number in two runs; `band` is how far it may differ without meaning, in the number's own unit."""

    metric: str
    before: float
    after: float
    band: float
    change: Change


class ComparisonAnswer(Answer):
    """The second run beside the first. `caveats`: what differs between them besides the platform."""

    differences: list[DifferenceAnswer]
    caveats: list[str]

    @classmethod
    def of(cls, comparison: Comparison) -> "ComparisonAnswer":
        """As the API tells it."""
        return cls(
            differences=[DifferenceAnswer(**asdict(one)) for one in comparison.differences],
            caveats=list(comparison.caveats),
        )
