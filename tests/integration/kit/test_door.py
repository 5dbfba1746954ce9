"""Raw bytes at a listening service: what is no request, too large, too slow or too many gets an answer and an end."""

import json
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from palio_kit import door, serve
from palio_kit.asgi import Receive, Scope, Send, respond
from palio_kit.settings import ServiceSettings
from support import apps
from support.toy.app import create_app
from support.toy.settings import Settings

GET = b"GET /process HTTP/1.1\r\nhost: toy\r\n"
FREED_WITHIN_S = 10
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def settings(identity_directory: Callable[[str], Path]) -> ServiceSettings:
    identity = identity_directory("user")
    return Settings(
        database_url="postgresql://nowhere", redis_url="redis://nowhere", identity_dir=identity,
        identity_jwks=str(identity / "jwks.json"), identity_issuer="palio-test", connections_max=3,
    )  # fmt: skip


@pytest.fixture
def port(settings: Settings) -> Iterator[int]:
    with apps.running(create_app, settings) as running:
        yield running.port


class Client:
    """One connection, read by hand."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.stream = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> Answer:
        status = int(self.stream.readline().split()[1])
        lines = iter(lambda: self.stream.readline().strip().decode(), "")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return status, headers, self.stream.read(int(headers["content-length"]))

    def ended(self) -> bool:
        return self.stream.read() == b""


@contextmanager
def connected(port: int) -> Iterator[Client]:
    client = Client(port)
    try:
        yield client
    finally:
        client.stream.close()
        client.socket.close()


def assert_problem(client: Client, status: int, code: str) -> dict[str, str]:
    """The answer is this problem, in our shape, and the last thing on its connection."""
    got, headers, body = client.answer()
    problem = json.loads(body)
    assert (got, problem["code"]) == (status, code)
    assert set(problem) == {"type", "title", "status", "detail", "code", "errors", "trace_id"}
    assert problem["type"] == f"urn:palio:problem:{code}"
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert client.ended()
    return headers


def headers(count: int) -> bytes:
    return b"".join(b"x-%d: y\r\n" % number for number in range(count))


TOO_LARGE = {
    "101 headers": GET + headers(100) + b"\r\n",
    "one header of 70 KB": GET + b"x: " + b"y" * 70_000 + b"\r\n\r\n",
    "70 KB in many headers": GET + (b"x: " + b"y" * 1000 + b"\r\n") * 70 + b"\r\n",
    "a URL of 9 KB": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: toy\r\n\r\n",
    "a header line without an end": GET + b"x: " + b"y" * 500_000,
    "a header name without an end": GET + b"y" * 500_000,
    "a URL without an end": b"GET /" + b"a" * 500_000,
    "a chunk's extension without an end": (
        b"POST /process HTTP/1.1\r\nhost: toy\r\ntransfer-encoding: chunked\r\n\r\n1;x=" + b"y" * 900_000
    ),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_a_head_over_its_bounds_is_refused(port: int, case: str) -> None:
    with connected(port) as client:
        client.send(TOO_LARGE[case])
        assert_problem(client, 431, "headers_too_large")


def test_a_head_at_its_bounds_is_taken(port: int) -> None:
    with connected(port) as client:
        client.send(GET + headers(98) + b"x: " + b"y" * 60_000 + b"\r\n\r\n")
        assert client.answer()[0] == 200


def test_a_head_that_grows_byte_by_byte_is_refused_too(port: int) -> None:
    with connected(port) as client:
        client.send(GET)
        for _ in range(70):
            client.send(b"x: " + b"y" * 1000 + b"\r\n")
        assert_problem(client, 431, "headers_too_large")


def test_requests_after_each_other_each_have_the_whole_bound(port: int) -> None:
    request = GET + b"x: " + b"y" * 40_000 + b"\r\n\r\n"
    with connected(port) as client:
        for _ in range(4):
            client.send(request[:30_000])
            client.send(request[30_000:])
            assert client.answer()[0] == 200
        client.send(request * 4)
        assert [client.answer()[0] for _ in range(4)] == [200] * 4


def test_a_body_larger_than_a_head_may_be_does_not_count_as_one(port: int) -> None:
    post = b"POST /process HTTP/1.1\r\nhost: toy\r\ncontent-type: application/json\r\ncontent-length: 65536\r\n\r\n"
    with connected(port) as client:
        client.send((post + b"1" * 65_536 + GET + b"\r\n") * 3)
        assert [client.answer()[0] for _ in range(6)] == [405, 200] * 3


def test_a_body_in_many_pieces_does_not_add_up(port: int) -> None:
    head = b"POST /api/v1/scores/batch HTTP/1.1\r\nhost: toy\r\ncontent-type: application/json\r\n"
    with connected(port) as client:
        client.send(head + b"content-length: 300000\r\n\r\n")
        for _ in range(10):
            time.sleep(0.01)
            client.send(b"1" * 30_000)
        assert client.answer()[0] == 404
        client.send(GET + b"\r\n")
        assert client.answer()[0] == 200


@pytest.mark.parametrize(("begun", "more"), [(b"GET /process", b"es"), (GET, b"x: y\r\n"), (b"\r\n", b"\r\n")])
def test_a_head_that_does_not_arrive_is_a_timeout(
    monkeypatch: pytest.MonkeyPatch, port: int, begun: bytes, more: bytes
) -> None:
    monkeypatch.setattr(door, "HEAD_TIMEOUT_S", 2.0)
    with connected(port) as client:
        client.send(GET + b"\r\n")
        assert client.answer()[0] == 200
        client.send(begun)
        time.sleep(1.0)
        client.send(more)  # more of it gives no more time
        began = time.monotonic()
        assert_problem(client, 408, "request_timeout")
        assert time.monotonic() - began < 1.9


def test_a_request_that_came_in_pieces_leaves_no_deadline_behind(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(door, "HEAD_TIMEOUT_S", 0.3)
    pieces = [
        b"POST /process HTTP/1.1\r\nhost: toy\r\ntransfer-enc",
        b"oding: chunked\r\n\r\n1\r\n",
        b"1\r\n",
        b"0\r\n\r\n",
    ]
    with connected(port) as client:
        for piece in pieces:
            client.send(piece)
            time.sleep(0.03)
        assert client.answer()[0] in {405, 415}
        time.sleep(0.6)
        client.send(GET + b"\r\n")
        assert client.answer()[0] == 200


def test_a_body_nobody_waits_for_does_not_hold_the_connection(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(door, "HEAD_TIMEOUT_S", 0.3)
    with connected(port) as client:
        client.send(b"GET /process HTTP/1.1\r\nhost: toy\r\ncontent-length: 1000\r\n\r\n1")
        assert client.answer()[0] == 200
        client.send(b"1")
        assert client.ended()


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setattr(serve, "_KEEP_ALIVE_S", 1)
    with apps.running(create_app, settings) as running, connected(running.port) as client:
        assert client.ended()


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"BREW / COFFEE\r\n\r\n", GET + b": x\r\n\r\n"]
)
def test_what_is_no_request_is_told_so(port: int, garbage: bytes) -> None:
    with connected(port) as client:
        client.send(garbage)
        assert_problem(client, 400, "malformed_request")


def test_garbage_behind_a_request_does_not_overtake_its_answer(port: int) -> None:
    with connected(port) as client:
        client.send(GET + b"\r\n" + GET + b"\r\n" + b"\x16\x03\x01")
        assert [client.answer()[0] for _ in range(2)] == [200, 200]
        assert client.ended()


def test_one_connection_more_than_are_taken_is_told_to_come_back(port: int) -> None:
    with connected(port) as first, connected(port), connected(port):
        first.send(GET + b"\r\n")
        assert first.answer()[0] == 200
        with connected(port) as fourth:
            fourth.send(GET + b"\r\n")
            assert assert_problem(fourth, 503, "too_many_connections")["retry-after"] == "1"
    deadline = time.monotonic() + FREED_WITHIN_S
    while status_of_one_more(port) != 200:
        assert time.monotonic() < deadline, "no place came free"
        time.sleep(0.02)


def status_of_one_more(port: int) -> int:
    with connected(port) as client:
        client.send(GET + b"\r\n")
        return client.answer()[0]


async def _accepting(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that takes every web socket, after another request on its connection or as the first."""
    if scope["type"] == "http":
        await respond(send, 200, b"{}")
        return
    while (await receive())["type"] not in {"websocket.disconnect", "lifespan.shutdown"}:
        await send({"type": "lifespan.startup.complete" if scope["type"] == "lifespan" else "websocket.accept"})
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.shutdown.complete"})


def test_web_sockets_leave_their_places_to_others(settings: Settings) -> None:
    upgrade = (
        b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with apps.running(lambda _: _accepting, settings) as running, ExitStack() as sockets:
        for number in range(6):
            client = sockets.enter_context(connected(running.port))
            if number % 2:
                client.send(GET + b"\r\n")
                assert client.answer()[0] == 200
            client.send(GET + upgrade)
            assert client.stream.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"


def test_an_endless_header_line_takes_no_memory(port: int) -> None:
    flood = memoryview(b"y" * 65_536)
    with connected(port) as client:
        client.send(GET + b"x: ")
        tracemalloc.start()
        try:
            sent = _flood(client, flood, bytes_max=60_000_000)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 4_000_000
    assert sent < 60_000_000, "the service went on reading"


def _flood(client: Client, data: Any, *, bytes_max: int) -> int:
    sent = 0
    try:
        while sent < bytes_max:
            client.socket.sendall(data)
            sent += len(data)
    except OSError:
        pass
    return sent
