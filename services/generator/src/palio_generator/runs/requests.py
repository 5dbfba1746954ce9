"""What is sent about runs: people's wishes, the operator's resources, and what runners hand in."""

from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import Field

from palio_generator.load.histograms import Histogram
from palio_generator.load.plan import DURATION_MAX_S, RATE_MAX, RUNNERS_MAX, USERS_MAX, Plan, PlanRefused, Scenario
from palio_generator.load.players import MADE_AT_ONCE_MAX
from palio_generator.load.results import Report, Second, read_report
from palio_generator.load.verdicts import Metric, Side, Threshold
from palio_generator.runs.doors import ROWS_AT_ONCE_MAX
from palio_generator.runs.store import CLUSTER, LOCAL, Wanted
from palio_kit.problems import Invalid
from palio_kit.wire import Wire

THRESHOLDS_MAX = 20
STRESS_DURATION_MAX_S = 3_600
RAMP_MAX_S = 5.0
RAMP_SHARE = 0.2
_THRESHOLD_MAX = 2**53 - 1

Url = Annotated[str, Field(max_length=200, pattern=r"^(https?|wss?)://")]
ResourceName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9.-]+$")]


class ThresholdRequest(Wire):
    """What must hold for the verdict Passed: a border, inclusive."""

    metric: Annotated[Metric, Field(strict=False)]
    op: Annotated[Side, Field(strict=False)]
    value: Annotated[float, Field(ge=0, le=_THRESHOLD_MAX, allow_inf_nan=False)]

    def threshold(self) -> Threshold:
        """As a plan has it."""
        return Threshold(self.metric, self.op, self.value)


Thresholds = Annotated[tuple[ThresholdRequest, ...], Field(max_length=THRESHOLDS_MAX, strict=False)]


class StressRequest(Wire):
    """A run of load: so many users who together do so many actions a second, for so long."""

    users: Annotated[int, Field(ge=1, le=USERS_MAX)]
    actions_per_second: Annotated[int, Field(ge=1, le=RATE_MAX)]
    duration_seconds: Annotated[int, Field(ge=1, le=STRESS_DURATION_MAX_S)] = 30
    scenario: Annotated[Scenario, Field(strict=False)] = Scenario.MIXED
    thresholds: Thresholds = ()

    @property
    def ramp_up_s(self) -> float:
        """How long load grows: the first fifth of the run, at most five seconds."""
        return min(RAMP_MAX_S, self.duration_seconds * RAMP_SHARE)

    def plan(self, run_id: UUID, base_url: str) -> Plan:
        """As a plan.

        Raises:
            Invalid: the numbers do not go together.
        """
        return _plan(
            run_id=str(run_id), base_url=base_url, virtual_users=self.users, duration_s=float(self.duration_seconds),
            scenario=self.scenario, requests_per_second=float(self.actions_per_second),
            ramp_up_s=self.ramp_up_s,
            thresholds=tuple(one.threshold() for one in self.thresholds),
        )  # fmt: skip

    def wanted(self, run_id: UUID, base_url: str, startup_deadline_s: int) -> Wanted:
        """As a run of this process."""
        return Wanted(
            id=run_id, place=LOCAL, namespace="", name="", plan=self.plan(run_id, base_url), runners=1,
            startup_deadline_s=startup_deadline_s,
        )  # fmt: skip


class PutRun(Wire):
    """A run as its LoadTest describes it; fields as in `Plan`, of the whole run."""

    name: ResourceName
    namespace: ResourceName
    scenario: Annotated[Scenario, Field(strict=False)] = Scenario.MIXED
    virtual_users: Annotated[int, Field(ge=1, le=USERS_MAX)]
    requests_per_second: Annotated[float, Field(gt=0, le=RATE_MAX)] | None = None
    ramp_up_s: Annotated[float, Field(ge=0, le=DURATION_MAX_S)] = 5.0
    duration_s: Annotated[float, Field(ge=1, le=DURATION_MAX_S)]
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] = 1
    base_url: Url
    live_url: Url | None = None
    allowed_hosts: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=50, strict=False)] = ()
    thresholds: Thresholds = ()
    runners: Annotated[int, Field(ge=1, le=RUNNERS_MAX)] = 1
    startup_deadline_s: Annotated[int, Field(ge=30, le=1_800)] = 120

    def wanted(self, run_id: UUID) -> Wanted:
        """As a run of that id.

        Raises:
            Invalid: the numbers do not go together.
        """
        plan = _plan(
            run_id=str(run_id), base_url=self.base_url, live_url=self.live_url, virtual_users=self.virtual_users,
            duration_s=self.duration_s, scenario=self.scenario, requests_per_second=self.requests_per_second,
            ramp_up_s=self.ramp_up_s, seed=self.seed, allowed_hosts=self.allowed_hosts,
            thresholds=tuple(one.threshold() for one in self.thresholds),
        )  # fmt: skip
        _shared(plan, self.runners)
        return Wanted(
            id=run_id, place=CLUSTER, namespace=self.namespace, name=self.name, plan=plan, runners=self.runners,
            startup_deadline_s=self.startup_deadline_s,
        )  # fmt: skip


class FinishRequest(Wire):
    """The runners that will not report, and whether the run was stopped."""

    lost: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=RUNNERS_MAX)], ...], Field(max_length=RUNNERS_MAX, strict=False)
    ] = ()
    stopped: bool = False


class PlayersRequest(Wire):
    """The numbers of virtual users that need accounts."""

    numbers: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=USERS_MAX)], ...],
        Field(min_length=1, max_length=MADE_AT_ONCE_MAX, strict=False),
    ]


class FailedRequest(Wire):
    """Why a runner will not report."""

    code: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z_]+$")]
    detail: Annotated[str, Field(max_length=2_000)]


def read_rows(body: bytes) -> list[Second]:
    """Seconds that a runner hands in.

    Raises:
        Invalid: they are none, or more than 60.
    """
    try:
        rows = msgspec.json.decode(body, type=list[Second])
        _check_histograms(encoded for row in rows for encoded in (row.latencies, row.freshness))
    except (ValueError, msgspec.MsgspecError) as error:
        raise Invalid(f"These are no seconds: {error}") from error
    if len(rows) > ROWS_AT_ONCE_MAX:
        raise Invalid(f"At most {ROWS_AT_ONCE_MAX} seconds are taken at once.")
    return rows


def read_handed_report(body: bytes) -> Report:
    """A report that a runner hands in.

    Raises:
        Invalid: it is none.
    """
    try:
        report = read_report(body)
        _check_histograms([report.schedule_error])
        _check_histograms(encoded for one in report.endpoints for encoded in (one.response, one.service))
        _check_histograms(one.history for one in report.freshness)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Invalid(f"This is no report: {error}") from error
    return report


def _check_histograms(encoded: Iterable[bytes]) -> None:
    for one in encoded:
        if one:
            Histogram.decoded(one)


def _plan(**fields: object) -> Plan:
    try:
        return Plan(**fields)  # type: ignore[arg-type]  # the callers' models have checked them
    except PlanRefused as error:
        raise Invalid(f"The numbers do not go together: {error}.") from error


def _shared(plan: Plan, runners: int) -> None:
    try:
        plan.share_of(0, runners)
    except PlanRefused as error:
        raise Invalid(f"The numbers do not go together: {error}.") from error
