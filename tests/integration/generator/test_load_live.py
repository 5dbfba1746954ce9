"""What the engine says of live sockets, tokens and its own timers, against servers whose behaviour is known."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from typing_extensions import override

from integration.generator.test_load_engine import OK, plan, serving
from palio_generator.load import engine, pacer
from palio_generator.load.pacer import Ticks
from palio_generator.load.players import Player
from support import load_runs

DELAY_S = 0.15
SCORE = re.compile(rb'"user_id":"([^"]+)".*"score":(\d+)')


class Feed:
    """A live service that tells each score exactly so long after it was submitted, to every socket."""

    def __init__(self, *, told_each: int = 1) -> None:
        self._told_each = told_each
        self._sockets: set[websockets.ServerConnection] = set()
        self._version = 0
        self._telling: set[asyncio.Task[None]] = set()
        self._untold: list[dict[str, Any]] = []
        self.subscribed: list[Any] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[int]:
        async with websockets.serve(self._welcome, "127.0.0.1", 0, compression=None) as server:
            yield next(iter(server.sockets)).getsockname()[1]
            for task in self._telling:
                task.cancel()

    def submitted(self, request: bytes) -> None:
        found = SCORE.search(request)
        assert found is not None
        self._untold.append({"user_id": found[1].decode(), "score": int(found[2])})
        if len(self._untold) == self._told_each:
            told, self._untold = self._untold, []
            self._telling.add(asyncio.ensure_future(self._tell(told)))

    async def _welcome(self, socket: websockets.ServerConnection) -> None:
        self.subscribed.append(json.loads(await socket.recv()))
        frame = {"type": "snapshot", "channel": "score", "epoch": "e", "version": self._version, "events": []}
        await socket.send(json.dumps(frame))
        self._sockets.add(socket)
        await socket.wait_closed()

    async def _tell(self, told: list[dict[str, Any]]) -> None:
        """The newest is shown, those before it are counted as skipped."""
        await asyncio.sleep(DELAY_S)
        base, self._version = self._version, self._version + len(told)
        frame = {
            "type": "event", "channel": "score", "epoch": "e", "base": base, "version": self._version,
            "events": told[-1:], "skipped": len(told) - 1,
        }  # fmt: skip
        await asyncio.gather(*(socket.send(json.dumps(frame)) for socket in self._sockets))


async def test_freshness_is_the_time_from_a_score_written_to_the_frame_read() -> None:
    feed = Feed()

    def answer(_: int, request: bytes) -> bytes:
        feed.submitted(request)
        return OK

    async with feed.opened() as live, serving(answer) as (port, requests):
        watched = plan(port, sockets=5, live_url=f"http://127.0.0.1:{live}", requests_per_second=50)
        report = await load_runs.run(watched)
    (heard, _) = report.freshness
    assert 0.7 * 5 * len(requests) < heard.samples <= 5 * len(requests)  # the last ones are told after the end
    assert 1000 * DELAY_S <= heard.p50_ms < 1000 * DELAY_S + 60
    assert report.freshness_p50_ms == heard.p50_ms
    assert (report.sockets, report.sockets_lost, report.version_gaps) == (5, 0, 0)
    assert [sorted(message["channels"]) for message in feed.subscribed] == [
        ["leaderboard:game:space-race", "score"]
    ] * 5


async def test_scores_that_a_frame_leaves_out_count_with_the_age_they_had() -> None:
    feed = Feed(told_each=10)

    def answer(_: int, request: bytes) -> bytes:
        feed.submitted(request)
        return OK

    async with feed.opened() as live, serving(answer) as (port, _):
        # Ten scores in 0.2 s are told as one: the oldest is 0.18 s older than the newest, which alone is shown.
        watched = plan(port, sockets=20, live_url=f"http://127.0.0.1:{live}", requests_per_second=50, duration_s=3.0)
        report = await load_runs.run(watched)
    (heard, _) = report.freshness
    assert heard.p50_ms == pytest.approx(1000 * (DELAY_S + 0.09), abs=60)
    assert heard.p99_ms > 1000 * (DELAY_S + 0.15)


async def test_a_socket_that_is_sent_away_comes_back_and_is_counted() -> None:
    visits: list[float] = []

    async def welcome(socket: websockets.ServerConnection) -> None:
        visits.append(time.monotonic())
        await socket.recv()
        if len(visits) == 1:
            await socket.close(1012)
        await socket.wait_closed()

    async with (
        websockets.serve(welcome, "127.0.0.1", 0, compression=None) as server,
        serving(lambda _, __: OK) as (port, _),
    ):
        live = next(iter(server.sockets)).getsockname()[1]
        report = await load_runs.run(plan(port, sockets=1, live_url=f"http://127.0.0.1:{live}", duration_s=4.0))
    assert (len(visits), report.sockets_lost) == (2, 1)


class ShortTokens(load_runs.NoAccounts):
    """Tokens that are renewed as soon as somebody looks."""

    @override
    async def renew(self, players: Sequence[Player]) -> None:
        for player in players:
            player.token, player.expires_at = "renewed", load_runs.TOKEN_VALID_S


async def test_tokens_are_renewed_while_load_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_RENEWAL_LOOK_S", 0.5)
    monkeypatch.setattr(load_runs, "TOKEN_VALID_S", time.monotonic() + 60.0)  # less than `FRESH_S` from now
    monkeypatch.setattr(load_runs, "NoAccounts", ShortTokens)
    async with serving(lambda _, __: OK) as (port, requests):
        report = await load_runs.run(plan(port, duration_s=2.0))
    renewed = sum(b"Bearer renewed" in request for request in requests)
    assert 100 < renewed < 190
    assert report.errors == 0


async def test_without_a_kernel_timer_millisecond_ticks_keep_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_here(_: pacer.Act) -> pacer.Pacer:
        raise OSError("no timerfd")

    monkeypatch.setattr(pacer, "KernelTimer", none_here)
    assert isinstance(pacer.pacer(lambda _: None), Ticks)
    async with serving(lambda _, __: OK) as (port, requests):
        report = await load_runs.run(plan(port))
    assert len(requests) == report.requests == 200
    assert report.schedule_error_p50_ms < 5
