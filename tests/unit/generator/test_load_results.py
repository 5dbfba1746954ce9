import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio_generator.load.comparison import Change, Measured, compare
from palio_generator.load.histograms import Histogram
from palio_generator.load.page import page
from palio_generator.load.results import Report, Second, judged, merge_reports, merge_seconds, read_report
from palio_generator.load.verdicts import Verdict
from support.load_reports import PLAN, report, second

times = st.lists(st.floats(1e-5, 5), min_size=1, max_size=40)
KINDS = ("p50_ms", "p95_ms", "p99_ms", "max_ms")


@given(st.lists(times, min_size=1, max_size=4))
@settings(deadline=None)
def test_reports_of_runners_have_the_percentiles_of_all_their_requests(parts: list[list[float]]) -> None:
    merged = merge_reports([report(part) for part in parts], runners_wanted=len(parts))
    whole = report([one for part in parts for one in part])
    assert [getattr(merged, kind) for kind in KINDS] == [getattr(whole, kind) for kind in KINDS]
    assert (merged.requests, merged.endpoints, merged.freshness) == (whole.requests, whole.endpoints, whole.freshness)


@given(st.lists(times, min_size=1, max_size=4))
@settings(deadline=None)
def test_seconds_of_runners_have_the_percentiles_of_all_their_requests(parts: list[list[float]]) -> None:
    rows = []
    for part in parts:
        response = Histogram()
        for one in part:
            response.record(one)
        rows.append(second(3, answered=len(part), latencies=response.encoded(), p99_ms=response.percentile_ms(99)))
    (merged,) = merge_seconds(rows)
    whole = report([one for part in parts for one in part])
    assert (merged.answered, merged.p99_ms, merged.second) == (whole.requests, whole.p99_ms, 3)


def test_a_report_survives_json() -> None:
    assert read_report(msgspec.json.encode(report())) == report()


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ({"generator_cpu": 0.81}, "81% of a core"),
        ({"schedule_error_p99_ms": 5.1}, "5.1 ms late"),
        ({"sent_share": 0.98}, "98.0% of the requests"),
        ({"was_stopped": True}, "stopped"),
        ({"requests": 0}, "no request"),
    ],
)
def test_a_run_that_measured_its_generator_is_inconclusive(trouble: dict[str, Any], told: str) -> None:
    doubted = report(**trouble)
    assert doubted.verdict is Verdict.INCONCLUSIVE
    assert told in doubted.doubts[0]
    assert report().verdict is Verdict.PASSED


def test_a_schedule_error_that_hardly_matters_is_borne() -> None:
    assert judged(replace(report([0.2]), schedule_error_p99_ms=30.0)).doubts == ()


def test_a_lost_runner_is_a_doubt_even_if_the_others_passed() -> None:
    merged = merge_reports([report()], runners_wanted=2)
    assert (merged.verdict, merged.doubts) == (Verdict.INCONCLUSIVE, ("1 of 2 runners were lost",))
    with pytest.raises(ValueError, match="no runner"):
        merge_reports([], runners_wanted=2)


def run_of(p50s_ms: list[float], **others: Any) -> Measured:
    rows: list[Second] = [second(number, p50_ms=value) for number, value in enumerate(p50s_ms)]
    return Measured(report(**others), rows)


def changes(before: Measured, after: Measured) -> dict[str, Change]:
    return {one.metric: one.change for one in compare(before, after).differences}


def test_a_run_is_the_same_as_itself() -> None:
    assert set(changes(run_of([2.0] * 30), run_of([2.0] * 30)).values()) == {Change.SAME}


def test_what_differs_by_less_than_seconds_do_means_nothing_and_by_more_it_does() -> None:
    unsteady = [1.0, 2.0, 3.0] * 10
    assert changes(run_of(unsteady), run_of(unsteady, p50_ms=2.5))["p50_ms"] is Change.SAME
    assert changes(run_of([2.0] * 30), run_of([2.0] * 30, p50_ms=2.5))["p50_ms"] is Change.WORSE
    assert changes(run_of([2.0] * 30), run_of([2.0] * 30, p50_ms=1.5))["p50_ms"] is Change.BETTER


def test_more_answers_are_better_and_more_errors_are_worse() -> None:
    told = changes(run_of([2.0] * 30), run_of([2.0] * 30, requests_per_second=120.0, errors=5))
    assert (told["requests_per_second"], told["errors_per_mille"]) == (Change.BETTER, Change.WORSE)


def test_what_makes_runs_incomparable_is_told() -> None:
    other = run_of([2.0], plan=replace(PLAN, virtual_users=7), was_stopped=True)
    caveats = compare(run_of([2.0]), other).caveats
    assert "virtual_users differs: 100 and 7" in caveats
    assert any("second run is inconclusive: stopped" in caveat for caveat in caveats)


def drawn(whole: Report, seconds: int) -> str:
    return page(whole, [second(number) for number in range(seconds)])


def test_a_page_holds_everything_and_fetches_nothing() -> None:
    html = drawn(report(), 30)
    assert "Passed" in html
    assert "P99LatencyMs" in html
    assert "POST /api/v1/scores" in html
    assert not re.search(r"<script|<img|<link|src=|@import|url\(", html)


def test_a_page_of_a_whole_day_is_still_small() -> None:
    assert len(drawn(report(), 86_400).encode()) < 250_000


def test_what_a_platform_calls_itself_cannot_become_markup() -> None:
    html = drawn(report(errors_by_class={"<script>alert(1)</script>": 1}), 3)
    assert "<script" not in html
    assert "&lt;script&gt;" in html
