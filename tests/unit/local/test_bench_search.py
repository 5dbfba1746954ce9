import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_local.bench.search import CLOSE_ENOUGH, PROBES_MAX, Probe, best, judge, next_rate
from support.load_reports import report


def probes_of(capacity: float, first: float) -> list[Probe]:
    """A search on a platform that carries exactly so much."""
    probes: list[Probe] = []
    while (rate := next_rate(probes, first=first, highest=100_000)) is not None:
        probes.append(Probe(rate, 1.0, "" if rate <= capacity else "p99"))
    return probes


@given(st.floats(50, 50_000), st.floats(100, 2_000))
def test_the_search_finds_what_is_carried_within_a_twentieth(capacity: float, first: float) -> None:
    probes = probes_of(capacity, first)
    assert len(probes) <= PROBES_MAX
    assert best(probes) <= capacity
    if len(probes) < PROBES_MAX:
        assert capacity <= best(probes) * CLOSE_ENOUGH


@pytest.mark.parametrize("capacity", [0.0, 0.5])
def test_a_platform_that_carries_nothing_ends_the_search(capacity: float) -> None:
    assert best(probes_of(capacity, 200)) == 0


def test_a_platform_without_a_limit_ends_the_search_at_the_highest_rate() -> None:
    assert best(probes_of(float("inf"), 200)) == 100_000


def test_a_rate_is_carried_in_spite_of_our_own_lateness_but_not_of_times_or_errors() -> None:
    late = report(schedule_error_p99_ms=8.0)
    assert late.doubts
    assert judge(late, 100, 50).held
    assert "inconclusive" in judge(late, 100, 5).why_not
    assert judge(report(), 100, 5).why_not == "p99 9.0 ms"
    assert "http_503" in judge(report(errors=1, errors_by_class={"http_503": 1}), 100, 50).why_not
    assert "90 answers" in judge(report(requests_per_second=90.0), 100, 50).why_not
