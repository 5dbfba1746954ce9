from typing import Any

import msgspec
import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency
from hypothesis import given
from hypothesis import strategies as st

from palio_generator.load.plan import Plan, PlanRefused, Scenario, read_plan
from palio_generator.load.verdicts import Metric, Side, Threshold, ThresholdRefused, Verdict, check, verdict
from unit.house.test_structure import ROOT


def plan(**others: Any) -> Plan:
    defaults: dict[str, Any] = {"base_url": "http://127.0.0.1:1", "virtual_users": 100, "duration_s": 30.0}
    return Plan(**defaults | others)


@given(st.integers(1, 500), st.integers(0, 500), st.data())
def test_the_shares_of_runners_are_the_whole_and_nothing_twice(users: int, sockets: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, min(50, users)))
    shares = plan(virtual_users=users, sockets=sockets).shares(count)
    assert sorted(user for share in shares for user in share.own_users) == list(range(users))
    assert sum(share.own_sockets for share in shares) == sockets
    assert max(len(share.own_users) for share in shares) - min(len(share.own_users) for share in shares) <= 1


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"virtual_users": 0}, "virtual users"),
        ({"requests_per_second": 0}, "requests per second"),
        ({"requests_per_second": 100_001}, "requests per second"),
        ({"duration_s": 0.5}, "duration"),
        ({"ramp_up_s": 31}, "ramp"),
        ({"sockets": -1}, "sockets"),
        ({"thresholds": (Threshold.parse("p99_ms<=1"), Threshold.parse("p99_ms>=1"))}, "named twice"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused_by_name(broken: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanRefused, match=told):
        plan(**broken)


def test_more_runners_than_users_are_refused() -> None:
    with pytest.raises(PlanRefused, match="more runners than virtual users"):
        plan(virtual_users=2).shares(3)


def test_a_plan_survives_json() -> None:
    whole = plan(
        scenario=Scenario.LIVE_UPDATES, requests_per_second=10.5, thresholds=(Threshold.parse("p99_ms<=50"),)
    ).share_of(1, 3)
    assert read_plan(msgspec.json.encode(whole)) == whole


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"base_url":"x","virtual_users":0,"duration_s":5}', "{"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanRefused):
        read_plan(text)


def test_a_run_that_is_all_ramp_is_measured_whole() -> None:
    assert (plan(ramp_up_s=30).measured_from_s, plan(ramp_up_s=30).measured_s) == (0, 30)
    assert (plan(ramp_up_s=5).measured_from_s, plan(ramp_up_s=5).measured_s) == (5, 25)


def test_scenarios_and_metrics_are_those_of_the_resource() -> None:
    (version,) = yaml.safe_load((ROOT / "crds/loadtest.yaml").read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]
    spec, status = schema["spec"]["properties"], schema["status"]["properties"]
    threshold = spec["thresholds"]["items"]["properties"]
    assert [one.value for one in Scenario] == spec["scenario"]["enum"]
    assert [one.value for one in Metric] == threshold["metric"]["enum"]
    assert [one.value for one in Side] == threshold["op"]["enum"]
    assert [one.value for one in Verdict] == status["verdict"]["enum"]


@pytest.mark.parametrize(
    ("text", "metric", "side", "value"),
    [
        ("p99_ms<=50", Metric.P99_LATENCY_MS, Side.AT_MOST, 50),
        (" requests_per_second >= 99.5 ", Metric.REQUESTS_PER_SECOND, Side.AT_LEAST, 99.5),
        ("P99FreshnessMs<=200", Metric.P99_FRESHNESS_MS, Side.AT_MOST, 200),
    ],
)
def test_a_threshold_is_read_and_written(text: str, metric: Metric, side: Side, value: float) -> None:
    threshold = Threshold.parse(text)
    assert threshold == Threshold(metric, side, value)
    assert Threshold.parse(threshold.text) == threshold


@pytest.mark.parametrize("text", ["", "p99_ms", "p99_ms<50", "p98_ms<=50", "p99_ms<=x", "p99_ms<=-1", "<=3"])
def test_what_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(ThresholdRefused, match="known"):
        Threshold.parse(text)


def test_a_border_is_inside() -> None:
    at_most, at_least = Threshold.parse("p99_ms<=50"), Threshold.parse("requests_per_second>=10")
    numbers: dict[Metric, float | None] = {Metric.P99_LATENCY_MS: 50.0, Metric.REQUESTS_PER_SECOND: 10.0}
    assert check(at_most, numbers).held
    assert check(at_least, numbers).held
    assert not check(at_most, {Metric.P99_LATENCY_MS: 50.1}).held


def test_a_number_that_is_not_there_holds_nothing() -> None:
    assert not check(Threshold.parse("p99_freshness_ms<=200"), {Metric.P99_FRESHNESS_MS: None}).held


def test_doubts_come_before_thresholds() -> None:
    missed = check(Threshold.parse("p99_ms<=50"), {Metric.P99_LATENCY_MS: 60.0})
    assert verdict([], []) is Verdict.PASSED
    assert verdict([missed], []) is Verdict.FAILED
    assert verdict([missed], ["the generator used 90% of a core"]) is Verdict.INCONCLUSIVE
