"""A server that was told to end: it answers a while longer, and closes no connection that a client may write to."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from uvicorn import Server

from palio_kit import http, serve
from palio_kit.testing.waiting import eventually
from support.toy.app import create_app
from support.toy.settings import Settings

GET = b"GET /process HTTP/1.1\r\nhost: toy\r\n\r\n"
POST_HEAD = b"POST /process HTTP/1.1\r\nhost: toy\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"
JSON = {"content-type": "application/json"}
LEAVE_S = 1.5


@pytest.fixture
def settings(identity_directory: Callable[[str], Path]) -> Settings:
    identity = identity_directory("user")
    return Settings(
        database_url="postgresql://nowhere", redis_url="redis://nowhere", identity_dir=identity,
        identity_jwks=str(identity / "jwks.json"), identity_issuer="palio-test", leave_s=LEAVE_S,
    )  # fmt: skip


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[Server, int]]:
    """A server that listens, and the port; whoever stops it earlier sets its `should_exit`, as SIGTERM does."""
    listening = serve.listen("127.0.0.1", 0)
    server = serve.server(create_app, settings, graceful_s=5)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert thread.is_alive(), "the app did not start; its log says why"
        assert time.monotonic() < deadline
        thread.join(0.02)
    try:
        yield server, int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(10)


class Client:
    """One connection, read by hand."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.stream = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.socket.close()

    def ask(self, data: bytes = GET) -> tuple[int, bool]:
        """The answer's status, and whether it says that it is the connection's last."""
        self.socket.sendall(data)
        status = int(self.stream.readline().split()[1])
        lines = iter(lambda: self.stream.readline().strip().decode().lower(), "")
        headers = dict(line.split(": ", 1) for line in lines)
        assert json.loads(self.stream.read(int(headers["content-length"])))
        return status, headers.get("connection") == "close"

    def ended(self) -> bool:
        return self.stream.read() == b""


def test_an_idle_connection_gets_one_more_answer_and_then_its_end(settings: Settings) -> None:
    with serving(settings) as (server, port), Client(port) as idle, Client(port) as unused:
        assert idle.ask() == (200, False)
        server.should_exit = True
        with Client(port) as late:
            wait_until_leaving(late)
        with Client(port) as uninformed:
            assert uninformed.ask() == (200, True)
        assert idle.ask() == (200, True)
        assert idle.ended()
        assert unused.ask() == (200, True)


def test_a_request_on_its_way_in_is_answered_as_the_last_one(settings: Settings) -> None:
    with serving(settings) as (server, port), Client(port) as slow, Client(port) as other:
        slow.socket.sendall(POST_HEAD)
        assert other.ask() == (200, False)
        server.should_exit = True
        wait_until_leaving(other)
        assert slow.ask(b"{}") == (405, True)
        assert slow.ended()


def test_it_ends_when_its_time_is_over(settings: Settings) -> None:
    with serving(settings) as (server, port), Client(port) as idle:
        assert idle.ask() == (200, False)
        began = time.monotonic()
        server.should_exit = True
        assert idle.ended()
        assert LEAVE_S <= time.monotonic() - began < LEAVE_S + 3


async def test_a_caller_with_pooled_connections_does_not_notice(settings: Settings) -> None:
    with serving(settings) as (server, port):
        calling = settings.model_copy(update={"user_url": f"http://127.0.0.1:{port}"})
        async with http.connect(calling) as peers:
            peer = peers.peer("user")

            async def call() -> str | None:
                reply = await peer.send("POST", "/process", body=b"{}", headers=JSON)
                assert reply.status == 405
                return reply.headers.get("connection")

            assert set(await asyncio.gather(call(), call())) == {None}
            server.should_exit = True
            await eventually(call)
            assert [await call() for _ in range(3)] == ["close"] * 3


def wait_until_leaving(client: Client) -> None:
    """The client's connection is used up then."""
    deadline = time.monotonic() + 5
    while not client.ask()[1]:
        assert time.monotonic() < deadline
