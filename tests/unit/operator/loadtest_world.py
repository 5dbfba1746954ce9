"""A load test's world in miniature: resource, Job with its pods, and the generator's store, each a small state machine.

They keep the promises of the real ones: the store opens the barrier when the last runner is ready, ends a run once and
never changes one that ended; a Job fails with its first pod; what was deleted is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from palio_operator.loadtests import conditions
from palio_operator.loadtests.domain import (
    Admit,
    CreateJob,
    DeleteJob,
    FinishRun,
    PutRun,
    Release,
    Report,
    StopRun,
    Terms,
    Wait,
    World,
    has_place,
    plan,
)
from palio_operator.loadtests.fence import Fence
from palio_operator.loadtests.models import (
    Check,
    JobState,
    LoadTestSpec,
    Meta,
    Phase,
    Resource,
    Results,
    Run,
    RunnerJob,
    RunPhase,
    Threshold,
    Trouble,
)
from palio_operator.telling import stamped

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)
UID = "0190a000-0000-7000-8000-000000000002"
FENCE = Fence("http://palio-gateway:23455", "ws://palio-websocket:23456/ws/main", "palio", ("play.example.org",))
TERMS = Terms(FENCE)
ENDS = {"Succeeded", "Failed", "Stopped"}


def a_spec(**changes: Any) -> LoadTestSpec:
    """Three runners, 20 s of load, one threshold."""
    spec = LoadTestSpec(
        url=None, scenario="Mixed", runners=3, users=100, rate=50, ramp_up_s=5, duration_s=20, seed=1,
        thresholds=(Threshold("P99LatencyMs", "AtMost", 50),), startup_deadline_s=60, ttl_s=3600, keeps_runners=False,
        stopped=False,
    )  # fmt: skip
    return replace(spec, **changes)


def a_run(**changes: Any) -> Run:
    return replace(Run(RunPhase.WAITING, wanted=3), **changes)


def a_job(**changes: Any) -> RunnerJob:
    return replace(RunnerJob("job-1", True, JobState.ACTIVE, NOON), **changes)


@dataclass
class LoadTestWorld:
    """One load test and what surrounds it."""

    spec: LoadTestSpec = field(default_factory=a_spec)
    now: datetime = NOON
    generation: int = 1
    ahead: int = 0
    deleted_at: datetime | None = None
    paused: bool = False
    gone: bool = False
    store_answers: bool = True
    status: dict[str, Any] = field(default_factory=dict)
    run: Run | None = None
    job: RunnerJob | None = None
    troubles: tuple[Trouble, ...] = ()
    asked_to_stop: bool = False
    jobs_made: int = 0
    jobs_refused: bool = False
    puts: int = 0
    p99_ms: float = 40.0
    ends: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)

    def world(self) -> World:
        """What an operator reads now."""
        meta = Meta(
            UID, "games", "evening", self.generation, deleted_at=self.deleted_at, paused=self.paused,
            finalizers=(), created_at=NOON,
        )  # fmt: skip
        resource = Resource(meta, self.spec, self.status)
        ahead = None if resource.is_admitted else self.ahead
        run = self.run if self.store_answers and resource.is_admitted else None
        job = self.job if resource.is_admitted else None
        return World(
            self.now, resource, TERMS, ahead=ahead, store_answers=self.store_answers, run=run, job=job,
            troubles=self.troubles if job is not None else (),
        )  # fmt: skip

    def reconcile(self, *, dies_after: int = 99) -> float:
        """Reconcile as the operator does, or die after so many actions; the pause until the next time."""
        done: set[object] = set()
        for _ in range(12):
            if self.gone:
                return 3600.0
            for action in plan(self.world()):
                if action in done:
                    continue
                done.add(action)
                pause = self.do(action)
                if len(done) >= dies_after:
                    return 0.0
                if pause is not None:
                    return pause
                if not isinstance(action, Report):
                    break
        raise AssertionError("the plan does not come to rest")

    def do(self, action: object) -> float | None:  # noqa: C901 - a flat table of actions
        """One action upon this world; a pause if it was `Wait` or `Release`."""
        match action:
            case Wait(pause):
                return pause
            case Release():
                self.gone = True
                return 3600.0
            case Report():
                self.tell(conditions.describe(self.world()))
            case Admit():
                if has_place(self.world()):
                    self.tell(conditions.describe(self.world(), admitted=True))
            case CreateJob():
                if self.job is None and not self.jobs_refused:
                    self.jobs_made += 1
                    self.job, self.troubles = a_job(uid=f"job-{self.jobs_made}", created_at=self.now), ()
            case DeleteJob(uid):
                if self.job is not None and self.job.uid == uid:
                    self.job = None
            case PutRun() | StopRun() | FinishRun() if self.store_answers:
                self.ask_store(action)
        return None

    def ask_store(self, action: PutRun | StopRun | FinishRun) -> None:
        match action:
            case PutRun():
                self.puts += 1
                self.run = self.run or a_run(wanted=self.spec.runners)
            case StopRun():
                self.asked_to_stop = True
            case FinishRun(lost, stopped):
                missing = [index for index in lost if index >= (self.run.reported if self.run else 0)]
                self.end_run(stopped=stopped, doubts=(f"{len(missing)} runners did not report",) if missing else ())

    # What happens in the generator and in the cluster

    def ready(self) -> None:
        """One more runner is ready; the last one opens the barrier."""
        run = self.run
        if (
            self.job is None
            or self.job.state is not JobState.ACTIVE
            or run is None
            or run.phase is not RunPhase.WAITING
        ):
            return
        run = replace(run, ready=run.ready + 1)
        if run.ready >= run.wanted:
            run = replace(run, phase=RunPhase.RUNNING, start_at=self.now + timedelta(seconds=3))
        self.run = run

    def report(self) -> None:
        """One more runner reports and its pod ends well; the last one ends the run."""
        run, job = self.run, self.job
        if run is None or job is None or run.phase is not RunPhase.RUNNING or job.state is not JobState.ACTIVE:
            return
        self.job = replace(job, done=job.done | {run.reported})
        self.run = replace(run, reported=run.reported + 1)
        if self.run.reported >= run.wanted:
            self.job = replace(self.job, state=JobState.SUCCEEDED)
            self.end_run(stopped=self.asked_to_stop, doubts=("stopped before its end",) if self.asked_to_stop else ())

    def fail_pod(self, trouble: Trouble) -> None:
        if self.job is not None and self.job.state is JobState.ACTIVE:
            self.job = replace(self.job, state=JobState.FAILED, reason="BackoffLimitExceeded", failed_pods=1)
            self.troubles = (trouble,)

    def end_run(self, *, stopped: bool, doubts: tuple[str, ...] = ()) -> None:
        """A run ends once."""
        run = self.run
        if run is None or run.is_over:
            return
        measured = run.start_at is not None
        check = Check("P99LatencyMs", "AtMost", 50, self.p99_ms if measured else None, measured and self.p99_ms <= 50)
        good = measured and not doubts
        verdict = ("Passed" if check.held else "Failed") if good else "Inconclusive"
        self.verdicts.append(verdict)
        self.run = replace(
            run, phase=RunPhase.STOPPED if stopped else RunPhase.FINISHED, finished_at=self.now, verdict=verdict,
            doubts=doubts or (() if measured else ("it never began",)), checks=(check,),
            results=Results(1000, 3, 49.9, 4.2, 20.0, self.p99_ms, 80.4) if measured else None,
        )  # fmt: skip

    def tell(self, status: dict[str, Any]) -> None:
        """The status is applied, and must be true and never worse than before."""
        over = self.status.get("phase") in ENDS
        told = status if over else stamped(status, self.status, self.now)
        if over:
            changed = {key for key in told.keys() | self.status.keys() if told.get(key) != self.status.get(key)}
            assert changed <= {"observedGeneration"}, changed
        self.status = told
        self.phases.append(Phase(told["phase"]))
        if told["phase"] in ENDS and not over:
            self.ends.append(told)

    def said(self, kind: str) -> tuple[str, str]:
        """A condition as (status, reason)."""
        (found,) = [one for one in self.status["conditions"] if one["type"] == kind]
        return found["status"], found["reason"]

    def settle(self, rounds: int = 40, *, then: Sequence[str] = ("ready", "report")) -> None:
        """Let everything work for a while: the operator looks, runners do what they do, the clock goes on."""
        for _ in range(rounds):
            pause = self.reconcile()
            for step in then:
                getattr(self, step)()
            self.now += timedelta(seconds=min(max(pause, 0.1), 5))
        self.reconcile()
