"""A world in miniature: an API server, a tournament service and a payout, each as one small state machine.

It keeps the promises of the real ones (a write by revision, one settlement per record, Jobs by name) and counts awards.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from palio_operator import conditions
from palio_operator.domain import (
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
from palio_operator.models import (
    DesiredState,
    JobState,
    Meta,
    Payout,
    PayoutJob,
    Phase,
    Prize,
    Record,
    RecordState,
    Refusal,
    Resource,
    TournamentSpec,
)
from palio_operator.telling import stamped

NOON = datetime(2026, 3, 6, 12, tzinfo=UTC)
UID = "0190a000-0000-7000-8000-000000000001"
CLOCKWORK = Clockwork()


def seconds(count: float) -> datetime:
    """A moment so many seconds after noon."""
    return NOON + timedelta(seconds=count)


def a_spec(**changes: Any) -> TournamentSpec:
    """A tournament from 10 to 70 seconds after noon."""
    spec = TournamentSpec(
        name="Friday Cup", game_id="space-race", starts_at=seconds(10), ends_at=seconds(70), order=None, keep=None,
        ties="EarliestAchieved", entry="UntilEnd", max_participants=100, prize_pool=100, currency="coins", prizes=(),
        settlement_delay_s=2, payout=Payout(), desired_state=DesiredState.ACTIVE, purges=False,
    )  # fmt: skip
    return replace(spec, **changes)


def a_record(spec: TournamentSpec, now: datetime, **changes: Any) -> Record:
    """A record as a good service holds it for `spec`."""
    record = Record(
        id=UID, owner=UID, revision=1, state=RecordState.OPEN, phase=Phase.SCHEDULED, now=now, participants=0,
        name=spec.name, game_id=spec.game_id, keep=spec.keep or "best", order=spec.order or "desc", ties=spec.ties,
        starts_at=spec.starts_at, ends_at=spec.ends_at,
        settles_at=spec.ends_at + timedelta(seconds=spec.settlement_delay_s), entry=spec.entry,
        max_participants=spec.max_participants, prize_pool=spec.prize_pool, currency=spec.currency,
        prizes=spec.prizes or (Prize(1, 1, spec.prize_pool),), split_by_default=not spec.prizes,
    )  # fmt: skip
    return at(replace(record, **changes), now)


def at(record: Record, now: datetime) -> Record:
    """The record as it is read at a moment: its phase follows from the state and the clock."""
    ended = {
        RecordState.COMPLETED: Phase.COMPLETED, RecordState.CANCELLED: Phase.CANCELLED,
        RecordState.WITHDRAWN: Phase.CANCELLED, RecordState.FAILED: Phase.FAILED,
    }  # fmt: skip
    running = (
        Phase.SCHEDULED if now < record.starts_at else Phase.ACTIVE if now < record.ends_at else Phase.SETTLING
    )  # fmt: skip
    return replace(record, now=now, phase=ended.get(record.state, running))


@dataclass
class Simulation:
    """One resource and what surrounds it; `skew` is how far the operator's clock is off the database's."""

    spec: TournamentSpec = field(default_factory=a_spec)
    now: datetime = NOON
    skew: timedelta = timedelta(0)
    generation: int = 1
    attempt: int = 0
    deleted_at: datetime | None = None
    paused: bool = False
    gone: bool = False
    store_answers: bool = True
    status: dict[str, Any] = field(default_factory=dict)
    record: Record | None = None
    jobs: dict[str, JobState] = field(default_factory=dict)
    awards: list[str] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    refusal: Refusal | None = None

    @property
    def meta(self) -> Meta:
        return Meta(
            UID, "games", "friday-cup", self.generation, deleted_at=self.deleted_at, attempt=self.attempt,
            paused=self.paused,
        )  # fmt: skip

    def world(self) -> World:
        """What an operator reads now."""
        resource = Resource(self.meta, self.spec, self.status)
        local = self.now + self.skew
        if not self.store_answers:
            return World(local, resource, store_answers=False)
        record = at(self.record, self.now) if self.record else None
        state = self.jobs.get(self.meta.job_name)
        job = PayoutJob(self.meta.job_name, True, state) if state else None
        return World(local, resource, record=record, job=job, refusal=self.refusal)

    def reconcile(self, *, dies_after: int = 99) -> float:
        """Reconcile as the operator does, or die after so many steps; the pause until the next time."""
        done: set[object] = set()
        self.refusal = None
        for _ in range(12):
            if self.gone:
                return 3600.0
            for action in plan(self.world(), CLOCKWORK):
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

    def do(self, action: object) -> float | None:
        """One action upon this world; a pause if it was `Wait` or `Release`."""
        match action:
            case PutRecord():
                self.put()
            case CreateJob(name):
                self.jobs.setdefault(name, JobState.RUNNING)
            case WithdrawRecord(purge):
                self.withdraw(purge=purge)
            case Report():
                self.report()
            case Release():
                self.gone = True
                return 3600.0
            case Wait(pause):
                return pause
        return None

    def put(self) -> None:
        if not self.store_answers:
            return
        kept = at(self.record, self.now) if self.record else None
        if kept is None:
            if self.spec.ends_at <= self.now:
                self.refusal = Refusal("EndTimeInPast", "past")
                return
            self.record = a_record(self.spec, self.now)
        wanted = a_record(self.spec, self.now)
        state = kept.state if kept else RecordState.OPEN
        if self.spec.desired_state is DesiredState.CANCELLED and state is not RecordState.COMPLETED:
            state = RecordState.CANCELLED
        elif self.spec.desired_state is DesiredState.SUSPENDED and state in (RecordState.OPEN, RecordState.WITHDRAWN):
            state = RecordState.SUSPENDED
        elif self.spec.desired_state is DesiredState.ACTIVE and state in (RecordState.SUSPENDED, RecordState.WITHDRAWN):
            state = RecordState.OPEN
        held = kept or wanted
        self.record = replace(
            wanted, state=state, revision=self.generation, awards=held.awards, settled_at=held.settled_at,
            standings_digest=held.standings_digest,
        )  # fmt: skip

    def withdraw(self, *, purge: bool) -> None:
        if self.record is None or not self.store_answers:
            return
        if self.record.state is RecordState.COMPLETED:
            return
        if purge:
            self.record = None
        elif self.record.state in (RecordState.OPEN, RecordState.SUSPENDED, RecordState.FAILED):
            self.record = replace(self.record, state=RecordState.WITHDRAWN)

    def report(self) -> None:
        world = self.world()
        told = conditions.describe(world)
        self.status = stamped(told, self.status, world.now)
        self.phases.append(Phase(self.status["phase"]))
        self.check_truth(world)

    def give_up(self) -> None:
        """What a service does that settles by itself, and failed to too often."""
        if self.record is not None and at(self.record, self.now).due:
            self.record = replace(self.record, state=RecordState.FAILED, failure="the ledger is full")

    def settle(self, *, reopens: bool = False) -> bool:
        """What a payout pod does, under the record's lock: it pays once, if it is due."""
        if self.record is None:
            return False
        if reopens and self.record.given_up:
            self.record = replace(self.record, state=RecordState.OPEN, failure=None)
        record = at(self.record, self.now)
        if record.state is RecordState.COMPLETED:
            return True
        if not record.due:
            return False
        self.awards += [f"rank-{prize.rank_first}" for prize in record.prizes]
        self.record = replace(
            record,
            state=RecordState.COMPLETED,
            settled_at=self.now,
            awards=len(record.prizes),
            standings_digest="d" * 64,
        )
        return True

    def check_truth(self, world: World) -> None:
        """What was told must be what was read."""
        told = {one["type"]: (one["status"], one["reason"]) for one in self.status["conditions"]}
        assert set(told) == {"Accepted", "RecordSynced", "Open", "PrizesAwarded", "Ready", "Succeeded"}
        record = world.own
        if not world.store_answers:
            over = world.resource.phase in (Phase.COMPLETED, Phase.CANCELLED)
            for kind in ("Open", "PrizesAwarded"):  # what is over stays as it was told
                before = world.resource.condition(kind)
                assert told[kind][0] == (before.status if over and before else "Unknown")
            assert told["RecordSynced"] == ("False", "StoreUnavailable")
            return
        is_open = record is not None and record.state is RecordState.OPEN and record.phase is Phase.ACTIVE
        assert (told["Open"][0] == "True") == is_open
        complete = record is not None and record.complete
        assert (told["Succeeded"][0] == "True") == complete
        assert (told["PrizesAwarded"][0] == "True") == complete
        if record is not None and record.given_up and not self.meta.attempt:
            assert told["PrizesAwarded"] == told["Succeeded"] == ("False", "SettlementFailed")
