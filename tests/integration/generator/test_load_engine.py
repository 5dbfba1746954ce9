"""The engine against servers whose behaviour is known: what it says of them can be checked."""

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from palio_generator.load.engine import Run
from palio_generator.load.histograms import Histogram
from palio_generator.load.plan import Plan, Scenario
from palio_generator.load.results import Second, merge_reports, merge_seconds
from palio_generator.load.verdicts import Threshold, Verdict
from support import fixed_server, load_runs

Answer = Callable[[int, bytes], bytes | None]
OK = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"


def plan(port: int, **others: Any) -> Plan:
    defaults: dict[str, Any] = {
        "base_url": f"http://127.0.0.1:{port}", "virtual_users": 20, "duration_s": 2.0, "ramp_up_s": 0.0,
        "requests_per_second": 100, "scenario": Scenario.SUBMIT_SCORES,
    }  # fmt: skip
    return Plan(**defaults | others)


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server whose answer to its n-th request is `answer(n, request)`; None closes the connection."""
    requests: list[bytes] = []
    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
                requests.append(head + await reader.readexactly(size))
                said = answer(len(requests), requests[-1])
                if said is None:
                    break
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], requests
    finally:
        server.close()
        await asyncio.wait(serving)


async def test_a_stalled_server_shows_in_response_time_and_hides_in_service_time() -> None:
    async def stall(_: Run) -> None:
        await asyncio.sleep(1.0)
        os.kill(server.pid, signal.SIGSTOP)
        await asyncio.sleep(1.0)
        os.kill(server.pid, signal.SIGCONT)

    with fixed_server.running(5) as server:
        # 8 connections: while the server stands still, all but 8 requests wait here and would be left out elsewhere.
        stalled = plan(server.port, duration_s=6.0, requests_per_second=200, connections_max=8)
        report = await load_runs.run(stalled, meanwhile=stall)
    assert report.requests == 1200
    assert report.errors == 0
    assert report.p99_ms > 600
    assert report.p50_ms < 100
    assert report.service_p99_ms < report.p99_ms / 2
    assert report.backlog_max > 50


async def test_every_request_of_the_schedule_is_sent_and_counted_once() -> None:
    async with serving(lambda _, __: OK) as (port, requests):
        rows: list[Second] = []
        report = await load_runs.run(plan(port, ramp_up_s=1.0, duration_s=3.0), rows.append)
    assert len(requests) == sum(row.due for row in rows) == sum(row.sent for row in rows) == 250
    assert sum(row.answered for row in rows) == 250
    assert (report.requests, report.target_rate) == (200, 100)  # the ramp is not measured
    assert report.requests_per_second == pytest.approx(100, rel=0.02)
    assert Histogram.merged(row.latencies for row in rows).count == 250


async def test_the_same_seed_sends_the_same_requests() -> None:
    async def sent(seed: int) -> Counter[bytes]:
        async with serving(lambda _, __: OK) as (port, requests):
            await load_runs.run(plan(port, seed=seed, scenario=Scenario.MIXED, sockets=0))
        return Counter(request.replace(b"host: 127.0.0.1:%d\r" % port, b"host: \r") for request in requests)

    once, again, other = await sent(1), await sent(1), await sent(2)
    different = (once - again) + (again - once)
    assert list(different.items())[:4] == []  # pytest would take minutes to draw the whole difference
    assert once != other


async def test_runners_add_up_to_the_run() -> None:
    async with serving(lambda _, __: OK) as (port, requests):
        shares = plan(port, requests_per_second=101, duration_s=2.0).shares(3)
        rows: list[Second] = []
        reports = await asyncio.gather(*(load_runs.run(share, rows.append) for share in shares))
    whole = merge_reports(reports, runners_wanted=3)
    assert len(requests) == whole.requests == 202
    assert (whole.runners, whole.plan.share.count) == (3, 1)
    assert not any("lost" in doubt for doubt in whole.doubts)
    every = [endpoint.response for report in reports for endpoint in report.endpoints]
    assert whole.p99_ms == Histogram.merged(every).percentile_ms(99)
    assert [row.due for row in merge_seconds(rows)][:2] == pytest.approx([101, 101], abs=2)
    assert any("1 of 3 runners were lost" in doubt for doubt in merge_reports(reports[:2], runners_wanted=3).doubts)


async def test_failures_are_told_apart_and_refusals_do_not_flatter_the_times() -> None:
    def answer(number: int, _: bytes) -> bytes | None:
        if number % 10 == 1:
            return b"HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n"
        if number % 10 == 2:
            return b"HTTP/1.1 302 Found\r\nlocation: http://example.com/\r\ncontent-length: 0\r\n\r\n"
        if number % 10 == 3:
            return b"nonsense\r\n\r\n"
        return None if number % 10 == 4 else OK

    async with serving(answer) as (port, requests):
        report = await load_runs.run(plan(port, thresholds=(Threshold.parse("error_per_mille<=100"),)))
    assert len(requests) == report.requests == 200
    by_class = {"http_429": 20, "http_302": 20, "malformed": 20, "connection": 20}
    assert dict(report.errors_by_class) == by_class
    assert report.errors == 80
    assert [check.held for check in report.checks] == [False]
    (endpoint,) = report.endpoints
    assert Histogram.decoded(endpoint.response).count == 160


async def test_a_server_that_says_nothing_is_given_up_on() -> None:
    async with serving(lambda _, __: b"") as (port, _):
        report = await load_runs.run(plan(port, duration_s=1.0, requests_per_second=20, request_timeout_s=0.5))
    assert dict(report.errors_by_class) == {"timeout": 20}
    assert report.p50_ms >= 500


async def test_a_server_that_goes_away_is_an_error_a_request_and_no_end_of_the_run() -> None:
    async def end(_: Run) -> None:
        await asyncio.sleep(0.5)
        os.kill(server.pid, signal.SIGKILL)

    with fixed_server.running(0) as server:
        report = await load_runs.run(plan(server.port), meanwhile=end)
    assert report.requests == 200
    assert 100 < report.errors < 190
    assert set(report.errors_by_class) <= {"connection", "timeout"}


async def test_a_stopped_run_reports_what_it_did_and_is_inconclusive() -> None:
    async def stop(run: Run) -> None:
        await asyncio.sleep(0.7)
        run.stop()

    async with serving(lambda _, __: OK) as (port, requests):
        report = await load_runs.run(plan(port, duration_s=60.0), meanwhile=stop)
    assert report.was_stopped
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.requests == len(requests)
    assert 40 < report.requests < 140
    assert report.measured_s == pytest.approx(report.requests / 100, abs=0.1)


async def test_a_generator_that_is_late_doubts_itself() -> None:
    async def hog(_: Run) -> None:
        for _turn in range(8):
            until = asyncio.get_running_loop().time() + 0.15
            while asyncio.get_running_loop().time() < until:
                pass
            await asyncio.sleep(0.01)

    async with serving(lambda _, __: OK) as (port, requests):
        report = await load_runs.run(plan(port), meanwhile=hog)
    assert len(requests) == report.requests == 200  # late, and all of them
    assert report.schedule_error_p99_ms > 50
    assert report.verdict is Verdict.INCONCLUSIVE
    assert any("late" in doubt for doubt in report.doubts)


async def test_nobody_there_is_told_before_the_run() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(BaseExceptionGroup):
            await load_runs.run(plan(taken.getsockname()[1]))


@pytest.mark.parametrize("step", [1, 7, 1_000])
async def test_answers_are_read_however_they_are_cut(step: int) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    titled = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    bare = b"HTTP/1.1 204 No Content\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for answer in (chunked, titled, bare):
                await reader.readuntil(b"}")
                for at in range(0, len(answer), step):
                    writer.write(answer[at : at + step])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        report = await load_runs.run(plan(port, virtual_users=8, duration_s=1.0, requests_per_second=50))
    finally:
        server.close()
    assert set(report.errors_by_class) <= {"connection"}  # the server closes after `titled`, as it said it would
    assert report.requests == 50
    assert report.errors == 0
