"""Rows and reports add up, whatever came and from whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_generator.load.plan import Plan
from palio_generator.load.verdicts import Verdict
from palio_generator.runs import sums
from support.load import report, second

PLAN = Plan(base_url="http://127.0.0.1:1", virtual_users=10, duration_s=30, ramp_up_s=5)
times = st.lists(st.floats(0.001, 1), min_size=1, max_size=20)


@given(st.lists(times, min_size=1, max_size=6))
def test_a_sum_of_rows_is_the_row_of_all_their_requests(parts: list[list[float]]) -> None:
    total = None
    for number, latencies in enumerate(parts):
        total = sums.added(total, second(number, latencies))
    assert total is not None
    everything = second(0, [latency for part in parts for latency in part])
    assert (total.due, total.p99_ms, total.max_ms) == (everything.due, everything.p99_ms, everything.max_ms)
    assert total.second == len(parts) - 1


def test_a_late_row_does_not_turn_the_clock_back() -> None:
    total = sums.added(sums.added(None, second(7)), second(5))
    assert (total.second, total.due) == (7, 4)


def test_two_runners_seconds_are_one_second_of_the_run() -> None:
    both = sums.merged(sums.merged(None, second(3, [0.01])), second(3, [0.03]))
    assert (both.second, both.due, both.runners) == (3, 2, 2)
    assert both.max_ms == pytest.approx(30, rel=0.01)


def test_the_report_of_a_run_nobody_reported_on_is_what_its_rows_say() -> None:
    total = None
    for number in range(5, 15):
        total = sums.added(total, second(number, [0.01] * 10))
    made = sums.conclusion(PLAN, [], total, started_at=1.0, wanted=1, failures=["runner 0: lost: killed"])
    assert (made.requests, made.measured_s, made.requests_per_second) == (100, 10, 10)
    assert made.verdict is Verdict.INCONCLUSIVE
    assert made.doubts[-1] == "runner 0: lost: killed"


def test_a_run_of_which_nothing_is_known_has_a_report_too() -> None:
    made = sums.conclusion(PLAN, [], None, started_at=1.0, wanted=2, failures=[])
    assert (made.requests, made.p99_ms, made.verdict) == (0, 0.0, Verdict.INCONCLUSIVE)
    assert "2 of 2 runners were lost" in made.doubts


def test_lost_runners_leave_a_doubt_beside_what_the_others_reported() -> None:
    reports = [report(PLAN.share_of(index, 3)) for index in (0, 2)]
    made = sums.conclusion(PLAN, reports, None, started_at=1.0, wanted=3, failures=["runner 1: lost: its node"] * 20)
    assert (made.requests, made.runners, made.verdict) == (4, 2, Verdict.INCONCLUSIVE)
    assert made.doubts[0] == "1 of 3 runners were lost"
    assert len(made.doubts) == 1 + sums.FAILURES_TOLD_MAX
