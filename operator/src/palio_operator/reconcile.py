"""One tournament made true: read anew, plan, do the first step, and again until only waiting is left.

Every cause leads here. Nothing is remembered between two reconciliations but locks: what matters is read from the API
server and the tournament service each time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from palio_kit.logs import logger
from palio_operator import conditions, jobs, metrics
from palio_operator.domain import (
    Action,
    Clockwork,
    CreateJob,
    PutRecord,
    Release,
    Report,
    Wait,
    WithdrawRecord,
    World,
    plan,
)
from palio_operator.jobs import PayoutRun
from palio_operator.kube import Kubernetes, KubernetesAway
from palio_operator.models import Phase, Record, RecordState, Refusal, Resource, TournamentSpec
from palio_operator.records import Records, Refused
from palio_operator.resources import TOURNAMENT
from palio_operator.stores import StoreAway
from palio_operator.telling import notices, stamped
from palio_operator.turns import STEPS_MAX, Outcome, Turns

log = logger(__name__)


@dataclass(slots=True)
class _Run:
    """What one reconciliation learned and did."""

    done: set[Action] = field(default_factory=set)
    refusal: Refusal | None = None
    repaired: bool = False
    away: str = ""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Makes tournaments true. `now` is this machine's clock: it dates conditions and decides nothing else."""

    kubernetes: Kubernetes
    records: Records
    clockwork: Clockwork
    payout_run: PayoutRun
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _turns: Turns = field(default_factory=lambda: Turns(TOURNAMENT))

    async def reconcile(self, namespace: str, name: str, uid: str) -> Outcome:
        """Do all there is to do now.

        Raises:
            KubernetesAway: the API server does not answer; what was done is done, the rest is for the next time.
        """
        return await self._turns.take(uid, lambda: self._reconcile(namespace, name, uid))

    async def _reconcile(self, namespace: str, name: str, uid: str) -> Outcome:
        run = _Run()
        for _ in range(STEPS_MAX):
            world = await self._look(namespace, name, uid, run)
            if world is None:
                return Outcome(0.0, released=True)
            step = await self._advance(world, run)
            if step is not None:
                return step
        return Outcome(self.clockwork.resync_s)

    async def _look(self, namespace: str, name: str, uid: str, run: _Run) -> World | None:
        """Read everything anew; None if the resource is gone."""
        body = await self.kubernetes.resource(TOURNAMENT, namespace, name)
        if body is None or body["metadata"]["uid"] != uid:
            return None
        world = World(self.now(), Resource.parse(body), refusal=run.refusal, repaired=run.repaired)
        world = await self._with_record(world, run)
        if not world.payable:
            return world
        where = jobs.namespace_of(world.meta, self.payout_run)
        found = await self.kubernetes.job(where, world.meta.job_name)
        return world if found is None else replace(world, job=jobs.observed(found, world.meta))

    async def _with_record(self, world: World, run: _Run) -> World:
        if run.away:
            return replace(world, store_answers=False, trouble=run.away)
        try:
            return replace(world, record=await self.records.get(world.meta.record_id))
        except StoreAway as error:
            log.warning("store_away", tournament=world.meta.source, error=str(error))
            return replace(world, store_answers=False, trouble=str(error))

    async def _advance(self, world: World, run: _Run) -> Outcome | None:
        """Do the plan's first new step, so that the next is planned anew; None if there is more to do."""
        actions: Sequence[Action] = [one for one in plan(world, self.clockwork) if one not in run.done]
        for action in actions:
            run.done.add(action)
            match action:
                case PutRecord() | CreateJob() | WithdrawRecord():
                    await self._try(action, world, run)
                    return None
                case Report():
                    await self._report(world)
                case Release(abandoned):
                    if abandoned:
                        log.error("record_abandoned", tournament=world.meta.source, record=world.meta.record_id)
                        metrics.RECORDS_ABANDONED.inc()
                    await self.kubernetes.release(world.meta)
                    return Outcome(0.0, released=True)
                case Wait(seconds):
                    return Outcome(seconds)
        return Outcome(self.clockwork.resync_s)

    async def _try(self, action: PutRecord | CreateJob | WithdrawRecord, world: World, run: _Run) -> None:
        """Do a step; if it fails, what is known then is told, and the step is left to the next reconciliation."""
        try:
            await self._do(action, world, run)
        except StoreAway as error:
            log.warning("store_away", tournament=world.meta.source, error=str(error))
            run.away = str(error)
        except KubernetesAway as error:  # among others: nothing can be created in a namespace that is being deleted
            log.warning("step_failed", step=type(action).__name__, tournament=world.meta.source, error=str(error))

    async def _do(self, action: PutRecord | CreateJob | WithdrawRecord, world: World, run: _Run) -> None:
        spec = world.resource.spec
        log.info("step", step=type(action).__name__, tournament=world.meta.source, uid=world.meta.uid)
        match action:
            case PutRecord() if isinstance(spec, TournamentSpec):
                try:
                    _, repaired = await self.records.put(world.meta, spec)
                except Refused as refused:
                    run.refusal = refused.refusal
                    return
                run.repaired = run.repaired or repaired
                metrics.DRIFT_CORRECTED.inc(int(repaired))
            case CreateJob(name) if isinstance(spec, TournamentSpec):
                manifest = jobs.manifest(name, world.meta, spec.payout, self.payout_run)
                metrics.JOBS_CREATED.inc(int(await self.kubernetes.create_job(manifest)))
            case WithdrawRecord(purge):
                await self.records.withdraw(world.meta, purge=purge)
            case _:
                raise AssertionError(action)

    async def _report(self, world: World) -> None:
        """Tell the status if it says anything new, then the events that lie between."""
        told = world.resource.status
        status = stamped(conditions.describe(world), told, self.now())
        if status == dict(told):
            return
        if not await self.kubernetes.apply_status(world.meta, status):
            return
        _observe_lag(world, status)
        for notice in notices(told, status, conditions.WORTH):
            await self.kubernetes.post(world.meta, notice)


def _observe_lag(world: World, status: dict[str, object]) -> None:
    record, phase = world.own, str(status["phase"])
    if record is None or phase == world.resource.phase:
        return
    boundary = _boundary(record, phase)
    if boundary is not None and record.state in (RecordState.OPEN, RecordState.COMPLETED):
        metrics.TRANSITION_LAG_SECONDS.labels(phase).observe(max(0.0, (record.now - boundary).total_seconds()))


def _boundary(record: Record, phase: str) -> datetime | None:
    reached = {Phase.ACTIVE: record.starts_at, Phase.SETTLING: record.ends_at, Phase.COMPLETED: record.settled_at}
    return reached.get(Phase(phase))
