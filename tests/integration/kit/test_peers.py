"""Calls of one service to another that fail on the way: what certainly did nothing is told from what may have."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from typing_extensions import override

from palio_kit import http
from palio_kit.http import Peer
from palio_kit.problems import OutcomeUnknown, Unavailable
from palio_kit.settings import ServiceSettings
from palio_kit.testing.waiting import eventually
from support.toy.settings import Settings

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
def settings(identity_directory: Callable[[str], Path]) -> ServiceSettings:
    identity = identity_directory("user")
    return Settings(
        database_url="postgresql://nowhere", redis_url="redis://nowhere", identity_dir=identity,
        identity_jwks=str(identity / "jwks.json"), identity_issuer="palio-test",
    )  # fmt: skip


@asynccontextmanager
async def peer_at(settings: ServiceSettings, port: int) -> AsyncIterator[Peer]:
    async with http.connect(settings.model_copy(update={"user_url": f"http://127.0.0.1:{port}"})) as peers:
        yield peers.peer("user")


class Losing:
    """Reads requests and closes without a word, `losses` times; then answers, or with `vanish` is gone."""

    def __init__(self, losses: int, *, vanish: bool = False) -> None:
        self.requests = 0
        self._losses = losses
        self._vanish = vanish
        self._server: asyncio.Server | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with self._server:
            yield self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        if self._vanish and self._server is not None:
            self._server.close()
        if self.requests > self._losses:
            writer.write(ANSWER)
        writer.close()


@contextmanager
def deaf() -> Iterator[int]:
    """A port whose queue is full: connections to it hang."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        try:
            yield listening.getsockname()[1]
        finally:
            for one in waiting:
                one.close()


async def test_a_request_whose_answer_is_lost_is_unknown_and_not_repeated(settings: ServiceSettings) -> None:
    losing = Losing(1)
    async with losing.listening() as port, peer_at(settings, port) as peer:
        with pytest.raises(OutcomeUnknown):
            await peer.send("POST", "/", body=b"{}")
    assert losing.requests == 1


async def test_it_is_repeated_once_where_that_is_safe(settings: ServiceSettings) -> None:
    losing = Losing(1)
    async with losing.listening() as port, peer_at(settings, port) as peer:
        reply = await peer.send("POST", "/", body=b"{}", safe_to_repeat=True)
    assert (reply.body, losing.requests) == (b"ok", 2)


async def test_it_stays_unknown_if_the_repetition_does_not_arrive(settings: ServiceSettings) -> None:
    losing = Losing(1, vanish=True)
    async with losing.listening() as port, peer_at(settings, port) as peer:
        with pytest.raises(OutcomeUnknown):
            await peer.send("POST", "/", body=b"{}", safe_to_repeat=True)
    assert losing.requests == 1


async def test_what_could_not_connect_in_time_did_nothing(settings: ServiceSettings) -> None:
    with deaf() as port:
        async with peer_at(settings, port) as peer:
            for within_s in (0.5, 3.0):  # over before the first try is, and after the second
                with pytest.raises(Unavailable) as raised:
                    await peer.send("POST", "/", body=b"{}", within_s=within_s)
                assert raised.type is Unavailable


async def test_what_never_left_is_tried_again(settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits in vain for the only connection, and at the second try gets it."""
    monkeypatch.setattr(http, "_CONNECTIONS_MAX", 1)
    slow = Slow()
    async with slow.listening() as port, peer_at(settings, port) as peer:
        tried = tries_in_vain()
        replies = asyncio.gather(*(peer.send("POST", "/", body=b"{}") for _ in range(2)))

        async def one_gave_up() -> bool:
            return tries_in_vain() > tried

        await eventually(one_gave_up)
        slow.answers.set()
        assert [reply.body for reply in await replies] == [b"ok", b"ok"]


class Slow(Losing):
    """Loses nothing, and answers when it may."""

    def __init__(self) -> None:
        super().__init__(0)
        self.answers = asyncio.Event()

    @override
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.answers.wait()
        await super()._serve(reader, writer)


def tries_in_vain() -> float:
    labels = {"callee": "user", "outcome": "unreachable"}
    return REGISTRY.get_sample_value("palio_upstream_request_seconds_count", labels) or 0
