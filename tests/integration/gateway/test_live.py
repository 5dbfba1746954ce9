"""`/ws/main` through the gateway: frames both ways, every close code, and nothing piled up for a slow browser."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_sockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from palio_kit.asgi import Receive, Send
from palio_kit.testing.waiting import eventually
from support.apps import Running
from support.broken import closed_port


@asynccontextmanager
async def socket_to(server: Running, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(f"{server.websocket_url}/ws/main", compression=None, close_timeout=2, **options) as socket:
        yield socket


class Conversation:
    """The service's side of a socket: echoes, unless told to close or to pour."""

    def __init__(self) -> None:
        self.ended: list[dict[str, Any]] = []
        self.poured = 0
        self.begun = 0
        self.open = 0

    async def __call__(self, receive: Receive, send: Send) -> None:
        self.begun, self.open = self.begun + 1, self.open + 1
        try:
            await self._talk(receive, send)
        finally:
            self.open -= 1

    async def _talk(self, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.ended.append(dict(message))
                return
            text = message.get("text")
            if text is not None and text.startswith("{"):
                order = json.loads(text)
                if "close" in order:
                    await send({"type": "websocket.close", "code": order["close"], "reason": order.get("reason", "")})
                    return
                await self._pour(send, order["pour"])
            elif text is not None:
                await send({"type": "websocket.send", "text": text})
            else:
                await send({"type": "websocket.send", "bytes": message["bytes"]})

    async def _pour(self, send: Send, frames: int) -> None:
        for _ in range(frames):
            await send({"type": "websocket.send", "text": "x" * 60_000})
            self.poured += 1


@pytest.fixture
def talk(upstream: Any) -> Conversation:
    upstream.socket = Conversation()
    conversation: Conversation = upstream.socket
    return conversation


async def test_frames_pass_both_ways_as_they_are(gateway: Running, talk: Conversation) -> None:
    async with socket_to(gateway) as socket:
        for frame in ("hello", "", "grüße \U0001f3c7", b"\x00\xff", "x" * 65_536):
            await socket.send(frame)
            assert await socket.recv() == frame


async def test_the_origin_and_nothing_else_is_forwarded(gateway: Running, upstream: Any, talk: Conversation) -> None:
    headers = {"cookie": "a=b", "x-evil": "1"}
    async with socket_to(gateway, origin="http://localhost:3000", additional_headers=headers) as socket:
        await socket.send("hello")
        await socket.recv()
    [handshake] = upstream.handshakes
    assert handshake["origin"] == "http://localhost:3000"
    assert "traceparent" in handshake
    assert not {"cookie", "x-evil", "sec-websocket-extensions"} & set(handshake)


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 1011, 1012, 1013, 4000, 4001, 4002, 4500, 4501, 4503])
async def test_the_services_close_code_reaches_the_browser(gateway: Running, talk: Conversation, code: int) -> None:
    async with socket_to(gateway) as socket:
        await socket.send(json.dumps({"close": code, "reason": "retry_after_ms=250"}))
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (code, "retry_after_ms=250")


@pytest.mark.parametrize(("sent", "told"), [(1000, 1000), (1001, 1001), (4123, 4123)])
async def test_the_browsers_close_code_reaches_the_service(
    gateway: Running, talk: Conversation, sent: int, told: int
) -> None:
    async with socket_to(gateway) as socket:
        await socket.send("hello")
        await socket.recv()
        await socket.close(sent, "bye")

    async def ended() -> bool:
        return [(end["code"], end["reason"]) for end in talk.ended] == [(told, "bye")]

    assert await eventually(ended)


async def test_a_browser_that_vanishes_ends_its_upstream_socket(gateway: Running, talk: Conversation) -> None:
    async with socket_to(gateway) as socket:
        await socket.send("hello")
        await socket.recv()
        socket.transport.abort()

    async def ended() -> bool:
        return len(talk.ended) == 1

    assert await eventually(ended)


async def test_a_frame_over_64_kib_closes_with_1009_on_both_sides(gateway: Running, talk: Conversation) -> None:
    async with socket_to(gateway, max_size=None) as socket:
        await socket.send("x" * 65 * 1024)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1009

    async def ended() -> bool:
        return [end["code"] for end in talk.ended] == [1009]

    assert await eventually(ended)


async def test_an_upstream_that_is_lost_is_a_restart(gateway_of: Any) -> None:
    async def dies(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    async with serve_sockets(dies, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        gateway = gateway_of(websocket_url=f"http://127.0.0.1:{port}")
        async with socket_to(gateway) as socket:
            await socket.send("die")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1012


async def test_a_service_that_is_away_refuses_the_handshake_with_503(gateway_of: Any) -> None:
    gateway = gateway_of(websocket_url=closed_port())
    with pytest.raises(InvalidStatus) as refused:
        async with socket_to(gateway):
            pass
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["retry-after"] == "1"
    assert json.loads(refused.value.response.body or b"{}")["code"] == "unavailable"


async def test_a_handshake_the_service_refuses_is_refused(gateway: Running, upstream: Any) -> None:
    async def refuse(_: Receive, send: Send) -> None:
        await send({"type": "websocket.close"})

    upstream.socket = refuse
    with pytest.raises(InvalidStatus) as refused:
        async with socket_to(gateway):
            pass
    assert refused.value.response.status_code == 403


async def test_other_sockets_do_not_exist(gateway: Running, upstream: Any) -> None:
    for path in ("/ws", "/ws/other", "/", "/api/v1/scores", "/internal/v1/x"):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{gateway.websocket_url}{path}"):
                pass
        assert refused.value.response.status_code == 404
    assert upstream.handshakes == []


async def test_one_socket_too_many_is_503(gateway_of: Any, talk: Conversation) -> None:
    gateway = gateway_of(sockets_max=1)
    async with socket_to(gateway):
        with pytest.raises(InvalidStatus) as refused:
            async with socket_to(gateway):
                pass
        assert refused.value.response.status_code == 503

    async def free_again() -> bool:
        try:
            async with socket_to(gateway):
                return True
        except InvalidStatus:
            return False

    assert await eventually(free_again)


async def test_handshakes_count_against_the_address(gateway_of: Any, talk: Conversation) -> None:
    gateway = gateway_of(address_per_second=0.1, address_burst=1)
    async with socket_to(gateway):
        pass
    with pytest.raises(InvalidStatus) as refused:
        async with socket_to(gateway):
            pass
    assert refused.value.response.status_code == 429


async def test_a_slow_browser_slows_its_service_and_nothing_piles_up(gateway: Running, talk: Conversation) -> None:
    async with socket_to(gateway, max_queue=1) as socket:
        await socket.send(json.dumps({"pour": 2_000}))
        seen = -1

        async def stands_still() -> bool:
            nonlocal seen
            before, seen = seen, talk.poured
            return 0 < seen == before

        assert await eventually(stands_still, every_s=0.3)
        assert talk.poured < 600  # of 2,000 frames of 60 kB: the rest waits at the service, not here
        for _ in range(2_000):
            assert len(await socket.recv()) == 60_000


async def test_a_long_quiet_socket_outlives_every_call_timeout(gateway_of: Any, talk: Conversation) -> None:
    gateway = gateway_of(upstream_timeout_s=0.2)
    async with socket_to(gateway) as socket:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await socket.recv()
        await socket.send("still here")
        assert await socket.recv() == "still here"


async def test_sockets_leave_nothing_behind(gateway: Running, client: httpx2.AsyncClient, talk: Conversation) -> None:
    async def come_and_go(number: int) -> None:
        async with socket_to(gateway) as socket:
            await socket.send("hello")
            if number % 2:
                socket.transport.abort()

    await asyncio.gather(*(come_and_go(number) for number in range(100)))

    async def all_gone() -> bool:
        return "palio_relayed_sockets 0.0" in (await client.get("/metrics")).text and talk.open == 0

    assert await eventually(all_gone)
    assert talk.begun == 100
