"""The breaker in front of Redis."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from palio_kit.redis import Breaker


def test_it_opens_after_failures_in_a_row_and_probes_once_a_while() -> None:
    breaker = Breaker(failures_to_open=3, open_s=1.0)
    for _ in range(3):
        assert breaker.allows(0.0)
        breaker.failed(0.0)
    assert breaker.is_open
    assert not breaker.allows(0.5)
    assert breaker.allows(1.0), "one probe"
    assert not breaker.allows(1.1), "and only one"
    breaker.succeeded()
    assert breaker.allows(1.2)


def test_a_failure_between_successes_does_not_open_it() -> None:
    breaker = Breaker(failures_to_open=2)
    for moment in range(20):
        breaker.failed(moment)
        breaker.succeeded()
        assert breaker.allows(moment)


MOMENTS = st.integers(0, 2048).map(lambda ticks: ticks / 1024)
"""Up to two seconds in steps that add up without rounding: periods are compared to the last bit."""


@given(st.lists(st.tuples(st.booleans(), MOMENTS), max_size=60))
def test_however_calls_end_at_most_one_a_period_gets_through_an_open_breaker(history: list[tuple[bool, float]]) -> None:
    breaker = Breaker(failures_to_open=3, open_s=1.0)
    now, opened_tries = 0.0, []
    for good, passed in history:
        now += passed
        was_open = breaker.is_open
        if not breaker.allows(now):
            continue
        if was_open:
            opened_tries.append(now)
        if good:
            breaker.succeeded()
            opened_tries.clear()
        else:
            breaker.failed(now)
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(opened_tries))
