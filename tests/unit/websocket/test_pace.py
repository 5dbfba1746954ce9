"""At most so often, at once after a silence, and who is too slow."""

from hypothesis import given
from hypothesis import strategies as st

from palio_websocket.domain import Backlog, Pace, Patience


def test_the_first_word_is_told_at_once_and_the_next_after_the_interval() -> None:
    pace = Pace(0.1)
    pace.mark("a", 10.0)
    assert pace.wait_s(10.0) == 0
    assert pace.take(10.0) == ["a"]
    pace.mark("a", 10.02)
    assert pace.take(10.05) == []
    assert 0.049 < (pace.wait_s(10.05) or 0) < 0.051
    assert pace.take(10.11) == ["a"]
    assert pace.wait_s(10.11) is None


def test_lateness_is_not_handed_on() -> None:
    pace = Pace(0.1)
    pace.mark("a", 10.0)
    assert pace.take(10.07) == ["a"]
    pace.mark("a", 10.08)
    assert pace.take(10.1) == ["a"]


@given(st.lists(st.floats(0, 0.05), min_size=1, max_size=200))
def test_nobody_speaks_more_often_than_the_interval_allows(pauses: list[float]) -> None:
    pace, now, spoken = Pace(0.1), 0.0, []
    for pause in pauses:
        now += pause
        pace.mark("a", now)
        spoken += [now] * len(pace.take(now))
    for first in range(len(spoken)):
        within = [at for at in spoken[first:] if at < spoken[first] + 1.0]
        assert len(within) <= 11


def test_a_name_may_wait_for_longer_and_be_forgotten() -> None:
    pace = Pace(0.1)
    pace.mark("a", 1.0, not_before=2.0)
    pace.mark("a", 1.0)
    assert pace.take(1.9) == []
    pace.forget("a")
    assert pace.take(3.0) == []


def test_no_more_than_asked_are_taken() -> None:
    pace = Pace(0.1)
    for name in "abc":
        pace.mark(name, 1.0)
    assert pace.take(1.0, 2) == ["a", "b"]
    assert pace.take(1.0, 2) == ["c"]


PATIENCE = Patience(unsent_bytes_max=100, slow_s=10)


def test_a_reader_is_too_slow_after_owing_too_much_for_too_long() -> None:
    backlog = Backlog()
    backlog.leave_out(60)
    assert not backlog.is_too_slow(50, PATIENCE, 0.0)
    assert not backlog.is_too_slow(50, PATIENCE, 9.9)
    assert backlog.is_too_slow(50, PATIENCE, 10.0)


def test_a_reader_that_catches_up_begins_anew() -> None:
    backlog = Backlog()
    backlog.leave_out(101)
    assert not backlog.is_too_slow(0, PATIENCE, 0.0)
    backlog.drained()
    backlog.leave_out(101)
    assert not backlog.is_too_slow(0, PATIENCE, 11.0)
    assert backlog.is_too_slow(0, PATIENCE, 21.0)


def test_a_full_buffer_within_the_bound_is_no_reason_to_close() -> None:
    backlog = Backlog()
    assert not backlog.is_too_slow(100, PATIENCE, 0.0)
    assert not backlog.is_too_slow(100, PATIENCE, 1e6)
