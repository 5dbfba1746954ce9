"""Token buckets: never more than the burst and the rate together allow."""

from hypothesis import given
from hypothesis import strategies as st

from palio_kit.limits import Allowance, Buckets

GAPS = st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=60)


def test_a_burst_passes_and_the_next_one_waits() -> None:
    buckets = Buckets(Allowance(per_second=2, burst=3))
    assert [buckets.take("ada", 10.0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("ada", 10.0) == 0.5


def test_what_is_told_to_wait_for_is_there_after_the_wait() -> None:
    buckets = Buckets(Allowance(per_second=3, burst=1))
    buckets.take("ada", 0.0)
    wait_s = buckets.take("ada", 0.0)
    assert buckets.take("ada", wait_s + 1e-9) == 0


def test_a_refused_take_takes_nothing() -> None:
    buckets = Buckets(Allowance(per_second=1, burst=1))
    buckets.take("ada", 0.0)
    for _ in range(100):
        assert buckets.take("ada", 0.5) > 0
    assert buckets.take("ada", 1.0) == 0


def test_keys_do_not_share() -> None:
    buckets = Buckets(Allowance(per_second=1, burst=1))
    assert buckets.take("ada", 0.0) == 0
    assert buckets.take(("bob", 1), 0.0) == 0


def test_remaining_is_what_the_last_take_left() -> None:
    buckets = Buckets(Allowance(per_second=1, burst=5))
    assert buckets.remaining("ada") == 5
    buckets.take("ada", 0.0, 2)
    assert buckets.remaining("ada") == 3


def test_the_least_recently_used_key_is_forgotten() -> None:
    buckets = Buckets(Allowance(per_second=0.001, burst=1), keys_max=2)
    for key in ("ada", "bob"):
        buckets.take(key, 0.0)
    buckets.take("ada", 0.1)
    buckets.take("eve", 0.1)
    assert buckets.take("ada", 0.2) > 0
    assert buckets.take("bob", 0.2) == 0


@given(gaps=GAPS, per_second=st.floats(0.1, 50), burst=st.integers(1, 20))
def test_no_window_lets_more_pass_than_burst_and_rate(gaps: list[float], per_second: float, burst: int) -> None:
    buckets = Buckets(Allowance(per_second, burst))
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        if buckets.take("ada", now) == 0:
            passed.append(now)
    for first, started in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - started) * per_second + 1e-6


@given(gaps=GAPS, per_second=st.floats(0.1, 50), burst=st.integers(1, 20))
def test_a_caller_who_waits_as_told_is_never_refused_twice(gaps: list[float], per_second: float, burst: int) -> None:
    buckets = Buckets(Allowance(per_second, burst))
    now = 0.0
    for gap in gaps:
        now += gap
        wait_s = buckets.take("ada", now)
        if wait_s:
            now += wait_s + 1e-6
            assert buckets.take("ada", now) == 0
