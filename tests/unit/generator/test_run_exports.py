"""A run as a file: what was told, and no more than one can carry."""

import csv
import io

from palio_generator.load import messages
from palio_generator.load.messages import Ended, Row
from palio_generator.load.plan import Plan
from palio_generator.runs import exports
from support.load import report, second

PLAN = Plan(base_url="http://127.0.0.1:1", virtual_users=1_000, duration_s=60, requests_per_second=100)
REPORT = report(PLAN, [0.01, 0.02])
ROWS = [second(number, [0.01 + number / 1_000]) for number in range(60)]


def test_lines_are_what_an_engine_would_have_said() -> None:
    said = [messages.read(line) for line in exports.render("ndjson", REPORT, ROWS).splitlines()]
    assert [message.row.second for message in said[:-1] if isinstance(message, Row)] == list(range(60))
    assert isinstance(said[-1], Ended)
    assert said[-1].report == REPORT


def test_lines_of_an_hour_are_small() -> None:
    rows = [second(number, [0.01] * 5) for number in range(3_600)]
    assert len(exports.render("ndjson", REPORT, rows)) < 1_500_000


def test_a_table_has_a_line_each_second() -> None:
    lines = list(csv.DictReader(io.StringIO(exports.render("csv", REPORT, ROWS).decode())))
    assert [int(line["second"]) for line in lines] == list(range(60))
    assert float(lines[7]["p99_ms"]) == ROWS[7].p99_ms
    assert lines[0]["freshness_p99_ms"] == ""
    assert not {"latencies", "freshness"} & lines[0].keys()


def test_a_page_of_a_day_is_small() -> None:
    rows = [ROWS[number % 60] for number in range(86_400)]
    assert len(exports.render("html", REPORT, rows)) <= 250_000


def test_a_run_that_told_nothing_has_files_too() -> None:
    empty = report(PLAN, [0.01], endpoints=(), requests=0)
    assert all(exports.render(form, empty, []) for form in exports.MEDIA)
