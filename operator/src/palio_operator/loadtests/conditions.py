"""What is true about a load test, in words for people and machines: the status of its resource. Pure.

`Succeeded` is true only if the verdict is Passed, so `kubectl wait --for=condition=Succeeded` is a gate. Once an end
was told the status is never written anew but for the generation it has seen.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

from palio_operator.loadtests.domain import TROUBLES, Ending, World, ending, first, has_place, interruption
from palio_operator.loadtests.models import LoadTestSpec, Phase, Results, Run
from palio_operator.resources import FALSE, TRUE, UNKNOWN, Condition, rfc3339
from palio_operator.telling import Worth, shown

_KEPT = ("jobName", "runners", "startTime", "completionTime", "results", "verdict")


def describe(world: World, *, admitted: bool = False) -> dict[str, Any]:
    """The status to be told, with `lastTransitionTime` left to `telling.stamped`.

    Args:
        admitted: a place is being given to it.
    """
    told = world.resource.status
    if world.resource.is_over:
        return {**told, "observedGeneration": world.meta.generation}
    end = ending(world)
    status: dict[str, Any] = {name: told[name] for name in _KEPT if name in told}
    status |= {
        "observedGeneration": world.meta.generation,
        "phase": str(_phase(world, end, admitted=admitted)),
        "conditions": shown(conditions(world, end, admitted=admitted), world.meta.generation),
    }
    if admitted:
        status["jobName"] = world.meta.job_name
    return status | _of_job(world) | (_of_run(world.run) if world.run is not None else {})


def _of_job(world: World) -> dict[str, Any]:
    """That the Job was seen is what tells one that was deleted from one that is still to be made."""
    run, spec, job = world.run, world.resource.spec, world.own_job
    if job is None or not isinstance(spec, LoadTestSpec):
        return {}
    ready = run.ready if run is not None else job.ready_pods
    reported = run.reported if run is not None else len(job.done)
    failed = max(job.failed_pods, run.failed if run is not None else 0)
    return {"runners": {"desired": spec.runners, "ready": ready, "succeeded": reported, "failed": failed}}


def _of_run(run: Run) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if run.start_at is not None:
        told["startTime"] = rfc3339(run.start_at)
    if run.results is not None and run.start_at is not None:
        told["results"] = _results(run.results)
    if run.is_over and run.finished_at is not None:
        told["completionTime"] = rfc3339(run.finished_at)
    if run.is_over and run.verdict is not None:
        told["verdict"] = run.verdict
    return told


def _results(results: Results) -> dict[str, int]:
    """Whole numbers, times rounded up: a resource has no fractions. The generator judges by the exact ones."""
    told = {
        "requests": results.requests, "errors": results.errors,
        "requestsPerSecond": round(results.requests_per_second), "p50Ms": ceil(results.p50_ms),
        "p95Ms": ceil(results.p95_ms), "p99Ms": ceil(results.p99_ms), "maxMs": ceil(results.max_ms),
    }  # fmt: skip
    if results.freshness_p99_ms is not None:
        told["freshnessP99Ms"] = ceil(results.freshness_p99_ms)
    return told


_RANKS = (Phase.PENDING, Phase.PROVISIONING, Phase.RUNNING)


def _phase(world: World, end: Ending | None, *, admitted: bool) -> Phase:
    """Never an earlier one than was told before."""
    if end is not None:
        return Phase.SUCCEEDED if end.passed else Phase.STOPPED if end.stopped else Phase.FAILED
    running = world.run is not None and world.run.start_at is not None
    placed = admitted or world.resource.is_admitted
    now = Phase.RUNNING if running else Phase.PROVISIONING if placed else Phase.PENDING
    return max(now, world.resource.phase, key=_RANKS.index)


def conditions(world: World, end: Ending | None, *, admitted: bool = False) -> Sequence[Condition]:
    """All conditions, in the order in which they are shown."""
    return [
        _ready(world, end, admitted=admitted),
        _runners_ready(world, end),
        _started(world, end),
        _thresholds_met(world, end),
        _succeeded(world, end),
    ]


def _ready(world: World, end: Ending | None, *, admitted: bool) -> Condition:
    if world.meta.deleted_at is not None:
        return Condition("Ready", FALSE, "Deleting", "its run is ended and its pods go")
    if world.meta.paused:
        return Condition("Ready", UNKNOWN, "ReconciliationPaused", "nothing is done while the annotation says so")
    if end is not None:
        measured = end.reason in ("Passed", "ThresholdsMissed")
        return Condition("Ready", TRUE if measured else FALSE, "Finished" if measured else end.reason, end.message)
    if not (admitted or has_place(world)):
        return _queued(world)
    if world.resource.is_admitted and not world.store_answers:
        return Condition("Ready", FALSE, "StoreUnavailable", _away(world))
    return _at_work(world)


def _queued(world: World) -> Condition:
    ahead, at_once = world.ahead, world.terms.concurrent_max
    if ahead is None:
        return Condition("Ready", UNKNOWN, "NotYetChecked", "its place in the queue is not known yet")
    place = ahead - at_once + 1
    return Condition("Ready", FALSE, "Queued", f"number {place} in the queue; {at_once} at a time run")


def _at_work(world: World) -> Condition:
    spec, run = world.resource.spec, world.run
    if isinstance(spec, LoadTestSpec) and spec.stopped:
        return Condition("Ready", UNKNOWN, "Stopping", "the runners were asked to end and to report")
    if run is None or run.start_at is None or not isinstance(spec, LoadTestSpec):
        return Condition("Ready", TRUE, "Provisioning", _troubled(world) or "the runners are being made ready")
    return Condition("Ready", TRUE, "Running", f"{spec.duration_s} s of load since {rfc3339(run.start_at)}")


def _troubled(world: World) -> str:
    trouble = first(world.troubles)
    return "" if trouble is None else f"{trouble.reason}: {trouble.message}"


def _runners_ready(world: World, end: Ending | None) -> Condition:
    run, trouble = world.run, first(world.troubles)
    if run is not None and run.start_at is not None:
        return _runners_at_work(world, run)
    if end is not None:
        return Condition("RunnersReady", FALSE, end.reason, end.message)
    if not world.store_answers and world.resource.is_admitted:
        return world.resource.condition("RunnersReady") or Condition(
            "RunnersReady", UNKNOWN, "StoreUnavailable", _away(world)
        )
    if trouble is not None:
        return Condition("RunnersReady", FALSE, trouble.reason, trouble.message)
    if run is None or world.own_job is None:
        return Condition("RunnersReady", FALSE, "NotCreated", world.hindrance or "there are no runners yet")
    return Condition("RunnersReady", FALSE, "Starting", f"{run.ready} of {run.wanted} are ready")


def _runners_at_work(world: World, run: Run) -> Condition:
    """They were all ready, or the run had not begun; a lost one is told until the end and after it."""
    spec = world.resource.spec
    trouble = interruption(world, spec, run) if isinstance(spec, LoadTestSpec) else None
    if trouble is not None:
        return Condition("RunnersReady", FALSE, trouble.reason, trouble.message)
    return Condition("RunnersReady", TRUE, "Ready", f"all {run.wanted} were ready")


def _started(world: World, end: Ending | None) -> Condition:
    run = world.run
    if run is not None and run.start_at is not None:
        return Condition("Started", TRUE, "Started", f"load since {rfc3339(run.start_at)}")
    told = world.resource.condition("Started")
    if told is not None and told.status == TRUE:
        return told
    if end is not None:
        return Condition("Started", FALSE, end.reason, end.message)
    return Condition("Started", FALSE, "NotStarted", "it starts when all runners are ready")


def _thresholds_met(world: World, end: Ending | None) -> Condition:
    run = world.run
    if end is None:
        return Condition("ThresholdsMet", UNKNOWN, "NotMeasured", "thresholds are judged at the end")
    if run is None or end.verdict not in ("Passed", "Failed"):
        return Condition("ThresholdsMet", UNKNOWN, "Inconclusive" if end.verdict else end.reason, end.message)
    held = "; ".join(one.text for one in run.checks) or "there are no thresholds"
    if all(one.held for one in run.checks) and end.passed:
        return Condition("ThresholdsMet", TRUE, "Held", held)
    return Condition("ThresholdsMet", FALSE, "Missed", end.message)


def _succeeded(world: World, end: Ending | None) -> Condition:
    if end is not None:
        return Condition("Succeeded", TRUE if end.passed else FALSE, end.reason, end.message)
    waiting = not (world.resource.is_admitted or has_place(world))
    return Condition("Succeeded", UNKNOWN, "Queued" if waiting else "InProgress", "it has not ended yet")


_FAILURES = (
    "InvalidSpec", "TargetNotAllowed", "RunRefused", "RunLost", "RunnersDeleted", "RunnerLost", "NameConflict",
    "StartupDeadlineExceeded", "JobNotCreated", "Inconclusive", "ThresholdsMissed",
)  # fmt: skip
WORTH = Worth(
    {
        ("Ready", "Queued"): False, ("Ready", "Provisioning"): False, ("Ready", "Stopping"): False,
        ("Ready", "Deleting"): False, ("Ready", "StoreUnavailable"): True, ("Ready", "ReconciliationPaused"): False,
        ("Started", "Started"): False, ("Succeeded", "Passed"): False, ("Succeeded", "Stopped"): False,
    }
    | {("RunnersReady", reason): True for reason in TROUBLES}
    | {("Succeeded", reason): True for reason in (*_FAILURES, *TROUBLES)},
    {},
)  # fmt: skip
"""Which of its conditions are worth an event."""


def _away(world: World) -> str:
    return f"the generator service {world.trouble}; it is asked again"
