"""A run's course: what may follow what, and that it ends once and for a reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from palio_generator.runs.rules import (
    OVER,
    REPORT_GRACE_S,
    SOLE_LEAD_S,
    START_LEAD_S,
    Course,
    Phase,
    end_of,
    ending,
    is_overdue,
    phase,
    tellable,
)

BEGUN = datetime(2026, 11, 25, 9, tzinfo=UTC)


def course(**changes: object) -> Course:
    values: dict[str, object] = {"runners": 3, "duration_s": 30.0, "startup_deadline_s": 120, "created_at": BEGUN}
    return Course(**(values | changes))  # type: ignore[arg-type]


def after(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    runners = draw(st.integers(1, 50))
    reported = draw(st.integers(0, runners))
    failed = draw(st.integers(0, runners - reported))
    started = draw(st.booleans()) or reported > 0
    return course(
        runners=runners, ready=runners if started else draw(st.integers(0, runners)), reported=reported, failed=failed,
        start_at=after(draw(st.floats(0, 120))) if started else None,
        stop_asked_at=draw(st.sampled_from([None, after(1)])),
    )  # fmt: skip


def test_a_run_waits_runs_and_is_reported_on() -> None:
    started = course(start_at=after(10), ready=3)
    seen = [phase(started, after(seconds)) for seconds in (0, 9.9, 10, 39.9, 40)]
    assert seen == [Phase.WAITING, Phase.WAITING, Phase.RUNNING, Phase.RUNNING, Phase.REPORTING]
    assert phase(replace(started, reported=1), after(15)) is Phase.REPORTING


@given(courses(), st.lists(st.floats(0, 1_000), min_size=2, max_size=10))
def test_phases_only_go_forward(run: Course, moments: list[float]) -> None:
    order = list(Phase)
    seen = [order.index(phase(run, after(seconds))) for seconds in sorted(moments)]
    assert all(earlier <= later for earlier, later in pairwise(seen))


@given(courses())
def test_the_barrier_opens_once_and_only_for_all(run: Course) -> None:
    if run.opens:
        assert (run.ready, run.failed, run.start_at, run.stop_asked_at) == (run.runners, 0, None, None)
    assert not replace(run, start_at=BEGUN).opens
    assert not replace(run, outcome=Phase.LOST).opens


def test_who_is_alone_is_not_waited_for() -> None:
    assert (course(runners=1).lead_s, course(runners=2).lead_s) == (SOLE_LEAD_S, START_LEAD_S)


@given(courses(), st.floats(0, 1_000))
def test_a_run_ends_when_all_are_done_or_nobody_can_be_waited_for(run: Course, seconds: float) -> None:
    end = ending(run, now=after(seconds))
    all_done = run.reported + run.failed == run.runners
    if end is None:
        assert not all_done
        assert not is_overdue(run, after(seconds))
    else:
        assert end in OVER
        assert (end is Phase.STOPPED) == (run.stop_asked_at is not None)
        assert end is not Phase.FINISHED or run.reported == run.runners
    assert ending(replace(run, outcome=Phase.FINISHED), now=after(seconds)) is None


def test_a_runner_that_falls_before_the_start_takes_the_run_with_it() -> None:
    assert ending(course(ready=1, failed=1), now=after(1)) is Phase.LOST
    assert ending(course(ready=3, failed=1, start_at=after(1)), now=after(2)) is None


def test_a_barrier_that_never_opened_is_overdue_at_its_deadline() -> None:
    assert not is_overdue(course(ready=2), after(119.9))
    assert ending(course(ready=2), now=after(120)) is Phase.LOST


def test_reports_are_waited_for_but_not_for_ever() -> None:
    started = course(ready=3, start_at=after(100), reported=2)
    assert ending(started, now=after(130 + REPORT_GRACE_S - 1)) is None
    assert ending(started, now=after(130 + REPORT_GRACE_S)) is Phase.LOST


def test_a_run_that_was_to_be_stopped_is_stopped_however_it_ends() -> None:
    assert end_of(course(stop_asked_at=BEGUN, reported=1, failed=2)) is Phase.STOPPED


def test_a_second_is_told_when_all_handed_it_in() -> None:
    run = course(start_at=BEGUN, ready=3)
    assert list(tellable(-1, {0: 3, 1: 3, 2: 2}, run)) == [0, 1]
    assert list(tellable(1, {2: 2}, replace(run, failed=1))) == [2]


def test_a_second_that_somebody_never_hands_in_is_told_late_but_told() -> None:
    run = course(start_at=BEGUN, ready=3)
    assert list(tellable(-1, {0: 2, 1: 3, 2: 3}, run)) == []
    assert list(tellable(-1, {0: 2, 1: 3, 2: 3, 3: 2}, run)) == [0, 1, 2]


@given(st.integers(-1, 10), st.dictionaries(st.integers(0, 20), st.integers(1, 3)))
def test_told_seconds_are_in_order_and_never_told_twice(told: int, handed_in: dict[int, int]) -> None:
    seconds = list(tellable(told, handed_in, course(start_at=BEGUN, ready=3)))
    assert seconds == sorted(set(seconds))
    assert all(second > told for second in seconds)
