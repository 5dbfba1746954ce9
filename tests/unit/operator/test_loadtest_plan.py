"""What the operator plans for load tests: every way there is ends once, in a verdict or a reason, and stays so."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio_operator.loadtests.domain import (
    Admit,
    CreateJob,
    DeleteJob,
    PutRun,
    Release,
    Report,
    Terms,
    Wait,
    World,
    ahead_of,
    plan,
)
from palio_operator.loadtests.models import (
    ENDS,
    JobState,
    Meta,
    Phase,
    Resource,
    RunPhase,
    Trouble,
)
from palio_operator.resources import InvalidSpec
from unit.operator.loadtest_world import FENCE, NOON, TERMS, UID, LoadTestWorld, a_job, a_run, a_spec

TROUBLES = [
    Trouble("ImagePullBackOff", "runner 0: no such image"), Trouble("Unschedulable", "runner 1: no room"),
    Trouble("OOMKilled", "runner 2"), Trouble("RunnerFailed", "runner 0 ended with exit code 2"),
    Trouble("CrashLoop", "runner 1"), Trouble("Evicted", "runner 1"), Trouble("ContainerNotCreated", "runner 1"),
]  # fmt: skip

HAPPENINGS = st.one_of(
    st.tuples(st.just("pass"), st.floats(0.01, 40)),
    st.tuples(st.just("reconcile"), st.integers(1, 6)),
    st.tuples(st.just("reconcile"), st.just(99)),
    st.tuples(st.sampled_from(["ready", "ready", "report", "report"]), st.none()),
    st.tuples(st.just("fail_pod"), st.sampled_from(TROUBLES)),
    st.tuples(st.just("trouble"), st.sampled_from(TROUBLES)),
    st.tuples(st.just("lose_job"), st.none()),
    st.tuples(st.just("jobs_refused"), st.booleans()),
    st.tuples(st.just("lose_run"), st.none()),
    st.tuples(st.just("store"), st.booleans()),
    st.tuples(st.just("store_ends"), st.none()),
    st.tuples(st.just("ahead"), st.integers(0, 2)),
    st.tuples(st.just("stop"), st.none()),
    st.tuples(st.just("pause"), st.booleans()),
)


def happen(world: LoadTestWorld, what: str, how: Any) -> None:  # noqa: C901, PLR0912 - a flat table of happenings
    match what:
        case "pass":
            world.now += timedelta(seconds=how)
        case "reconcile":
            world.reconcile(dies_after=how)
        case "ready":
            world.ready()
        case "report":
            world.report()
        case "fail_pod":
            world.fail_pod(how)
        case "trouble":
            world.troubles = (how,)
        case "lose_job":
            world.job = None
        case "lose_run":
            world.run = None
        case "jobs_refused":
            world.jobs_refused = how
        case "store":
            world.store_answers = how
        case "store_ends":
            world.end_run(stopped=False, doubts=("the generator was started anew",))
        case "ahead":
            world.ahead = how
        case "stop" if not world.spec.stopped:
            world.spec = replace(world.spec, stopped=True)
            world.generation += 1
        case "pause":
            world.paused = how


def heal(world: LoadTestWorld) -> None:
    """Let everything work again until the end and long after it."""
    world.store_answers, world.paused, world.ahead, world.jobs_refused = True, False, 0, False
    world.settle(60)


def check_end(world: LoadTestWorld) -> None:
    """One end, with a verdict or a reason, and the same words everywhere."""
    assert world.status["phase"] in set(ENDS), world.status
    assert len(world.ends) == 1
    (status, reason), verdict = world.said("Succeeded"), world.status.get("verdict")
    assert status in ("True", "False")
    assert reason not in ("", "InProgress", "Queued")
    assert (status == "True") == (verdict == "Passed" and reason == "Passed")
    assert (world.status["phase"] == "Succeeded") == (status == "True")
    assert verdict in (None, "Passed", "Failed", "Inconclusive")
    assert (world.said("ThresholdsMet")[0] == "True") == (status == "True")
    assert world.phases == sorted(world.phases, key=list(Phase).index)


@settings(max_examples=500, deadline=None)
@given(st.lists(HAPPENINGS, max_size=40))
def test_whatever_happens_it_ends_once_with_a_verdict_or_a_reason(happenings: list[tuple[str, Any]]) -> None:
    world = LoadTestWorld()
    for what, how in happenings:
        happen(world, what, how)
    heal(world)
    check_end(world)
    assert len(world.verdicts) <= world.puts
    ended = dict(world.ends[0])
    for what, how in happenings:
        happen(world, what, how)
    heal(world)
    assert {key: world.status[key] for key in ended if key != "observedGeneration"} == {
        key: ended[key] for key in ended if key != "observedGeneration"
    }
    assert world.job is None


@settings(max_examples=300, deadline=None)
@given(st.lists(HAPPENINGS, max_size=30))
def test_a_deleted_load_test_is_always_let_go_of_and_leaves_neither_pods_nor_a_run_that_goes_on(
    happenings: list[tuple[str, Any]],
) -> None:
    world = LoadTestWorld()
    for what, how in happenings:
        happen(world, what, how)
    world.deleted_at, world.store_answers = world.now, True
    for _ in range(60):
        world.reconcile()
        world.now += timedelta(seconds=5)
    assert world.gone
    assert world.job is None
    assert world.run is None or world.run.is_over or "jobName" not in world.status


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 5), max_size=12), st.sampled_from(["good", "missed", "pod", "late", "stop", "deleted"]))
def test_an_operator_killed_after_any_action_reaches_the_end_it_would_have_reached(kills: list[int], way: str) -> None:
    def walked(deaths: list[int]) -> LoadTestWorld:
        world, left = LoadTestWorld(p99_ms=90.0 if way == "missed" else 40.0), list(deaths)

        def look() -> None:
            while left:
                world.reconcile(dies_after=left.pop())
            world.reconcile()

        look()
        left = list(deaths)
        if way != "late":
            for _ in range(3):
                world.ready()
                look()
        walk(world, way)
        left = list(deaths)
        look()
        world.settle(10, then=())
        return world

    def kept(world: LoadTestWorld) -> dict[str, Any]:
        told = [{**one, "lastTransitionTime": ""} for one in world.status["conditions"]]
        return {**world.status, "conditions": told, "completionTime": "", "startTime": ""}

    assert kept(walked(kills)) == kept(walked([]))


def walk(world: LoadTestWorld, way: str) -> None:
    match way:
        case "good" | "missed":
            for _ in range(3):
                world.report()
        case "pod":
            world.fail_pod(TROUBLES[2])
        case "late":
            world.troubles = (TROUBLES[0],)
            world.now += timedelta(seconds=61)
        case "stop":
            world.spec, world.generation = replace(world.spec, stopped=True), 2
        case "deleted":
            world.job = None


runs = st.builds(
    lambda phase, ready, reported, begun, verdict: a_run(
        phase=phase, ready=ready, reported=reported, start_at=NOON if begun else None,
        verdict=verdict if phase in (RunPhase.FINISHED, RunPhase.STOPPED, RunPhase.LOST) else None,
    ),
    st.sampled_from(list(RunPhase)), st.integers(0, 3), st.integers(0, 3), st.booleans(),
    st.sampled_from(["Passed", "Failed", "Inconclusive", None]),
)  # fmt: skip
jobs = st.builds(
    lambda state, owned, at_s: a_job(state=state, owned=owned, created_at=NOON + timedelta(seconds=at_s)),
    st.sampled_from(list(JobState)), st.booleans(), st.integers(-1000, 1000),
)  # fmt: skip


def ready(status: str, reason: str) -> list[dict[str, str]]:
    return [{"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": "2026-03-06T12:00:00Z"}]


statuses = st.fixed_dictionaries(
    {"phase": st.sampled_from(list(Phase)).map(str)},
    optional={
        "jobName": st.just("evening-run-0190a000"), "runners": st.just({"desired": 3}),
        "conditions": st.sampled_from([ready("Unknown", "Stopping"), ready("True", "Provisioning")]),
    },
)  # fmt: skip
worlds = st.builds(
    World,
    now=st.integers(-1000, 10_000).map(lambda s: NOON + timedelta(seconds=s)),
    resource=st.builds(
        Resource,
        meta=st.builds(
            Meta, uid=st.just(UID), namespace=st.just("games"), name=st.just("evening"), generation=st.integers(1, 3),
            deleted_at=st.none() | st.integers(-1000, 1000).map(lambda s: NOON + timedelta(seconds=s)),
            paused=st.booleans(), created_at=st.just(NOON),
        ),
        spec=st.sampled_from([
            InvalidSpec("no"), a_spec(), a_spec(stopped=True), a_spec(url="http://169.254.169.254"),
            a_spec(keeps_runners=True),
        ]),
        status=statuses,
    ),
    terms=st.just(TERMS),
    ahead=st.none() | st.integers(0, 3),
    store_answers=st.booleans(),
    run=st.none() | runs,
    job=st.none() | jobs,
    troubles=st.lists(st.sampled_from(TROUBLES), max_size=3).map(tuple),
)  # fmt: skip


@settings(max_examples=500)
@given(worlds)
def test_every_world_has_one_plan_that_comes_to_an_end(world: World) -> None:
    actions = plan(world)
    assert actions == plan(world)
    assert actions == plan(replace(world, troubles=world.troubles[::-1]))
    assert isinstance(actions[-1], Wait | Release)
    if isinstance(actions[-1], Wait):
        assert 0 < actions[-1].seconds <= TERMS.drift_s
        assert Report() in actions
    if world.resource.is_over or world.meta.deleted_at is not None:
        assert not any(isinstance(one, Admit | PutRun | CreateJob) for one in actions)
    if isinstance(world.resource.spec, InvalidSpec) or world.resource.spec.url is not None:
        assert not any(isinstance(one, Admit | PutRun) for one in actions)
    if world.job is not None and not world.job.owned:
        assert not any(isinstance(one, DeleteJob) for one in actions)


def test_a_good_run_passes_and_tells_what_was_measured() -> None:
    world = LoadTestWorld()
    world.reconcile()
    assert world.status["phase"] == "Provisioning"
    assert world.said("Ready") == ("True", "Provisioning")
    assert world.said("RunnersReady") == ("False", "Starting")
    for _ in range(3):
        world.ready()
    world.reconcile()
    assert world.status["phase"] == "Running"
    assert world.said("RunnersReady") == ("True", "Ready")
    assert world.said("Started") == ("True", "Started")
    assert world.said("Succeeded") == ("Unknown", "InProgress")
    for _ in range(3):
        world.report()
    world.reconcile()
    assert world.status["phase"] == "Succeeded"
    assert world.status["verdict"] == "Passed"
    assert world.status["results"] == {
        "requests": 1000, "errors": 3, "requestsPerSecond": 50, "p50Ms": 5, "p95Ms": 20, "p99Ms": 40, "maxMs": 81,
    }  # fmt: skip
    assert world.status["runners"] == {"desired": 3, "ready": 3, "succeeded": 3, "failed": 0}
    assert world.said("ThresholdsMet") == ("True", "Held")
    assert world.job is not None
    world.reconcile()
    assert world.job is None


def test_a_missed_threshold_fails_it_and_is_named() -> None:
    world = LoadTestWorld(p99_ms=83.25)
    world.settle()
    assert (world.status["phase"], world.status["verdict"]) == ("Failed", "Failed")
    assert world.said("Succeeded") == ("False", "ThresholdsMissed")
    assert world.said("ThresholdsMet") == ("False", "Missed")
    assert "P99LatencyMs 83.25, at most 50" in [one["message"] for one in world.status["conditions"]]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda one: one.reason)
def test_what_keeps_the_pods_from_being_ready_is_told_and_fails_it_at_the_deadline(trouble: Trouble) -> None:
    world = LoadTestWorld()
    world.reconcile()
    world.ready()
    world.troubles = (trouble,)
    world.now += timedelta(seconds=60)
    world.reconcile()
    assert world.status["phase"] == "Provisioning"
    assert world.said("RunnersReady") == ("False", trouble.reason)
    world.now += timedelta(seconds=1)
    world.reconcile()
    assert world.status["phase"] == "Failed"
    assert world.said("Succeeded") == ("False", trouble.reason)
    assert world.said("Started") == ("False", trouble.reason)


def test_pods_that_run_but_are_not_ready_in_time_fail_it_too() -> None:
    world = LoadTestWorld()
    world.reconcile()
    world.now += timedelta(seconds=61)
    world.settle(2, then=())
    assert world.said("Succeeded") == ("False", "StartupDeadlineExceeded")


def test_a_runner_that_says_it_failed_before_the_start_is_told_as_that() -> None:
    world = LoadTestWorld()
    world.reconcile()
    world.run = replace(a_run(), ready=1, failed=1)
    world.end_run(stopped=False, doubts=("runner 1: target_refused: not there",))
    world.reconcile()
    assert world.said("Succeeded") == ("False", "RunnerFailed")
    message = world.status["conditions"][-1]["message"]
    assert message == "1 of 3 runners failed before the start (runner 1: target_refused: not there)"


def test_a_lost_runner_makes_it_inconclusive_and_is_named() -> None:
    world = LoadTestWorld()
    world.reconcile()
    for _ in range(3):
        world.ready()
    world.reconcile()
    world.report()
    world.fail_pod(TROUBLES[2])
    world.reconcile()
    assert (world.status["phase"], world.status["verdict"]) == ("Failed", "Inconclusive")
    assert world.said("Succeeded") == ("False", "OOMKilled")
    assert world.said("RunnersReady") == ("False", "OOMKilled")
    assert world.status["runners"] == {"desired": 3, "ready": 3, "succeeded": 1, "failed": 1}


def test_a_runner_that_says_it_failed_is_named_before_its_job_ends() -> None:
    world = LoadTestWorld()
    world.reconcile()
    for _ in range(3):
        world.ready()
    world.reconcile()
    world.report()
    assert world.run is not None
    world.run = replace(world.run, failed=2)
    world.end_run(stopped=False, doubts=("runner 1: engine_died",))
    world.reconcile()
    assert world.said("Succeeded") == ("False", "RunnerLost")
    assert world.status["verdict"] == "Inconclusive"


@pytest.mark.parametrize("running", [True, False])
def test_a_job_deleted_from_outside_fails_it_and_is_not_made_again(running: bool) -> None:
    world = LoadTestWorld()
    world.reconcile()
    for _ in range(3 if running else 0):
        world.ready()
    world.reconcile()
    world.job = None
    world.settle(3, then=())
    assert world.said("Succeeded") == ("False", "RunnersDeleted")
    assert world.status["verdict"] == "Inconclusive"
    assert world.jobs_made == 1


def test_a_foreign_job_of_its_name_is_left_alone() -> None:
    world = LoadTestWorld(job=a_job(owned=False))
    world.settle(3, then=())
    assert world.said("Succeeded") == ("False", "NameConflict")
    assert world.job == a_job(owned=False)


def test_runners_are_asked_to_stop_and_their_reports_awaited() -> None:
    world = LoadTestWorld()
    world.reconcile()
    for _ in range(3):
        world.ready()
    world.reconcile()
    world.spec, world.generation = replace(world.spec, stopped=True), 2
    world.reconcile()
    assert world.asked_to_stop
    assert world.said("Ready") == ("Unknown", "Stopping")
    assert world.status["phase"] == "Running"
    for _ in range(3):
        world.report()
    world.reconcile()
    assert world.status["phase"] == "Stopped"
    assert world.said("Succeeded") == ("False", "Stopped")
    assert world.status["results"]["requests"] == 1000


def test_runners_that_do_not_stop_are_not_awaited_for_ever() -> None:
    world = LoadTestWorld()
    world.reconcile()
    for _ in range(3):
        world.ready()
    world.spec, world.generation = replace(world.spec, stopped=True), 2
    world.reconcile()
    world.now += timedelta(seconds=TERMS.stop_grace_s)
    world.reconcile()
    assert world.status["phase"] == "Running"
    world.now += timedelta(seconds=2)
    world.reconcile()
    assert world.status["phase"] == "Stopped"
    assert world.job is not None
    world.reconcile()
    assert world.job is None


def test_one_that_waits_says_its_place_and_can_be_stopped() -> None:
    world = LoadTestWorld(ahead=2)
    assert world.reconcile() == TERMS.resync_s
    assert world.said("Ready") == ("False", "Queued")
    assert "number 2 in the queue" in world.status["conditions"][0]["message"]
    assert world.puts == 0
    world.ahead = 1
    world.reconcile()
    assert "number 1 in the queue" in world.status["conditions"][0]["message"]
    world.spec, world.generation = replace(world.spec, stopped=True), 2
    world.reconcile()
    assert world.status["phase"] == "Stopped"
    assert world.said("Succeeded") == ("False", "Stopped")


def test_a_target_outside_the_fence_is_refused_before_it_takes_a_place() -> None:
    world = LoadTestWorld(spec=a_spec(url="http://169.254.169.254"))
    world.settle(2)
    assert world.status["phase"] == "Failed"
    assert world.said("Ready") == ("False", "TargetNotAllowed")
    assert world.said("Succeeded") == ("False", "TargetNotAllowed")
    assert (world.puts, world.jobs_made) == (0, 0)


def test_a_generator_that_is_away_is_told_and_waited_for() -> None:
    world = LoadTestWorld()
    world.reconcile()
    for _ in range(3):
        world.ready()
    world.reconcile()
    world.store_answers = False
    world.reconcile()
    assert world.said("Ready") == ("False", "StoreUnavailable")
    assert world.said("RunnersReady") == ("True", "Ready")
    assert world.said("Started") == ("True", "Started")
    assert world.status["phase"] == "Running"
    heal(world)
    assert world.status["verdict"] == "Passed"


def test_pods_are_kept_if_asked_for() -> None:
    world = LoadTestWorld(spec=a_spec(keeps_runners=True))
    world.settle()
    assert world.status["phase"] == "Succeeded"
    assert world.job is not None


def test_a_job_that_cannot_be_made_does_not_hold_the_queue_for_ever() -> None:
    world = LoadTestWorld(jobs_refused=True)
    world.reconcile()
    assert world.said("RunnersReady") == ("False", "NotCreated")
    world.now += timedelta(seconds=61)
    world.reconcile()
    assert world.said("Succeeded") == ("False", "JobNotCreated")


def other(name: str, *, at_s: int = 0, **status: Any) -> Resource:
    meta = Meta(name, "games", name, 1, created_at=NOON + timedelta(seconds=at_s))
    return Resource(meta, a_spec(), status)


def test_those_with_a_place_come_first_then_the_oldest() -> None:
    me = Meta("m", "games", "me", 1, created_at=NOON)
    assert ahead_of(me, [other("m")]) == 0
    assert ahead_of(me, [other("a"), other("z")]) == 1
    assert ahead_of(me, [other("z", at_s=-1), other("a", at_s=1)]) == 1
    assert ahead_of(me, [other("z", at_s=99, jobName="z-run")]) == 1
    assert ahead_of(me, [other("a", at_s=-9, phase="Failed"), other("b", jobName="b", phase="Succeeded")]) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=8), st.integers(1, 3))
def test_no_more_than_allowed_have_a_place_and_none_waits_while_there_is_room(
    tests: list[tuple[int, bool]], at_once: int
) -> None:
    terms = Terms(FENCE, concurrent_max=at_once)
    queue = [other(f"t{number}", at_s=at_s) for number, (at_s, _) in enumerate(tests)]
    for number in [*range(len(queue)), *range(len(queue))]:
        mine = queue[number]
        if not mine.is_admitted:
            world = World(NOON, mine, terms, ahead=ahead_of(mine.meta, queue))
            if Admit() in plan(world):
                queue[number] = replace(mine, status={"jobName": "x"})
    placed = [one for one in queue if one.is_admitted]
    assert len(placed) == min(at_once, len(queue))
    waiting = [one.meta.created_at for one in queue if not one.is_admitted]
    assert max((one.meta.created_at for one in placed), default=NOON) <= min(waiting, default=NOON + timedelta(days=1))
