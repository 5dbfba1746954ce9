"""`palio bench` on a running stack, as one types it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from support.local_stack import PALIO, LocalStack

CODES = {"Passed": 0, "Failed": 1, "Inconclusive": 3}  # the last one on a machine that is busy with other things
TIMEOUT_S = 90


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    started = LocalStack.start(tmp_path_factory.mktemp("bench") / "data", limits="on")
    try:
        yield started
    finally:
        started.remove()


def bench(data_dir: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [str(PALIO), "bench", *arguments, "--data-dir", str(data_dir)]
    whole = os.environ | {"COLUMNS": "200"} | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=whole)


def run(stack: LocalStack, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = bench(stack.data_dir, "run", "--json", "--users", "10", "--ramp", "0", "--duration", "2", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def may_be_real_time() -> bool:
    """Whether this system lets a child of ours have it."""
    tried = "import os; os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))"
    return subprocess.run([sys.executable, "-c", tried], capture_output=True, check=False).returncode == 0


WANTED = {
    "requests", "errors", "requests_per_second", "target_rate", "p50_ms", "p95_ms", "p99_ms", "max_ms",
    "schedule_error_p99_ms", "generator_cpu", "verdict",
}  # fmt: skip


def test_a_run_says_in_json_what_came_of_it(stack: LocalStack) -> None:
    code, report = run(stack, "--rate", "50", "--threshold", "p99_ms<=10000", "--threshold", "error_per_mille<=0")
    assert report.keys() >= WANTED
    assert (report["requests"], report["errors"], report["target_rate"]) == (100, 0, 50)
    assert [check["held"] for check in report["checks"]] == [True, True]
    assert code == CODES[report["verdict"]]
    assert report["environment"]["scheduling"] == ("real-time" if may_be_real_time() else "normal")
    assert 0 < report["p50_ms"] <= report["p99_ms"] <= report["max_ms"]
    assert {one["endpoint"] for one in report["endpoints"]} > {"POST /api/v1/scores", "GET /api/v1/leaderboard"}


def test_a_missed_threshold_is_an_exit_code(stack: LocalStack) -> None:
    code, report = run(stack, "--rate", "20", "--threshold", "requests_per_second>=1000")
    assert [check["held"] for check in report["checks"]] == [False]
    assert code == CODES[report["verdict"]] != 0


def test_several_runners_are_one_run(stack: LocalStack) -> None:
    _, report = run(stack, "--rate", "51", "--runners", "2", "--scenario", "ReadTop")
    assert (report["requests"], report["runners"], report["errors"]) == (102, 2, 0)


@pytest.mark.parametrize("scenario", ["ReadAround", "LiveUpdates", "TournamentRush"])
def test_every_request_of_a_scenario_is_one_that_the_platform_answers(stack: LocalStack, scenario: str) -> None:
    _, report = run(stack, "--rate", "40", "--scenario", scenario)
    assert (report["requests"], report["errors"], report["errors_by_class"]) == (80, 0, {})
    if scenario != "ReadAround":
        assert report["sockets"] > 0
        assert report["version_gaps"] == report["sockets_lost"] == 0
        assert report["freshness_p99_ms"] > 0


def test_users_without_a_rate_play_at_their_own_pace(stack: LocalStack) -> None:
    _, report = run(stack, "--users", "30", "--scenario", "SubmitScores", "--duration", "4")
    assert report["plan"]["requests_per_second"] is None
    assert 0 < report["requests"] < 200
    assert report["errors"] == 0


def test_the_limits_of_the_gateway_are_counted_as_what_they_are(stack: LocalStack) -> None:
    _, report = run(stack, "--users", "1", "--rate", "400", "--scenario", "SubmitScores")  # a player may do 20 a second
    assert set(report["errors_by_class"]) == {"http_429"}
    assert 500 < report["errors"] < 700


def test_runs_are_listed_compared_and_drawn(stack: LocalStack, tmp_path: Path) -> None:
    first, second = (run(stack, "--rate", "30", "--seed", seed)[1]["run"] for seed in ("1", "2"))
    listed = json.loads(bench(stack.data_dir, "list", "--json").stdout)
    assert [row["run"] for row in listed][-2:] == [first, second]
    compared = bench(stack.data_dir, "compare", first, second, "--json")
    told = json.loads(compared.stdout)
    assert "seed differs: 1 and 2" in told["caveats"]
    assert {one["metric"] for one in told["differences"]} >= {"p50_ms", "p99_ms", "requests_per_second"}
    assert compared.returncode == any(one["change"] == "worse" for one in told["differences"])
    page = tmp_path / "run.html"
    assert bench(stack.data_dir, "report", "last", "-o", str(page)).returncode == 0
    assert 2_000 < page.stat().st_size < 250_000
    assert second not in bench(stack.data_dir, "report", "no-such-run").stderr


def test_a_search_tells_what_it_tried_and_that_nothing_was_carried(stack: LocalStack) -> None:
    small = ("--from", "1", "--step", "2", "--users", "5", "--scenario", "SubmitScores")
    done = bench(stack.data_dir, "search", "--p99", "0.1", *small, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["requests_per_second"], len(found["probes"])) == (1, 0, 1)
    assert found["probes"][0]["why_not"].startswith("p99 ")


def test_ctrl_c_ends_a_run_with_what_it_measured(stack: LocalStack) -> None:
    command = [
        str(PALIO), "bench", "run", "--json", "--users", "10", "--rate", "50", "--ramp", "0", "--duration", "60",
        "--data-dir", str(stack.data_dir),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        threading.Timer(6.0, process.send_signal, (signal.SIGINT,)).start()  # preparing takes about two seconds
        said = _all_of(process.stdout)
    report = json.loads(said)
    assert process.returncode == CODES["Inconclusive"]
    assert report["was_stopped"]
    assert 0 < report["requests"] < 500


def _all_of(pipe: IO[str] | None) -> str:
    assert pipe is not None
    return pipe.read()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--users", "0"], "--users"),
        (["--scenario", "Dance"], "Dance"),
        (["--rate", "0"], "--rate"),
        (["--threshold", "p99<50"], "not a threshold"),
        (["--ramp", "60", "--duration", "30"], "ramp"),
        (["--users", "2", "--runners", "3"], "more runners"),
        (["--url", "http://10.0.0.1:23455"], "not allowed"),
        (["--url", "http://169.254.169.254"], "not allowed"),
        (["--url", "http://2130706433"], "usual form"),
        (["--url", "http://a:b@127.0.0.1"], "password"),
        (["--url", "http://127.0.0.1:1"], "palio demo"),
        (["--game", "no-such-game"], "no-such-game"),
    ],
)
def test_what_cannot_be_run_is_told_with_exit_code_two(stack: LocalStack, arguments: list[str], told: str) -> None:
    done = bench(stack.data_dir, "run", *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = bench(tmp_path, "run", PALIO_GATEWAY_URL="http://127.0.0.1:1")
    assert done.returncode == 2
    assert "Is `palio demo` running?" in done.stderr


def test_users_of_a_gateway_alone_register_there(stack: LocalStack) -> None:
    url = stack.status()["urls"]["gateway"]
    _, report = run(stack, "--users", "5", "--rate", "20", "--url", url)
    assert (report["requests"], report["errors"]) == (40, 0)


def test_the_engine_says_what_is_wrong_with_a_plan() -> None:
    command = [sys.executable, "-m", "palio_generator.load"]
    done = subprocess.run(command, input="{}\n", capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    said = json.loads(done.stdout)
    assert (done.returncode, said["type"], said["code"]) == (2, "failed", "bad_plan")
