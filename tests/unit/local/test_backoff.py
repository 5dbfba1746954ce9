from hypothesis import given
from hypothesis import strategies as st

from palio_local.backoff import Backoff


def test_the_first_end_is_answered_at_once() -> None:
    backoff = Backoff()
    backoff.started(100.0)
    assert backoff.ended(101.0) == 101.0


def test_repeated_ends_wait_longer_and_longer() -> None:
    backoff = Backoff()
    delays = []
    for moment in range(6):
        backoff.started(float(moment))
        delays.append(backoff.ended(float(moment)) - moment)
    assert delays == sorted(delays)
    assert delays[-1] > delays[0]


def test_half_a_minute_of_life_forgives() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.started(0.0)
        backoff.ended(0.0)
    backoff.started(0.0)
    assert backoff.ended(31.0) == 31.0


@given(st.lists(st.floats(0, 1000), max_size=30))
def test_no_restart_is_further_away_than_five_seconds(lives: list[float]) -> None:
    backoff, now = Backoff(), 0.0
    for life in lives:
        backoff.started(now)
        now += life
        assert 0 <= backoff.ended(now) - now < 5
