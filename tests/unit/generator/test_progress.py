import pytest

from palio_generator.gateway import _wait_s, key_of
from palio_generator.population import Progress, _shares, each
from palio_kit.problems import Conflict, OutcomeUnknown, TooManyRequests, Unavailable
from palio_kit.wire import IDEMPOTENCY_KEY


def test_rate_counts_this_run_only_and_the_time_left_follows_from_it() -> None:
    progress = Progress(done=100, done_before=100, total=200, effort_left=30.0, started_at=10.0)
    progress.advance(50, each_s=0.2)
    assert progress.rate_per_second(20.0) == pytest.approx(5.0)
    assert progress.eta_s(20.0) == pytest.approx(20.0)


def test_no_time_left_can_be_told_before_anything_was_done_or_after_the_end() -> None:
    assert Progress(started_at=10.0).eta_s(20.0) is None
    assert Progress(done=5, total=10, effort=1.0, started_at=10.0, ended_at=15.0).eta_s(20.0) is None


def test_everything_was_there_only_if_there_is_something() -> None:
    assert Progress(done=9, done_before=9, total=9).found_all
    assert not Progress(done=9, done_before=8, total=9).found_all
    assert not Progress().found_all


def test_shares_differ_by_at_most_one_and_lose_nothing() -> None:
    assert _shares(2000, 6) == [334, 334, 333, 333, 333, 333]


def test_a_key_is_well_formed_and_one_per_name() -> None:
    assert IDEMPOTENCY_KEY.match(key_of(2026, "user", "mira_drago"))
    assert key_of("a", "b") == key_of("a", "b") != key_of("a", "c")


def test_waits_as_long_as_it_is_told_and_a_little_more() -> None:
    wait_s = _wait_s(TooManyRequests(retry_after_s=3), 1, safe=False)
    assert wait_s is not None
    assert 3 <= wait_s <= 3.5


def test_what_may_have_happened_is_repeated_only_if_that_is_safe() -> None:
    assert _wait_s(OutcomeUnknown(), 1, safe=False) is None
    assert _wait_s(OutcomeUnknown(), 1, safe=True) is not None
    assert _wait_s(Unavailable(), 1, safe=False) is not None


def test_a_conflict_is_not_repeated() -> None:
    assert _wait_s(Conflict(), 1, safe=True) is None


async def test_each_keeps_its_bound_and_raises_the_first_error_as_it_is() -> None:
    running = most = 0

    async def work(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if item == 7:
            raise Conflict
        running -= 1

    with pytest.raises(Conflict):
        await each(range(20), work, at_once=3)
    assert most <= 3
