"""What the operator reads of one load test: the resource, its run, its Job, its pods. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from palio_operator.resources import LOADTEST, Condition, InvalidSpec, Kind, ObjectMeta, metadata_fields, moment
from palio_operator.telling import told_before


class Phase(StrEnum):
    """A summary for people; the last three are the end, and what ended stays as it ended."""

    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"


_LONG_AGO = datetime.min.replace(tzinfo=UTC)

ENDS = (Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED)


class RunPhase(StrEnum):
    """How a run stands in the generator."""

    WAITING = "waiting"
    RUNNING = "running"
    REPORTING = "reporting"
    FINISHED = "finished"
    STOPPED = "stopped"
    LOST = "lost"


class JobState(StrEnum):
    """How the Job of the runners stands; Leaving: somebody is deleting it."""

    ACTIVE = "Active"
    LEAVING = "Leaving"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Threshold:
    """One border: what is measured, which side of it is good."""

    metric: str
    op: str
    value: int


@dataclass(frozen=True, slots=True)
class LoadTestSpec:
    """What a resource asks for; `url` is None for the platform's own gateway, `rate` for the users' own pace."""

    url: str | None
    scenario: str
    runners: int
    users: int
    rate: int | None
    ramp_up_s: int
    duration_s: int
    seed: int
    thresholds: tuple[Threshold, ...]
    startup_deadline_s: int
    ttl_s: int
    keeps_runners: bool
    stopped: bool

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> "LoadTestSpec":
        """Read a `spec`.

        Raises:
            InvalidSpec: it does not make sense.
        """
        try:
            return _spec(spec)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidSpec(f"the spec cannot be understood: {error!r}") from error


def _spec(spec: Mapping[str, Any]) -> LoadTestSpec:
    load, rate = spec["load"], spec["load"].get("requestsPerSecond")
    return LoadTestSpec(
        url=(spec.get("target") or {}).get("url"),
        scenario=spec.get("scenario", "Mixed"),
        runners=int(load.get("parallelism", 1)),
        users=int(load["virtualUsers"]),
        rate=None if rate is None else int(rate),
        ramp_up_s=int(load.get("rampUpSeconds", 5)),
        duration_s=int(load["durationSeconds"]),
        seed=int(spec.get("seed", 1)),
        thresholds=tuple(
            Threshold(one["metric"], one["op"], int(one["value"])) for one in spec.get("thresholds") or []
        ),
        startup_deadline_s=int(spec.get("startupDeadlineSeconds", 120)),
        ttl_s=int(spec.get("ttlSecondsAfterFinished", 86_400)),
        keeps_runners=spec.get("cleanupPolicy", "DeleteRunners") == "Retain",
        stopped=spec.get("desiredState", "Run") == "Stopped",
    )


@dataclass(frozen=True, slots=True)
class Meta(ObjectMeta):
    """Which load test, and since when there is one: who came first runs first."""

    kind: ClassVar[Kind] = LOADTEST
    created_at: datetime = _LONG_AGO

    @property
    def job_name(self) -> str:
        """The Job of its runners."""
        return f"{self.name}-run-{self.uid[:8]}"

    @classmethod
    def parse(cls, metadata: Mapping[str, Any]) -> "Meta":
        """Read a resource's `metadata`."""
        return cls(**metadata_fields(metadata), created_at=moment(metadata["creationTimestamp"]))


@dataclass(frozen=True, slots=True)
class Resource:
    """A `LoadTest` as the API server holds it; `spec` is what is wrong with it if it cannot be understood."""

    meta: Meta
    spec: LoadTestSpec | InvalidSpec
    status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def phase(self) -> Phase:
        """The phase that was told last."""
        told = self.status.get("phase", "")
        return Phase(told) if told in Phase.__members__.values() else Phase.PENDING

    @property
    def is_over(self) -> bool:
        """Whether its end was told: nothing that was told then changes any more."""
        return self.phase in ENDS

    @property
    def is_admitted(self) -> bool:
        """Whether it was given a place; it keeps it until it is over."""
        return "jobName" in self.status

    @property
    def had_runners(self) -> bool:
        """Whether its Job was seen: one that is missing now was deleted, and is not made again."""
        return "runners" in self.status

    def condition(self, kind: str) -> Condition | None:
        """The condition that was told last."""
        return told_before(self.status, kind)

    def since(self, kind: str) -> datetime | None:
        """Since when that condition has had its status."""
        for told in self.status.get("conditions") or []:
            if told.get("type") == kind:
                return moment(told["lastTransitionTime"])
        return None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Resource":
        """Read a resource."""
        try:
            spec: LoadTestSpec | InvalidSpec = LoadTestSpec.parse(body.get("spec") or {})
        except InvalidSpec as error:
            spec = error
        return cls(Meta.parse(body["metadata"]), spec, body.get("status") or {})


@dataclass(frozen=True, slots=True)
class Results:
    """What was measured, over all runners; times in ms from the moment at which each request was due."""

    requests: int
    errors: int
    requests_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    freshness_p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One threshold held against the results; `measured` is None if there is no such number."""

    metric: str
    op: str
    value: float
    measured: float | None
    held: bool

    @property
    def text(self) -> str:
        """In words: `P99LatencyMs 83.2, at most 50`."""
        measured = "not measured" if self.measured is None else f"{self.measured:g}"
        return f"{self.metric} {measured}, {'at most' if self.op == 'AtMost' else 'at least'} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the generator holds it; `start_at` is by the database's clock, None until all runners were ready."""

    phase: RunPhase
    wanted: int
    ready: int = 0
    reported: int = 0
    failed: int = 0
    start_at: datetime | None = None
    finished_at: datetime | None = None
    results: Results | None = None
    verdict: str | None = None
    doubts: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether it ended, however it did."""
        return self.phase in (RunPhase.FINISHED, RunPhase.STOPPED, RunPhase.LOST)

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> "Run":
        """Read the generator's status document."""
        runners, results = told["runners"], told["results"]
        return cls(
            phase=RunPhase(told["phase"]), wanted=runners["wanted"], ready=runners["ready"],
            reported=runners["reported"], failed=runners["failed"], start_at=_moment(told["start_at"]),
            finished_at=_moment(told["finished_at"]), results=None if results is None else _results(results),
            verdict=told["verdict"], doubts=tuple(str(one) for one in told["doubts"]),
            checks=tuple(
                Check(one["metric"], one["op"], one["value"], one["measured"], one["held"]) for one in told["checks"]
            ),
        )  # fmt: skip


def _results(told: Mapping[str, Any]) -> Results:
    return Results(
        told["requests"], told["errors"], told["requests_per_second"], told["p50_ms"], told["p95_ms"], told["p99_ms"],
        told["max_ms"], told.get("freshness_p99_ms"),
    )  # fmt: skip


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


@dataclass(frozen=True, slots=True)
class RunnerJob:
    """The Job of the runners, or one of its name that is not ours; `done` are the indexes that ended well."""

    uid: str
    owned: bool
    state: JobState
    created_at: datetime
    reason: str = ""
    done: frozenset[int] = frozenset()
    ready_pods: int = 0
    failed_pods: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a runner's pod from running, or ended it: a reason of `RunnersReady`, and words."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a load test is not run at all: a reason of `Ready`, and words."""

    reason: str
    message: str
