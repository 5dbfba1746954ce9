"""What a run gives: a row each second, and one report; rows and reports of several runners add up to those of one.

All latencies are milliseconds. Response time counts from the moment a request was due, service time from the moment it
was written: what a stalled platform keeps waiting shows in the first and hides in the second. Everything but the rows
speaks of the measured part of the run, which begins after the ramp.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from palio_generator.load.histograms import Histogram
from palio_generator.load.plan import Plan
from palio_generator.load.verdicts import Check, Metric, Verdict, check, verdict

GENERATOR_CPU_MAX = 0.8
"""A runner that needs more of its core may be what was measured."""
SCHEDULE_ERROR_MAX_MS = 5.0
SCHEDULE_ERROR_SHARE = 0.2
"""A schedule error (p99) is borne up to five milliseconds, or a fifth of the p99 it is part of."""
SENT_SHARE_MIN = 0.99
"""Of what was due before the end, so much must have been handed out by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """One second of a run. `latencies` is the encoded histogram of response times that p50 to max are taken from."""

    second: int
    """Since the start, from 0."""
    due: int
    """Requests whose moment came."""
    sent: int
    answered: int
    errors: int
    in_flight: int
    """Handed out and not answered, at the end of the second."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    freshness_p99_ms: float | None
    sockets: int
    generator_cpu: float
    runners: int = 1
    latencies: bytes = b""
    freshness: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One kind of request; `response` and `service` are encoded histograms of those that succeeded or got no answer.

    Refusals are left out of the times: they are quick, and would flatter them.
    """

    endpoint: str
    requests: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    service_p50_ms: float
    service_p99_ms: float
    response: bytes
    service: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Score written to the gateway → frame read from a socket. `history` is an encoded histogram.

    `feed`: every score, on channel `score`. `board`: scores that reached the first hundred, on the board's channel.
    """

    channel: str
    samples: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    history: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where a run ran; `target` is what the gateway told about itself."""

    cores: int
    cpu: str
    memory_gib: float
    kernel: str
    python: str
    versions: Mapping[str, str]
    commit: str
    target: Mapping[str, str] = field(default_factory=dict)
    scheduling: str = "normal"
    """`real-time` where the generator comes before everything else on its core (see `precedence`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run, or one runner's part of it. Errors are requests too: those not answered with success.

    `doubts` say why a run is Inconclusive. `was_stopped` marks a run that ended early: its numbers are of the part
    that was run. `runners` counts those merged in here, of `plan.share.count` wanted if the plan is a share.
    """

    plan: Plan
    started_at: float
    """Seconds since 1970."""
    measured_s: float
    requests: int
    errors: int
    requests_per_second: float
    """Answers per second, good and bad."""
    target_rate: float
    """Requests due per second."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    service_p50_ms: float
    service_p99_ms: float
    schedule_error_p50_ms: float
    schedule_error_p99_ms: float
    """How long after its moment a request was handed to a connection or, if none was free, to the queue for one."""
    generator_cpu: float
    """Share of a core the busiest runner used."""
    verdict: Verdict
    doubts: tuple[str, ...]
    checks: tuple[Check, ...]
    was_stopped: bool
    sent_share: float
    """Of the requests due before the end, the part handed out by then."""
    backlog_max: int
    """Most requests that waited for a free connection at once."""
    errors_by_class: Mapping[str, int]
    """`http_429`, `http_503`..., `timeout`, `connection`, `malformed`, `backlog_full`."""
    endpoints: tuple[Endpoint, ...]
    freshness: tuple[Freshness, ...]
    freshness_p50_ms: float | None
    freshness_p99_ms: float | None
    """Of channel `score` (see `Freshness`); None if no socket heard any."""
    version_gaps: int
    """Live frames that did not build on the one before."""
    sockets: int
    sockets_lost: int
    schedule_error: bytes
    """Encoded histogram."""
    environment: Environment
    runners: int = 1

    @property
    def numbers(self) -> dict[Metric, float | None]:
        """What thresholds speak of."""
        return {
            Metric.P50_LATENCY_MS: self.p50_ms if self.requests else None,
            Metric.P95_LATENCY_MS: self.p95_ms if self.requests else None,
            Metric.P99_LATENCY_MS: self.p99_ms if self.requests else None,
            Metric.ERROR_PER_MILLE: 1000 * self.errors / self.requests if self.requests else None,
            Metric.REQUESTS_PER_SECOND: self.requests_per_second,
            Metric.P99_FRESHNESS_MS: self.freshness_p99_ms,
        }


def judged(report: Report, *, runners_wanted: int = 1) -> Report:
    """The report with its doubts, checks and verdict."""
    doubts = tuple(_doubts(report, runners_wanted))
    checks = tuple(check(threshold, report.numbers) for threshold in report.plan.thresholds)
    return replace(report, doubts=doubts, checks=checks, verdict=verdict(checks, doubts))


def _doubts(report: Report, runners_wanted: int) -> Iterable[str]:
    if report.was_stopped:
        yield "stopped before its end"
    if report.runners < runners_wanted:
        yield f"{runners_wanted - report.runners} of {runners_wanted} runners were lost"
    if report.requests == 0:
        yield "no request was due in the measured time"
    if report.generator_cpu > GENERATOR_CPU_MAX:
        yield f"the generator used {report.generator_cpu:.0%} of a core"
    borne_ms = max(SCHEDULE_ERROR_MAX_MS, SCHEDULE_ERROR_SHARE * report.p99_ms)
    if report.schedule_error_p99_ms > borne_ms:
        yield f"requests left {report.schedule_error_p99_ms:.1f} ms late (p99), more than {borne_ms:.1f} ms"
    if report.sent_share < SENT_SHARE_MIN:
        yield f"only {report.sent_share:.1%} of the requests that were due were sent"


def merge_seconds(rows: Iterable[Second]) -> list[Second]:
    """Rows of several runners as rows of the run, in order."""
    by_second: dict[int, list[Second]] = {}
    for row in rows:
        by_second.setdefault(row.second, []).append(row)
    return [_merged_second(by_second[second]) for second in sorted(by_second)]


def _merged_second(rows: Sequence[Second]) -> Second:
    if len(rows) == 1:
        return rows[0]
    latencies = Histogram.merged(row.latencies for row in rows if row.latencies)
    freshness = Histogram.merged(row.freshness for row in rows if row.freshness)
    return Second(
        second=rows[0].second,
        due=sum(row.due for row in rows),
        sent=sum(row.sent for row in rows),
        answered=sum(row.answered for row in rows),
        errors=sum(row.errors for row in rows),
        in_flight=sum(row.in_flight for row in rows),
        p50_ms=latencies.percentile_ms(50),
        p95_ms=latencies.percentile_ms(95),
        p99_ms=latencies.percentile_ms(99),
        max_ms=latencies.max_ms,
        freshness_p99_ms=freshness.percentile_ms(99) if freshness.count else None,
        sockets=sum(row.sockets for row in rows),
        generator_cpu=max(row.generator_cpu for row in rows),
        runners=sum(row.runners for row in rows),
        latencies=latencies.encoded(),
        freshness=freshness.encoded(),
    )


def merge_reports(reports: Sequence[Report], *, runners_wanted: int) -> Report:
    """Reports of several runners of one run as the report of the run; lost runners make it Inconclusive.

    Raises:
        ValueError: there is no report at all.
    """
    if not reports:
        raise ValueError("no runner reported")
    first = reports[0]
    whole = first if len(reports) == 1 else _merged_report(reports)
    return judged(replace(whole, plan=first.plan.share_of(0, 1)), runners_wanted=runners_wanted)


def _merged_report(reports: Sequence[Report]) -> Report:
    endpoints = merge_endpoints([endpoint for report in reports for endpoint in report.endpoints])
    response = Histogram.merged(endpoint.response for endpoint in endpoints)
    service = Histogram.merged(endpoint.service for endpoint in endpoints)
    schedule_error = Histogram.merged(report.schedule_error for report in reports)
    freshness = merge_freshness([one for report in reports for one in report.freshness])
    feed = next((one for one in freshness if one.channel == "feed" and one.samples), None)
    return replace(
        reports[0],
        started_at=min(report.started_at for report in reports),
        measured_s=max(report.measured_s for report in reports),
        requests=sum(report.requests for report in reports),
        errors=sum(report.errors for report in reports),
        requests_per_second=sum(report.requests_per_second for report in reports),
        target_rate=sum(report.target_rate for report in reports),
        p50_ms=response.percentile_ms(50),
        p95_ms=response.percentile_ms(95),
        p99_ms=response.percentile_ms(99),
        max_ms=response.max_ms,
        service_p50_ms=service.percentile_ms(50),
        service_p99_ms=service.percentile_ms(99),
        schedule_error_p50_ms=schedule_error.percentile_ms(50),
        schedule_error_p99_ms=schedule_error.percentile_ms(99),
        schedule_error=schedule_error.encoded(),
        generator_cpu=max(report.generator_cpu for report in reports),
        was_stopped=any(report.was_stopped for report in reports),
        sent_share=min(report.sent_share for report in reports),
        backlog_max=sum(report.backlog_max for report in reports),
        errors_by_class=dict(sum((Counter(report.errors_by_class) for report in reports), Counter())),
        endpoints=tuple(endpoints),
        freshness=tuple(freshness),
        freshness_p50_ms=feed.p50_ms if feed else None,
        freshness_p99_ms=feed.p99_ms if feed else None,
        version_gaps=sum(report.version_gaps for report in reports),
        sockets=sum(report.sockets for report in reports),
        sockets_lost=sum(report.sockets_lost for report in reports),
        runners=sum(report.runners for report in reports),
    )


def endpoint_of(name: str, requests: int, errors: int, response: Histogram, service: Histogram) -> Endpoint:
    """One endpoint's numbers from its counts and histograms."""
    return Endpoint(
        endpoint=name,
        requests=requests,
        errors=errors,
        p50_ms=response.percentile_ms(50),
        p95_ms=response.percentile_ms(95),
        p99_ms=response.percentile_ms(99),
        max_ms=response.max_ms,
        service_p50_ms=service.percentile_ms(50),
        service_p99_ms=service.percentile_ms(99),
        response=response.encoded(),
        service=service.encoded(),
    )


def freshness_of(channel: str, history: Histogram) -> Freshness:
    """One channel's numbers from its histogram."""
    return Freshness(
        channel=channel,
        samples=history.count,
        p50_ms=history.percentile_ms(50),
        p99_ms=history.percentile_ms(99),
        max_ms=history.max_ms,
        history=history.encoded(),
    )


def merge_endpoints(parts: Sequence[Endpoint]) -> list[Endpoint]:
    """One entry a name, in the order of their first appearance."""
    names = dict.fromkeys(part.endpoint for part in parts)
    return [
        endpoint_of(
            name,
            sum(part.requests for part in parts if part.endpoint == name),
            sum(part.errors for part in parts if part.endpoint == name),
            Histogram.merged(part.response for part in parts if part.endpoint == name),
            Histogram.merged(part.service for part in parts if part.endpoint == name),
        )
        for name in names
    ]


def merge_freshness(parts: Sequence[Freshness]) -> list[Freshness]:
    """One entry a channel."""
    channels = dict.fromkeys(part.channel for part in parts)
    return [
        freshness_of(channel, Histogram.merged(part.history for part in parts if part.channel == channel))
        for channel in channels
    ]


def read_report(document: bytes | str) -> Report:
    """A report from its JSON.

    Raises:
        ValueError: it is something else.
    """
    return msgspec.json.decode(document, type=Report)
