"""What the operator plans: whatever happens, in whatever order, every prize is awarded once and the status is true."""

import re
import unicodedata
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio_operator import jobs
from palio_operator.domain import (
    CreateJob,
    PutRecord,
    Release,
    Report,
    Wait,
    WithdrawRecord,
    World,
    deadline_missed,
    later,
    plan,
)
from palio_operator.jobs import PayoutRun
from palio_operator.models import (
    DesiredState,
    JobState,
    Meta,
    Payout,
    PayoutJob,
    Phase,
    RecordState,
    Refusal,
    Resource,
    TournamentSpec,
)
from palio_operator.resources import InvalidSpec
from unit.operator.simulated import CLOCKWORK, NOON, UID, Simulation, a_record, a_spec, seconds

RANKS = list(Phase)

HAPPENINGS = st.one_of(
    st.tuples(st.just("pass"), st.floats(0.01, 40)),
    st.tuples(st.just("reconcile"), st.integers(1, 6)),
    st.tuples(st.just("reconcile"), st.just(99)),
    st.tuples(st.just("run_job"), st.booleans()),
    st.tuples(st.just("fail_job"), st.just(0)),
    st.tuples(st.just("lose_job"), st.just(0)),
    st.tuples(st.just("store"), st.booleans()),
    st.tuples(st.just("tamper"), st.integers(-30, 30)),
    st.tuples(st.just("suspend"), st.booleans()),
    st.tuples(st.just("skew"), st.integers(-3600, 3600)),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("give_up"), st.just(0)),
)


def happen(simulation: Simulation, what: str, how: Any) -> None:  # noqa: C901, PLR0912 - a flat table of happenings
    match what:
        case "pass":
            simulation.now += timedelta(seconds=how)
        case "reconcile":
            simulation.reconcile(dies_after=how)
        case "run_job":
            run_jobs(simulation, keep_going=how)
        case "fail_job":
            simulation.jobs = dict.fromkeys(simulation.jobs, JobState.FAILED)
            if simulation.jobs:
                simulation.attempt = min(simulation.attempt + 1, 99)
        case "lose_job":
            simulation.jobs.clear()
        case "store":
            simulation.store_answers = how
        case "tamper" if simulation.record is not None and simulation.record.state is RecordState.OPEN:
            moved = simulation.record.ends_at + timedelta(seconds=how)
            if moved > simulation.record.starts_at:
                simulation.record = replace(simulation.record, ends_at=moved, settles_at=moved + timedelta(seconds=2))
        case "suspend" if simulation.record is not None:
            wanted = DesiredState.SUSPENDED if how else DesiredState.ACTIVE
            if simulation.spec.desired_state is not wanted:
                simulation.spec = replace(simulation.spec, desired_state=wanted)
                simulation.generation += 1
        case "skew":
            simulation.skew = timedelta(seconds=how)
        case "pause":
            simulation.paused = how
        case "give_up":
            simulation.give_up()


def run_jobs(simulation: Simulation, *, keep_going: bool) -> None:
    """Every Job's pod runs, perhaps twice, and may die after it paid."""
    for name, state in simulation.jobs.items():
        if state is JobState.RUNNING and simulation.settle(reopens="-r" in name):
            simulation.settle()
            simulation.jobs[name] = JobState.SUCCEEDED if keep_going else JobState.RUNNING


def heal(simulation: Simulation) -> None:
    """Let everything work again until the end and long after it."""
    simulation.store_answers, simulation.paused, simulation.skew = True, False, timedelta(0)
    if simulation.spec.desired_state is DesiredState.SUSPENDED:
        simulation.spec = replace(simulation.spec, desired_state=DesiredState.ACTIVE)
        simulation.generation += 1
    for _ in range(60):
        pause = simulation.reconcile()
        follow_the_message(simulation)
        run_jobs(simulation, keep_going=True)
        simulation.now += timedelta(seconds=min(pause, 10))
    simulation.reconcile()


def follow_the_message(simulation: Simulation) -> None:
    """What somebody does who reads that prizes are not awarded, and why."""
    for told in simulation.status["conditions"]:
        asks = re.search(r"annotate palio\.gg/retry-payout=(\d+) ", told["message"])
        if told["type"] == "PrizesAwarded" and asks:
            simulation.attempt = min(int(asks[1]), 99)


@settings(max_examples=400, deadline=None)
@given(st.lists(HAPPENINGS, max_size=40))
def test_whatever_happens_each_prize_is_awarded_once_and_phases_never_go_back(
    happenings: list[tuple[str, Any]],
) -> None:
    simulation = Simulation()
    simulation.reconcile()
    for what, how in happenings:
        happen(simulation, what, how)
    heal(simulation)
    assert simulation.awards == ["rank-1"]
    assert simulation.status["phase"] == "Completed"
    told = {one["type"]: one["status"] for one in simulation.status["conditions"]}
    assert (told["Succeeded"], told["Ready"], told["PrizesAwarded"]) == ("True", "True", "True")
    assert simulation.phases == sorted(simulation.phases, key=RANKS.index)


@settings(max_examples=200, deadline=None)
@given(st.lists(HAPPENINGS, max_size=30), st.booleans())
def test_a_deleted_resource_is_always_released_and_its_record_let_go_of(
    happenings: list[tuple[str, Any]], purges: bool
) -> None:
    simulation = Simulation(spec=a_spec(purges=purges))
    simulation.reconcile()
    for what, how in happenings:
        happen(simulation, what, how)
    simulation.deleted_at = simulation.now + simulation.skew
    simulation.store_answers = True
    for _ in range(80):
        simulation.reconcile()
        simulation.now += timedelta(seconds=15)
    assert simulation.gone
    assert len(simulation.awards) <= 1
    assert simulation.record is None or simulation.record.state in (
        RecordState.WITHDRAWN, RecordState.COMPLETED, RecordState.CANCELLED,
    )  # fmt: skip


phases = st.sampled_from(list(Phase))
records = st.builds(
    lambda at_s, state, owner, revision: a_record(
        a_spec(), seconds(at_s), state=state, owner=owner, revision=revision,
        settled_at=NOON if state is RecordState.COMPLETED else None,
    ),
    st.integers(-10, 500), st.sampled_from(list(RecordState)), st.sampled_from([UID, None, "else"]), st.integers(0, 3),
)  # fmt: skip
worlds = st.builds(
    World,
    now=st.integers(-1000, 10_000).map(seconds),
    resource=st.builds(
        Resource,
        meta=st.builds(
            Meta, uid=st.just(UID), namespace=st.just("games"), name=st.just("cup"), generation=st.integers(1, 3),
            deleted_at=st.none() | st.integers(-1000, 1000).map(seconds), attempt=st.integers(0, 99),
            paused=st.booleans(),
        ),
        spec=st.sampled_from([
            InvalidSpec("no"), a_spec(), a_spec(desired_state=DesiredState.SUSPENDED), a_spec(purges=True),
            a_spec(desired_state=DesiredState.CANCELLED), a_spec(payout=Payout(starting_deadline_s=60)),
        ]),
        status=st.fixed_dictionaries({"phase": phases.map(str)}),
    ),
    store_answers=st.booleans(),
    record=st.none() | records,
    job=st.none() | st.builds(PayoutJob, st.just("j"), st.booleans(), st.sampled_from(list(JobState))),
    refusal=st.none() | st.just(Refusal("InvalidSpec", "no")),
)  # fmt: skip


@given(worlds)
def test_every_world_has_a_plan_that_comes_to_an_end(world: World) -> None:
    actions = plan(world, CLOCKWORK)
    assert isinstance(actions[-1], Wait | Release)
    assert actions == plan(world, CLOCKWORK)
    if isinstance(actions[-1], Wait):
        assert 0 < actions[-1].seconds <= CLOCKWORK.drift_s
        assert Report() in actions
    if world.meta.deleted_at is not None:
        assert not any(isinstance(one, PutRecord | CreateJob) for one in actions)
    if world.meta.paused and world.meta.deleted_at is None:
        assert not any(isinstance(one, PutRecord | CreateJob | WithdrawRecord) for one in actions)


@given(worlds)
def test_a_job_is_created_only_when_our_record_is_due_by_the_database_or_another_try_is_asked_for(world: World) -> None:
    if any(isinstance(one, CreateJob) for one in plan(world, CLOCKWORK)):
        record = world.own
        assert record is not None
        assert record.due or (record.given_up and world.meta.attempt)
        assert world.job is None
        assert not isinstance(world.resource.spec, InvalidSpec)


@given(phases, phases)
def test_a_told_phase_never_goes_back(told: Phase, now: Phase) -> None:
    result = later(told, now)
    assert result in (told, now)
    if told in (Phase.COMPLETED, Phase.CANCELLED):
        assert result is now  # an end that the record does not know was written by somebody else
    else:
        assert RANKS.index(result) >= RANKS.index(told)


@pytest.mark.parametrize(("late_s", "attempt", "missed"), [(60, 0, False), (61, 0, True), (61, 1, False)])
def test_a_payout_may_begin_until_its_deadline_and_later_only_by_request(
    late_s: int, attempt: int, missed: bool
) -> None:
    spec = a_spec(payout=Payout(starting_deadline_s=60))
    simulation = Simulation(spec=spec, now=seconds(72 + late_s), attempt=attempt, record=a_record(spec, NOON))
    assert deadline_missed(simulation.world(), spec) is missed
    simulation.reconcile()
    assert bool(simulation.jobs) is not missed
    told = {one["type"]: one["reason"] for one in simulation.status["conditions"]}
    assert (told["PrizesAwarded"] == "DeadlineMissed") is missed


@pytest.mark.parametrize(
    ("now_s", "pause_s"), [(-100, 15.0), (5, 5.02), (65, 5.02), (70, 2.02), (69.99, 0.03)]
)  # fmt: skip
def test_the_loop_sleeps_until_the_next_boundary_and_never_long(now_s: float, pause_s: float) -> None:
    simulation = Simulation(now=seconds(now_s))
    simulation.record = a_record(simulation.spec, simulation.now)
    assert simulation.reconcile() == pytest.approx(pause_s)


def test_a_cancelled_tournament_pays_nothing_and_says_so() -> None:
    simulation = Simulation()
    simulation.reconcile()
    simulation.spec = replace(simulation.spec, desired_state=DesiredState.CANCELLED)
    simulation.generation = 2
    simulation.reconcile()
    simulation.now = seconds(500)
    simulation.reconcile()
    told = {one["type"]: (one["status"], one["reason"]) for one in simulation.status["conditions"]}
    assert told["Succeeded"] == ("False", "Cancelled")
    assert told["Open"] == ("False", "Cancelled")
    assert simulation.jobs == {}


def test_a_settlement_that_was_given_up_says_what_to_do_and_that_helps() -> None:
    simulation = Simulation(now=seconds(80))
    simulation.record = a_record(simulation.spec, NOON)
    simulation.give_up()
    simulation.reconcile()
    assert simulation.jobs == {}
    told = {one["type"]: one for one in simulation.status["conditions"]}
    assert (told["PrizesAwarded"]["status"], told["PrizesAwarded"]["reason"]) == ("False", "SettlementFailed")
    assert "the ledger is full" in told["PrizesAwarded"]["message"]
    assert simulation.status["phase"] == "Failed"
    follow_the_message(simulation)
    simulation.reconcile()
    assert simulation.jobs == {simulation.meta.job_name: JobState.RUNNING}
    run_jobs(simulation, keep_going=True)
    simulation.reconcile()
    assert (simulation.status["phase"], simulation.awards) == ("Completed", ["rank-1"])


@pytest.mark.parametrize(("attempt", "command"), [(0, "settle"), (1, "retry"), (99, "retry")])
def test_only_a_job_that_was_asked_for_takes_up_what_was_given_up(attempt: int, command: str) -> None:
    meta = Simulation(attempt=attempt).meta
    run = PayoutRun("games", "image", "Never", "secret", "url", "payout")
    pod = jobs.manifest(meta.job_name, meta, Payout(), run)["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"][-2:] == [command, UID]


@given(st.text(min_size=1, max_size=80))
def test_a_name_is_read_as_its_record_keeps_it(name: str) -> None:
    manifest = {
        "game": "space-race", "startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z",
        "displayName": name,
    }  # fmt: skip
    assert TournamentSpec.parse("friday-cup", manifest).name == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("changes", "paid"), [({"name": "as somebody else writes it"}, True), ({"state": RecordState.SUSPENDED}, False)]
)
def test_a_record_that_cannot_be_repaired_is_paid_unless_its_state_is_what_differs(
    changes: dict[str, Any], paid: bool
) -> None:
    simulation = Simulation(now=seconds(80))
    simulation.record = a_record(simulation.spec, NOON, **changes)
    if not paid:
        simulation.spec = replace(simulation.spec, desired_state=DesiredState.SUSPENDED)
        simulation.record = replace(simulation.record, state=RecordState.OPEN)
    steps = plan(simulation.world(), CLOCKWORK)
    assert steps[0] == PutRecord(repairs=True)
    assert (CreateJob(simulation.meta.job_name) in steps) is paid


def test_a_resource_first_seen_after_its_end_is_refused_and_never_paid() -> None:
    simulation = Simulation(now=seconds(100))
    simulation.reconcile()
    told = {one["type"]: (one["status"], one["reason"]) for one in simulation.status["conditions"]}
    assert told["Accepted"] == ("False", "EndTimeInPast")
    assert told["Succeeded"] == ("False", "EndTimeInPast")
    assert simulation.status["phase"] == "Pending"
    assert simulation.jobs == {}


def test_a_deletion_waits_for_a_running_payout_but_not_for_ever() -> None:
    simulation = Simulation(now=seconds(80))
    simulation.record = a_record(simulation.spec, NOON)
    simulation.reconcile()
    assert simulation.jobs
    simulation.deleted_at = simulation.now
    simulation.reconcile()
    assert not simulation.gone
    simulation.now += timedelta(seconds=CLOCKWORK.deletion_grace_s)
    simulation.reconcile()
    assert simulation.gone
    assert simulation.record is not None
    assert simulation.record.state is RecordState.WITHDRAWN


def test_a_deletion_waits_for_the_tournament_service_but_not_for_ever() -> None:
    simulation = Simulation()
    simulation.reconcile()
    simulation.store_answers = False
    simulation.deleted_at = simulation.now
    simulation.reconcile()
    assert not simulation.gone
    simulation.now += timedelta(seconds=CLOCKWORK.deletion_grace_s)
    assert plan(simulation.world(), CLOCKWORK) == [Release(abandoned=True)]
