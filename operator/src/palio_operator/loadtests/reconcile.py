"""One load test made true: read anew, plan, do the first step, and again until only waiting is left.

Places in the queue are given one at a time: whoever holds the door has counted those before it and told its own place
before the next one counts.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from palio_kit.logs import logger
from palio_operator import metrics
from palio_operator.kube import Kubernetes, KubernetesAway
from palio_operator.loadtests import conditions, jobs
from palio_operator.loadtests.domain import (
    Action,
    Admit,
    CreateJob,
    DeleteJob,
    FinishRun,
    PutRun,
    Release,
    Report,
    Step,
    StopRun,
    Terms,
    Wait,
    World,
    ahead_of,
    has_place,
    plan,
)
from palio_operator.loadtests.jobs import RunnerPods
from palio_operator.loadtests.models import ENDS, LoadTestSpec, Phase, Refusal, Resource
from palio_operator.loadtests.runs import Refused, Runs
from palio_operator.resources import LOADTEST
from palio_operator.stores import StoreAway
from palio_operator.telling import notices, stamped
from palio_operator.turns import STEPS_MAX, Outcome, Turns
from palio_operator.watching import Places

log = logger(__name__)


@dataclass(slots=True)
class _Turn:
    """What one reconciliation learned and did; `ended` if it told an end."""

    done: set[Action] = field(default_factory=set)
    refusal: Refusal | None = None
    away: str = ""
    hindrance: str = ""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Makes load tests true. `now` is this machine's clock: it dates conditions and tells how late a Job is."""

    kubernetes: Kubernetes
    runs: Runs
    places: Places
    terms: Terms
    pods: RunnerPods
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _turns: Turns = field(default_factory=lambda: Turns(LOADTEST))
    _door: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reconcile(self, namespace: str, name: str, uid: str) -> Outcome:
        """Do all there is to do now.

        Raises:
            KubernetesAway: the API server does not answer; what was done is done, the rest is for the next time.
        """
        return await self._turns.take(uid, lambda: self._reconcile(namespace, name, uid))

    async def _reconcile(self, namespace: str, name: str, uid: str) -> Outcome:
        turn = _Turn()
        for _ in range(STEPS_MAX):
            resource = await self._resource(namespace, name, uid)
            if resource is None:
                return Outcome(0.0, released=True)
            outcome = await self._advance(await self._look(resource, turn), turn)
            if outcome is not None:
                return outcome
        return Outcome(self.terms.poll_s)

    async def _resource(self, namespace: str, name: str, uid: str) -> Resource | None:
        """The resource, read anew; None if it is gone."""
        body = await self.kubernetes.resource(LOADTEST, namespace, name)
        return None if body is None or body["metadata"]["uid"] != uid else Resource.parse(body)

    async def _look(self, resource: Resource, turn: _Turn) -> World:
        """Everything else. The Job comes before the run: one that ended has reported before, so it is seen to have."""
        world = World(self.now(), resource, self.terms, refusal=turn.refusal, hindrance=turn.hindrance)
        if not resource.is_admitted:
            return replace(world, ahead=await self._ahead(resource))
        world = await self._with_job(world)
        return world if resource.is_over and resource.meta.deleted_at is None else await self._with_run(world, turn)

    async def _ahead(self, resource: Resource) -> int | None:
        if resource.is_over or resource.meta.deleted_at is not None:
            return None
        others = [Resource.parse(body) for body in await self.places.resources(LOADTEST)]
        return ahead_of(resource.meta, others)

    async def _with_job(self, world: World) -> World:
        where = jobs.namespace_of(world.meta, self.pods)
        found = await self.kubernetes.job(where, world.meta.job_name)
        if found is None:
            return world
        world = replace(world, job=jobs.observed(found, world.meta))
        if world.resource.is_over or world.own_job is None:
            return world
        listed = await self.kubernetes.pods(where, f"{LOADTEST.uid_label}={world.meta.uid}")
        return replace(world, troubles=jobs.troubles(listed))

    async def _with_run(self, world: World, turn: _Turn) -> World:
        if turn.away:
            return replace(world, store_answers=False, trouble=turn.away)
        try:
            return replace(world, run=await self.runs.get(world.meta.uid))
        except StoreAway as error:
            log.warning("store_away", loadtest=world.meta.source, error=str(error))
            return replace(world, store_answers=False, trouble=str(error))

    async def _advance(self, world: World, turn: _Turn) -> Outcome | None:
        """Do the plan's first new step, so that the next is planned anew; None if there is more to do."""
        for action in [one for one in plan(world) if one not in turn.done]:
            turn.done.add(action)
            match action:
                case Report():
                    await self._report(world, turn)
                case Release(abandoned):
                    await self._release(world, abandoned=abandoned)
                    return Outcome(0.0, released=True, frees=True)
                case Wait(seconds):
                    return Outcome(seconds, frees=turn.ended)
                case _:
                    await self._try(action, world, turn)
                    return None
        return Outcome(self.terms.poll_s, frees=turn.ended)

    async def _release(self, world: World, *, abandoned: bool) -> None:
        if abandoned:
            log.error("run_abandoned", loadtest=world.meta.source, run=world.meta.uid)
            metrics.RECORDS_ABANDONED.inc()
        await self.kubernetes.release(world.meta)

    async def _try(self, step: Step, world: World, turn: _Turn) -> None:
        """Do a step; if it fails, what is known then is told, and the step is left to the next reconciliation."""
        told = {"step": type(step).__name__, "loadtest": world.meta.source}
        log.info("step", uid=world.meta.uid, **told)
        try:
            await self._do(step, world)
        except Refused as refused:
            turn.refusal = refused.refusal
        except StoreAway as error:
            log.warning("store_away", error=str(error), **told)
            turn.away = str(error)
        except KubernetesAway as error:  # among others: nothing can be created in a namespace that is being deleted
            log.warning("step_failed", error=str(error), **told)
            turn.hindrance = f"{error}; it is tried again"

    async def _do(self, step: Step, world: World) -> None:
        meta, spec = world.meta, world.resource.spec
        match step:
            case Admit():
                await self._admit(world)
            case PutRun(target) if isinstance(spec, LoadTestSpec):
                await self.runs.put(meta, spec, target)
            case CreateJob() if isinstance(spec, LoadTestSpec):
                made = await self.kubernetes.create_job(jobs.manifest(meta, spec, self.pods))
                metrics.RUNNER_JOBS_CREATED.inc(int(made))
            case StopRun():
                await self.runs.stop(meta.uid)
            case FinishRun(lost, stopped):
                await self.runs.finish(meta.uid, lost, stopped=stopped)
            case DeleteJob(uid):
                await self.kubernetes.delete_job(jobs.namespace_of(meta, self.pods), meta.job_name, uid)
            case _:
                raise AssertionError(step)

    async def _admit(self, world: World) -> None:
        """Count once more with the door held, and tell the place before anybody else counts."""
        async with self._door:
            counted = replace(world, ahead=await self._ahead(world.resource))
            if has_place(counted):
                await self._tell(counted, conditions.describe(counted, admitted=True))

    async def _report(self, world: World, turn: _Turn) -> None:
        status = conditions.describe(world)
        await self._tell(world, status)
        if status["phase"] in ENDS and not world.resource.is_over:
            turn.ended = True

    async def _tell(self, world: World, status: dict[str, Any]) -> None:
        """Tell the status if it says anything new, then the events that lie between."""
        told = world.resource.status
        status = status if world.resource.is_over else stamped(status, told, self.now())
        if status == dict(told) or not await self.kubernetes.apply_status(world.meta, status):
            return
        _count(world, status)
        for notice in notices(told, status, conditions.WORTH):
            await self.kubernetes.post(world.meta, notice)


def _count(world: World, status: dict[str, Any]) -> None:
    """How load tests ended, and how long they took to begin."""
    phase = Phase(status["phase"])
    if phase in ENDS and not world.resource.is_over:
        metrics.LOADTESTS_ENDED.labels(phase.value, status.get("verdict") or "none").inc()
    begins = phase is Phase.RUNNING and world.resource.phase is not Phase.RUNNING
    if begins and world.run is not None and world.run.start_at is not None and world.own_job is not None:
        started_s = (world.run.start_at - world.own_job.created_at).total_seconds()
        metrics.RUNNERS_READY_SECONDS.observe(max(0.0, started_s))
