"""Before it ends the service sends its clients elsewhere, a few at a time."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from integration.websocket.conftest import Stream
from integration.websocket.test_misuse import handshake
from palio_websocket.sockets import Socket


async def test_a_drain_closes_everybody_in_batches_with_different_delays(
    stream_of: Callable[..., Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    moments: list[float] = []
    end = Socket.end

    def noted(socket: Socket, *why: Any) -> None:
        """By the service's own clock: the clients may hear of several batches at once."""
        moments.append(time.monotonic())
        end(socket, *why)

    monkeypatch.setattr(Socket, "end", noted)
    stream = stream_of(drain_s=1, drain_batch_interval_ms=100, drain_retry_min_ms=200, drain_retry_max_ms=3_000)
    async with AsyncExitStack() as stack, httpx2.AsyncClient(base_url=stream.http_url) as http:
        clients = [await stack.enter_async_context(stream.connect()) for _ in range(40)]
        for client in clients:
            await client.subscribe("score")
            await client.next("snapshot")
        assert (await http.get("/readyz")).status_code == 200

        endings = [asyncio.create_task(client.closed()) for client in clients]
        answer = await http.post("/internal/v1/drain")
        assert (answer.status_code, answer.json()) == (200, {"closed": 40})
        told = await asyncio.gather(*endings)
        assert {code for code, _ in told} == {4000}
        delays = [int(re.fullmatch(r"retry_after_ms=(\d+)", reason)[1]) for _, reason in told]  # type: ignore[index]
        assert 200 <= min(delays) < max(delays) <= 3_000
        assert len(moments) == 40
        assert moments[-1] - moments[0] > 0.5

        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "draining")
        assert (await handshake(stream))[0] == 503


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_draining_is_a_post(stream: Stream, method: str) -> None:
    async with httpx2.AsyncClient(base_url=stream.http_url) as http:
        assert (await http.request(method, "/internal/v1/drain")).status_code == 405
        assert (await http.get("/readyz")).json()["status"] == "ready"
