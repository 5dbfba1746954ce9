"""What to do next for one load test: a pure plan over what was just read.

What is remembered between two plans is in the status (a place in the queue, that there was a Job, the end), in the Job
and in the generator. An end is told first and tidied up after, so whoever was killed in between sees the same reasons
again. A run that was disturbed is never begun anew: that would be another measurement.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from palio_operator.loadtests.fence import Fence, Target, target
from palio_operator.loadtests.models import (
    JobState,
    LoadTestSpec,
    Meta,
    Refusal,
    Resource,
    Run,
    RunnerJob,
    RunPhase,
    Trouble,
)
from palio_operator.resources import InvalidSpec

_TOLD_S = 0.05
"""The pause between telling an end and tidying up after it."""

_POLLS_A_TELLING = 5
"""What is measured while load goes on is told so rarely: a status is not a stream."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator was told about load tests; times in seconds.

    `poll_s` is the pause while something is about to happen, `resync_s` while one waits, `drift_s` after its end;
    `stop_grace_s` is how long runners have to report after they were asked to stop.
    """

    fence: Fence
    concurrent_max: int = 1
    poll_s: float = 1.0
    resync_s: float = 15.0
    drift_s: float = 300.0
    stop_grace_s: float = 30.0
    deletion_grace_s: float = 600.0


@dataclass(frozen=True, slots=True)
class World:
    """All that was read for one plan; the Job and its pods were read before the run.

    Without `store_answers`, `run` is unknown rather than missing. `ahead` is how many load tests come before this
    one, None if it was not asked because this one has a place. `refusal` is the generator's, `hindrance` what the API
    server said to a step.
    """

    now: datetime
    resource: Resource
    terms: Terms
    ahead: int | None = None
    store_answers: bool = True
    trouble: str = "does not answer"
    """What a service does that gives no answer, in words that go on after its name."""
    run: Run | None = None
    job: RunnerJob | None = None
    troubles: tuple[Trouble, ...] = ()
    refusal: Refusal | None = None
    hindrance: str = ""

    @property
    def meta(self) -> Meta:
        """The resource's metadata."""
        return self.resource.meta

    @property
    def own_job(self) -> RunnerJob | None:
        """The Job, if it is this resource's."""
        return self.job if self.job is not None and self.job.owned else None


@dataclass(frozen=True, slots=True)
class Admit:
    """Take a place, unless somebody took the last one meanwhile: the status says so before anything is made."""


@dataclass(frozen=True, slots=True)
class PutRun:
    """Write the run down in the generator."""

    target: Target


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the Job of the runners, unless one of that name is there."""


@dataclass(frozen=True, slots=True)
class StopRun:
    """Ask the runners to end early."""


@dataclass(frozen=True, slots=True)
class FinishRun:
    """End the run with what was reported; the runners of these indexes are not waited for."""

    lost: tuple[int, ...]
    stopped: bool


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete the Job; it goes after its pods."""

    uid: str


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the status if it changed."""


@dataclass(frozen=True, slots=True)
class Release:
    """Let the resource be deleted; `abandoned` if its run or its Job could not be ended in time."""

    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing more to do for so long, unless something happens."""

    seconds: float


Step = Admit | PutRun | CreateJob | StopRun | FinishRun | DeleteJob
Action = Step | Report | Release | Wait


def plan(world: World) -> Sequence[Action]:
    """What to do next. Total: any world has a plan, and every plan ends in `Wait` or `Release`."""
    if world.meta.deleted_at is not None:
        return _let_go(world, world.meta.deleted_at)
    if world.resource.is_over:
        return [Report(), *_tidy(world), Wait(world.terms.drift_s)]
    if world.meta.paused:
        return [Report(), Wait(world.terms.resync_s)]
    return [*_steps(world), Report(), Wait(_pause_s(world))]


def _let_go(world: World, deleted_at: datetime) -> Sequence[Action]:
    """End the run, then the pods, then the resource may go."""
    patient = world.now - deleted_at < timedelta(seconds=world.terms.deletion_grace_s)
    if world.run is not None and not world.run.is_over:
        return [FinishRun(_all(world.run), stopped=True), *_let_go_of_job(world, patient=patient)]
    return _let_go_of_job(world, patient=patient)


def _let_go_of_job(world: World, *, patient: bool) -> Sequence[Action]:
    job = world.own_job
    if job is not None and patient:
        asked = [] if job.state is JobState.LEAVING else [DeleteJob(job.uid)]
        return [*asked, Report(), Wait(world.terms.poll_s)]
    unknown = not world.store_answers and world.resource.is_admitted and not world.resource.is_over
    if unknown and patient:
        return [Report(), Wait(world.terms.poll_s)]
    return [Release(abandoned=unknown or job is not None)]


def _tidy(world: World) -> Sequence[Action]:
    """What is left to do after the end was told."""
    job, spec = world.own_job, world.resource.spec
    if job is None or job.state is JobState.LEAVING or not isinstance(spec, LoadTestSpec) or spec.keeps_runners:
        return []
    return [DeleteJob(job.uid)]


def _steps(world: World) -> Sequence[Step]:
    spec = world.resource.spec
    if isinstance(spec, InvalidSpec) or refusal(world) is not None:
        return []
    if not world.resource.is_admitted:
        return [Admit()] if not spec.stopped and has_place(world) else []
    if not world.store_answers:
        return []
    return _unstarted(world, spec) if world.run is None else _started(world, spec, world.run)


def has_place(world: World) -> bool:
    """Whether it may begin: it has a place, or there is one for it."""
    ahead = world.ahead
    return world.resource.is_admitted or (ahead is not None and ahead < world.terms.concurrent_max)


def refusal(world: World) -> Refusal | None:
    """Why it is not run at all; once its run is written down, or may be, nothing is refused any more."""
    spec = world.resource.spec
    if isinstance(spec, InvalidSpec):
        return None
    if world.refusal is not None:
        return world.refusal
    written = world.run is not None or world.resource.had_runners or not world.store_answers
    if world.resource.is_admitted and written:
        return None
    where = target(spec.url, world.terms.fence)
    return where if isinstance(where, Refusal) else None


def _unstarted(world: World, spec: LoadTestSpec) -> Sequence[Step]:
    """The run is not written down. If there were runners already, it was lost, and `ending` says so."""
    where = target(spec.url, world.terms.fence)
    if spec.stopped or world.resource.had_runners or world.job is not None or isinstance(where, Refusal):
        return []
    return [PutRun(where)]


def _started(world: World, spec: LoadTestSpec, run: Run) -> Sequence[Step]:
    if run.is_over:
        return []
    if spec.stopped:
        return _stop(world, run)
    if interruption(world, spec, run) is not None:
        return [FinishRun(_lost(world, run), stopped=False)]
    return [CreateJob()] if world.job is None else []


def _stop(world: World, run: Run) -> Sequence[Step]:
    """Runners that run are asked and have a moment to report; where none runs there is nothing to wait for."""
    job = world.own_job
    reporting = run.start_at is not None and job is not None and job.state is JobState.ACTIVE
    if reporting and not _stopped_long_ago(world):
        return [StopRun()]
    return [FinishRun(_lost(world, run), stopped=True)]


def _stopped_long_ago(world: World) -> bool:
    told, since = world.resource.condition("Ready"), world.resource.since("Ready")
    if told is None or told.reason != "Stopping" or since is None:
        return False
    return world.now - since > timedelta(seconds=world.terms.stop_grace_s)


def interruption(world: World, spec: LoadTestSpec, run: Run) -> Trouble | None:
    """What keeps a run from its good end, as far as Job and pods show it; None while all is well.

    The same before and after the run is finished because of it: nothing of it is stored anywhere else.
    """
    if run.start_at is not None and run.reported >= run.wanted:
        return None
    job = world.job
    if job is None:
        return _missing(world, spec, run)
    if not job.owned:
        return _conflict(world)
    if job.state is not JobState.ACTIVE:
        return _DELETED if job.state is JobState.LEAVING else _failed(world, job.reason, run)
    if run.start_at is not None:
        return _failed(world, "", run) if run.is_over and run.failed else None
    return _late(world, spec, run, job)


def _late(world: World, spec: LoadTestSpec, run: Run, job: RunnerJob) -> Trouble | None:
    """The Job is as it should be, but its runners may not have become ready in time."""
    late = world.now - job.created_at > timedelta(seconds=spec.startup_deadline_s)
    return (first(world.troubles) or _not_ready(run, spec)) if late or run.is_over else None


def _conflict(world: World) -> Trouble:
    return Trouble("NameConflict", f"a Job {world.meta.job_name} that is not ours is in the way")


_DELETED = Trouble("RunnersDeleted", "the Job of the runners was deleted from outside")


def _missing(world: World, spec: LoadTestSpec, run: Run) -> Trouble | None:
    """There is no Job: there was one, or it cannot be made, or it is still to be made."""
    if world.resource.had_runners or run.ready > 0 or run.start_at is not None:
        return _DELETED
    told, since = world.resource.condition("Ready"), world.resource.since("Ready")
    if told is None or told.reason != "Provisioning" or since is None:
        return None
    if world.now - since <= timedelta(seconds=spec.startup_deadline_s):
        return None
    return Trouble("JobNotCreated", f"the Job of the runners could not be made within {spec.startup_deadline_s} s")


def _failed(world: World, reason: str, run: Run) -> Trouble:
    """The Job or the run ended and somebody has not reported."""
    why = first(world.troubles)
    if why is not None:
        return why
    missing = run.wanted - run.reported
    said = f": {reason}" if reason else ""
    return Trouble("RunnerLost", f"{missing} of {run.wanted} runners ended without a report{said}")


def _not_ready(run: Run, spec: LoadTestSpec) -> Trouble:
    if run.failed:
        return Trouble("RunnerFailed", f"{run.failed} of {run.wanted} runners failed before the start")
    waited = f"within {spec.startup_deadline_s} s"
    return Trouble("StartupDeadlineExceeded", f"{run.ready} of {run.wanted} runners were ready {waited}")


TROUBLES = (
    "OOMKilled", "RunnerFailed", "Evicted", "CrashLoop", "ImagePullBackOff", "ContainerNotCreated", "Unschedulable",
)  # fmt: skip
"""Every reason of a pod's trouble, the gravest first."""


def first(troubles: Iterable[Trouble]) -> Trouble | None:
    """The one to tell: what ended a pod before what keeps one from beginning; the same whatever their order."""
    return min(troubles, key=lambda one: (TROUBLES.index(one.reason), one.message), default=None)


def _lost(world: World, run: Run) -> tuple[int, ...]:
    done = world.own_job.done if world.own_job is not None else frozenset()
    return tuple(index for index in _all(run) if index not in done)


def _all(run: Run) -> tuple[int, ...]:
    return tuple(range(run.wanted))


@dataclass(frozen=True, slots=True)
class Ending:
    """How a load test ended: a reason and words; `stopped` if somebody asked for it, `verdict` if there is one."""

    reason: str
    message: str
    verdict: str | None = None
    stopped: bool = False

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return self.verdict == "Passed" and not self.stopped


def ending(world: World) -> Ending | None:
    """Whether it is over, and how; None while it goes on, or while that cannot be known."""
    spec, run = world.resource.spec, world.run
    if isinstance(spec, InvalidSpec):
        return Ending("InvalidSpec", f"{spec}; create a new LoadTest")
    refused = refusal(world)
    if refused is not None:
        return Ending(refused.reason, refused.message)
    if not world.resource.is_admitted:
        return _STOPPED_BEFORE if spec.stopped else None
    if not world.store_answers:
        return None
    return _without_run(world, spec) if run is None else _of_run(world, spec, run)


_STOPPED_BEFORE = Ending("Stopped", "it was stopped before it began", stopped=True)


def _without_run(world: World, spec: LoadTestSpec) -> Ending | None:
    if world.job is not None and not world.job.owned:
        return Ending(_conflict(world).reason, _conflict(world).message)
    if world.resource.had_runners or world.job is not None:
        return Ending("RunLost", "the generator does not know this run any more; create a new LoadTest")
    return _STOPPED_BEFORE if spec.stopped else None


def _of_run(world: World, spec: LoadTestSpec, run: Run) -> Ending | None:
    if not run.is_over:
        return None
    if run.phase is RunPhase.STOPPED:
        return Ending("Stopped", "it was stopped early", run.verdict, stopped=True)
    if run.verdict == "Passed":
        return Ending("Passed", "every threshold held", run.verdict)
    if run.verdict == "Failed":
        missed = "; ".join(one.text for one in run.checks if not one.held)
        return Ending("ThresholdsMissed", missed or "a threshold was missed", run.verdict)
    trouble = interruption(world, spec, run)
    doubts = "; ".join(run.doubts)
    if trouble is not None:
        return Ending(trouble.reason, f"{trouble.message} ({doubts})" if doubts else trouble.message, run.verdict)
    return Ending("Inconclusive", doubts or "the generator ended it without a verdict", run.verdict)


def _pause_s(world: World) -> float:
    if ending(world) is not None:
        return _TOLD_S
    if not world.resource.is_admitted or not world.store_answers:
        return world.terms.resync_s
    return world.terms.poll_s * (_POLLS_A_TELLING if _goes_on(world) else 1)


def _goes_on(world: World) -> bool:
    """Whether load goes on and nothing will happen to it for a while."""
    spec, run = world.resource.spec, world.run
    if isinstance(spec, InvalidSpec) or spec.stopped or run is None or run.start_at is None:
        return False
    left = run.start_at + timedelta(seconds=spec.duration_s) - world.now
    return left > timedelta(seconds=_POLLS_A_TELLING * world.terms.poll_s)


def ahead_of(meta: Meta, others: Iterable[Resource]) -> int:
    """How many load tests come before this one: those that have a place, then older ones; not who is over or paused."""
    return sum(_comes_before(other, meta) for other in others if other.meta.uid != meta.uid)


def _comes_before(other: Resource, meta: Meta) -> bool:
    if other.is_over:
        return False
    if other.is_admitted:
        return True
    if other.meta.paused or other.meta.deleted_at is not None:
        return False
    return (other.meta.created_at, other.meta.uid) < (meta.created_at, meta.uid)
