from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio_generator.domain import Game
from palio_generator.load.plan import Plan, Scenario
from palio_generator.load.schedule import MIXTURES, Call, Kind, Traffic, arrival_s, moments

GAME = Game("space-race", ascending=False, score_min=0, score_max=10_000_000)


def plan(**others: Any) -> Plan:
    defaults: dict[str, Any] = {"base_url": "http://127.0.0.1:1", "virtual_users": 40, "duration_s": 20.0}
    return Plan(**defaults | others)


def written(calls: list[Call]) -> list[tuple[float, int, Kind, int]]:
    return [(call.due_s, call.user, call.kind, call.score) for call in calls]


def test_arrivals_of_the_ramp_and_after_it_are_where_arithmetic_puts_them() -> None:
    paced = plan(requests_per_second=100, ramp_up_s=4.0, duration_s=10.0)
    due = list(moments(paced))
    assert len(due) == paced.arrivals_in_all == 100 * (10 - 4 // 2)
    for second in range(10):
        by_then = 100 * second**2 / 8 if second <= 4 else 200 + 100 * (second - 4)
        assert sum(moment < second for moment in due) == pytest.approx(by_then, abs=1)
    assert due[200:] == [pytest.approx(4 + number / 100) for number in range(600)]


rates = st.floats(0.5, 2_000)


@given(rates, st.floats(0, 20), st.floats(1, 20), st.integers(1, 7))
@settings(deadline=None)
def test_the_schedules_of_runners_together_are_the_schedule_of_one(
    rate: float, ramp_s: float, more_s: float, count: int
) -> None:
    whole = plan(requests_per_second=rate, ramp_up_s=ramp_s, duration_s=ramp_s + more_s)
    parts = [moment for share in whole.shares(count) for moment in moments(share)]
    assert sorted(parts) == list(moments(whole))


@given(rates, st.floats(0, 20), st.floats(1, 20))
@settings(deadline=None)
def test_arrivals_never_go_back_and_end_before_the_end(rate: float, ramp_s: float, more_s: float) -> None:
    whole = plan(requests_per_second=rate, ramp_up_s=ramp_s, duration_s=ramp_s + more_s)
    due = list(moments(whole))
    assert due == sorted(due)
    assert all(0 <= moment < whole.duration_s + 1e-6 for moment in due)
    assert arrival_s(whole, whole.arrivals_in_all) >= whole.duration_s - 1e-6


@pytest.mark.parametrize("rate", [50, None])
@pytest.mark.parametrize("scenario", Scenario)
def test_the_same_seed_makes_the_same_traffic_and_another_one_other(scenario: Scenario, rate: float | None) -> None:
    def traffic(seed: int) -> list[tuple[float, int, Kind, int]]:
        return written(list(Traffic(plan(seed=seed, scenario=scenario, requests_per_second=rate), GAME).calls()))

    assert traffic(1) == traffic(1)
    assert traffic(1) != traffic(2)


def test_without_a_rate_users_keep_their_own_pace_whoever_runs_them() -> None:
    own = plan(requests_per_second=None, duration_s=60.0, scenario=Scenario.SUBMIT_SCORES)
    calls = list(Traffic(own, GAME).calls())
    assert {call.user for call in calls} == set(range(40))
    per_second = len(calls) / 60
    assert 5 < per_second < 30  # forty people, a game every few seconds
    assert [call.due_s for call in calls] == sorted(call.due_s for call in calls)


def test_everybody_gets_turns_in_a_paced_run() -> None:
    calls = list(Traffic(plan(requests_per_second=100, scenario=Scenario.SUBMIT_SCORES), GAME).calls())
    turns = [sum(call.user == user for call in calls) for user in range(40)]
    assert min(turns) > 0
    assert max(turns) > min(turns)  # the eager ones play more


def test_requests_are_mixed_as_the_scenario_says() -> None:
    calls = list(islice(Traffic(plan(requests_per_second=1_000), GAME).calls(), 10_000))
    for kind, hundredths in MIXTURES[Scenario.MIXED].items():
        assert sum(call.kind is kind for call in calls) == pytest.approx(100 * hundredths, rel=0.15)


def test_scores_are_those_that_the_game_takes() -> None:
    calls = Traffic(plan(requests_per_second=500, scenario=Scenario.SUBMIT_SCORES), GAME).calls()
    assert all(GAME.score_min <= call.score <= GAME.score_max for call in calls)
