"""What to do next for one tournament: a pure plan over what was just read.

Time comes from the record (the database's clock), so a late operator delays prizes but moves no boundary. Every
action may be repeated, and the plan is made again after each one. A step that would repair what cannot be repaired is
left out by whoever executes: one reconciliation does each step at most once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from palio_operator.models import (
    DesiredState,
    JobState,
    Meta,
    PayoutJob,
    Phase,
    Record,
    RecordState,
    Refusal,
    Resource,
    TournamentSpec,
)
from palio_operator.resources import InvalidSpec

_LIVING = (RecordState.OPEN, RecordState.SUSPENDED, RecordState.WITHDRAWN, RecordState.FAILED)
_JUST_AFTER = 0.02
"""Seconds after a boundary at which to look: rounding must not wake the loop before it."""


@dataclass(frozen=True, slots=True)
class Clockwork:
    """How long to pause; seconds."""

    resync_s: float = 15.0
    drift_s: float = 300.0
    deletion_grace_s: float = 600.0


@dataclass(frozen=True, slots=True)
class World:
    """All that was read for one plan. Without `store_answers`, `record` is unknown rather than missing."""

    now: datetime
    resource: Resource
    store_answers: bool = True
    trouble: str = "does not answer"
    """What a service does that gives no answer, in words that go on after its name."""
    record: Record | None = None
    job: PayoutJob | None = None
    refusal: Refusal | None = None
    repaired: bool = False

    @property
    def meta(self) -> Meta:
        """The resource's metadata."""
        return self.resource.meta

    @property
    def own(self) -> Record | None:
        """The record, if it is this resource's."""
        return self.record if self.record is not None and self.record.owner == self.meta.uid else None

    @property
    def payable(self) -> bool:
        """Whether a Job may pay: it is due, or the service gave it up and somebody asks for another try."""
        record = self.own
        return record is not None and (record.due or (record.given_up and self.meta.attempt > 0))


@dataclass(frozen=True, slots=True)
class PutRecord:
    """Make the record what the resource wants; absolute, so it may be repeated."""

    repairs: bool = False


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Create the Job that pays, unless one of that name is there."""

    name: str


@dataclass(frozen=True, slots=True)
class WithdrawRecord:
    """Let go of the record of a resource that is being deleted."""

    purge: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the status if it changed."""


@dataclass(frozen=True, slots=True)
class Release:
    """Let the resource be deleted; `abandoned` if its record could not be let go of in time."""

    abandoned: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing more to do for so long, unless something happens."""

    seconds: float


Action = PutRecord | CreateJob | WithdrawRecord | Report | Release | Wait


def plan(world: World, clockwork: Clockwork) -> Sequence[Action]:
    """What to do next. Total: any world has a plan, and every plan ends in `Wait` or `Release`."""
    if world.meta.deleted_at is not None:
        return _let_go(world, world.meta.deleted_at, clockwork)
    if world.meta.paused:
        return [Report(), Wait(clockwork.resync_s)]
    return [*_steps(world), Report(), Wait(_pause_s(world, clockwork))]


def _let_go(world: World, deleted_at: datetime, clockwork: Clockwork) -> Sequence[Action]:
    waited = world.now - deleted_at
    patient = waited < timedelta(seconds=clockwork.deletion_grace_s)
    if not world.store_answers:
        return [Report(), Wait(clockwork.resync_s)] if patient else [Release(abandoned=True)]
    if world.own is None:
        return [Release()]
    if patient and pays_now(world):
        return [Report(), Wait(clockwork.resync_s)]
    spec = world.resource.spec
    return [WithdrawRecord(purge=isinstance(spec, TournamentSpec) and spec.purges), Release()]


def pays_now(world: World) -> bool:
    """Whether a Job of ours is paying."""
    job = world.job
    return world.payable and job is not None and job.owned and job.state is JobState.RUNNING


def _steps(world: World) -> Sequence[Action]:
    spec = world.resource.spec
    if isinstance(spec, InvalidSpec) or not world.store_answers:
        return []
    if needs_write(world):
        return [PutRecord()]
    record = world.own
    if record is None:
        return []
    if not drifted(record, world.meta, spec):
        return _payment(world, spec)
    repair = PutRecord(repairs=True)
    # What cannot be repaired is paid as it is, but never what should be suspended or cancelled.
    return [repair] if _state_differs(record.state, spec.desired_state) else [repair, *_payment(world, spec)]


def _payment(world: World, spec: TournamentSpec) -> Sequence[Action]:
    """The Job, if it is time."""
    if world.payable and world.job is None and not deadline_missed(world, spec):
        return [CreateJob(world.meta.job_name)]
    return []


def needs_write(world: World) -> bool:
    """Whether the record is missing, older than the resource, or to be adopted; a refused write is not tried again."""
    if world.refusal is not None:
        return False
    return world.own is None or world.own.revision < world.meta.generation


def drifted(record: Record, meta: Meta, spec: TournamentSpec) -> bool:
    """Whether somebody changed the record beside its resource; while a revision is refused that cannot be told."""
    if record.revision != meta.generation:
        return False
    told = (
        record.name, record.game_id, record.starts_at, record.ends_at, record.settles_at, record.ties, record.entry,
        record.max_participants, record.prize_pool, record.currency, record.keep, record.order,
    )  # fmt: skip
    wanted = (
        spec.name, spec.game_id, spec.starts_at, spec.ends_at,
        spec.ends_at + timedelta(seconds=spec.settlement_delay_s), spec.ties, spec.entry, spec.max_participants,
        spec.prize_pool, spec.currency, spec.keep or record.keep, spec.order or record.order,
    )  # fmt: skip
    prizes_hold = record.prizes == spec.prizes if spec.prizes else record.split_by_default
    return told != wanted or not prizes_hold or _state_differs(record.state, spec.desired_state)


def _state_differs(state: RecordState, desired: DesiredState) -> bool:
    if desired is DesiredState.CANCELLED:
        return state in _LIVING
    if desired is DesiredState.SUSPENDED:
        return state in (RecordState.OPEN, RecordState.WITHDRAWN)
    return state in (RecordState.SUSPENDED, RecordState.WITHDRAWN)


def deadline_missed(world: World, spec: TournamentSpec) -> bool:
    """Whether it is too late for a first Job; one that somebody asks for by annotation is never too late."""
    record, deadline_s = world.own, spec.payout.starting_deadline_s
    if record is None or not record.due or world.job is not None or world.meta.attempt or deadline_s is None:
        return False
    return record.now > record.settles_at + timedelta(seconds=deadline_s)


def next_boundary(world: World) -> datetime | None:
    """When the record will change by the clock; None if it will not."""
    record = world.own
    if record is None or record.state is not RecordState.OPEN:
        return None
    ahead = [at for at in (record.starts_at, record.ends_at, record.settles_at) if at > record.now]
    return min(ahead, default=None)


def _pause_s(world: World, clockwork: Clockwork) -> float:
    record = world.own
    if record is not None and record.state in (RecordState.COMPLETED, RecordState.CANCELLED):
        return clockwork.drift_s
    boundary = next_boundary(world)
    if record is None or boundary is None:
        return clockwork.resync_s
    ahead_s = (boundary - record.now).total_seconds() + _JUST_AFTER
    return min(clockwork.resync_s, ahead_s)


_RANKS = (Phase.PENDING, Phase.SCHEDULED, Phase.ACTIVE, Phase.SETTLING, Phase.FAILED)


def later(told: Phase, now: Phase) -> Phase:
    """The phase to tell: never an earlier one than was told before; an end is one only while the record says so."""
    in_order = told in _RANKS and now in _RANKS
    return told if in_order and _RANKS.index(now) < _RANKS.index(told) else now
