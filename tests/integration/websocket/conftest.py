"""The websocket service really listening, with Redis, and one stub for the services it asks."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import redis
import websockets

from palio_kit import events
from palio_kit.asgi import Receive, Scope, Send, read_body, respond
from palio_kit.events import CHANNEL, Envelope
from palio_kit.ids import new_id
from palio_kit.testing.issuer import Issuer
from palio_websocket.app import create_app
from palio_websocket.protocol import LiveProtocol
from palio_websocket.settings import Settings
from support.apps import Running

Frame = dict[str, Any]
Row = list[Any]

LISTENING_WITHIN_S = 20

USER_IDS = [f"00000000-0000-7000-8000-{number:012x}" for number in range(300)]
REACHED_AT = "2026-11-23T12:00:00.000000Z"


def rows_of(scores: Sequence[int]) -> list[Row]:
    """Rows of a board with these scores, player 0 first in the list; ranked by score."""
    ranked = sorted(enumerate(scores), key=lambda one: (-one[1], one[0]))
    return [
        [rank, USER_IDS[player], f"player-{player}", score, REACHED_AT]
        for rank, (player, score) in enumerate(ranked, start=1)
    ]


@dataclass
class Behind:
    """Stub of leaderboard, score and tournament: what boards are, what happened before, which tournaments there are."""

    key_set: bytes
    boards: dict[str, tuple[str, int, str, str, list[Row], int]] = field(default_factory=dict)
    recent: list[dict[str, Any]] = field(default_factory=list)
    tournaments: dict[str, dict[str, Any]] = field(default_factory=dict)
    tops_calls: int = 0
    away: bool = False
    url: str = ""

    def put(self, board: str, scores: Sequence[int], *, epoch: str = "e1") -> int:
        """Make the board have these scores at its next version; answers the version."""
        known = self.boards.get(board)
        version = known[1] + 1 if known is not None and known[0] == epoch else 1
        self.boards[board] = (epoch, version, "desc", "earliest", rows_of(scores)[:100], len(scores))
        return version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif self.away:
            await respond(send, 503, b"{}")
        elif scope["path"] == "/internal/v1/tops":
            asked = msgspec.msgpack.decode(await read_body(scope, receive, bytes_max=1 << 20))
            self.tops_calls += 1
            answers = [self._top(*one) for one in asked]
            await respond(send, 200, msgspec.msgpack.encode(answers), content_type=b"application/msgpack")
        elif scope["path"] == "/internal/v1/recent":
            await respond(send, 200, json.dumps({"items": self.recent}).encode())
        elif scope["path"] == "/.well-known/jwks.json":
            await respond(send, 200, self.key_set)
        else:
            await self._tournament(scope["path"].rpartition("/")[2], send)

    def _top(self, board: str, limit: int, epoch: str, version: int) -> Any:
        assert limit == 100
        found = self.boards.get(board)
        if found is None:
            return ("", 0, "desc", "earliest", [], 0)
        return None if found[:2] == (epoch, version) else found

    async def _tournament(self, tournament_id: str, send: Send) -> None:
        found = self.tournaments.get(tournament_id)
        if found is None:
            await respond(send, 404, b'{"status":404,"code":"tournament_not_found","title":"x","detail":"x"}')
        else:
            await respond(send, 200, json.dumps(found).encode())


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@dataclass
class Source:
    """A service that publishes events, numbered as the kit numbers them."""

    client: redis.Redis
    name: str = field(default_factory=lambda: str(new_id()))
    sequence: int = 0

    def publish(self, kind: str, data: object, *, lose: int = 0) -> None:
        """Publish one event, after losing some."""
        self.sequence += 1 + lose
        envelope = Envelope(self.name, self.sequence, kind, time.time(), "t" * 32, data)
        self.client.publish(CHANNEL, msgspec.msgpack.encode(envelope))

    def scores(self, boards: dict[str, tuple[str, int]], submissions: Sequence[dict[str, Any]] = ()) -> None:
        """Boards that changed, and what was submitted."""
        self.publish("scores", {"boards": boards, "submissions": list(submissions)})


def submission(number: int, *, user_id: str = USER_IDS[1], **changes: Any) -> dict[str, Any]:
    """A submission as the score service tells it."""
    return {
        "submission_id": f"00000000-0000-7000-9000-{number:012x}", "user_id": user_id, "username": "ada",
        "game_id": "space-race", "score": number, "counted": True,
        "accepted_at": f"2026-11-23T12:00:{number // 1_000_000:02}.{number % 1_000_000:06}Z", "rank": 1,
        "previous_rank": None, "trace_id": "a" * 32,
    } | changes  # fmt: skip


@dataclass
class Client:
    """A client that reads frames by kind; heartbeats are left out unless asked for."""

    socket: websockets.ClientConnection

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def subscribe(self, *channels: str, **others: Any) -> None:
        await self.say(type="subscribe", channels=list(channels), **others)

    async def next(self, kind: str | None = None, *, within_s: float = 20, **having: Any) -> Frame:
        """The next frame of that kind with these values; others before it are dropped."""
        async with asyncio.timeout(within_s):
            while True:
                frame: Frame = json.loads(await self.socket.recv())
                if frame["type"] != (kind or frame["type"]) or (kind is None and frame["type"] == "heartbeat"):
                    continue
                if all(frame.get(key) == value for key, value in having.items()):
                    return frame

    async def closed(self, *, within_s: float = 20) -> tuple[int, str]:
        """Code and reason of the close that comes."""
        with pytest.raises(websockets.ConnectionClosed) as closing:
            async with asyncio.timeout(within_s):
                while True:
                    await self.socket.recv()
        received = closing.value.rcvd
        assert received is not None
        return received.code, received.reason


@dataclass
class Stream:
    """The service under test, with what is around it."""

    url: str
    http_url: str
    behind: Behind
    source: Source

    @asynccontextmanager
    async def connect(self, **options: Any) -> AsyncIterator[Client]:
        """One client."""
        defaults = {"compression": None, "max_size": None, "proxy": None}
        async with websockets.connect(self.url, **(defaults | options)) as socket:
            yield Client(socket)


@pytest.fixture
def settings_of(identity_directory: Callable[[str], Path], redis_url: str) -> Callable[..., Settings]:
    """Settings without a database."""
    directory = identity_directory("websocket")

    def make(**overrides: Any) -> Settings:
        values: dict[str, Any] = {
            "profile": "demo", "port": 0, "redis_url": redis_url, "identity_dir": directory,
            "identity_jwks": str(directory / "jwks.json"), "identity_issuer": "palio-test", "access_log_sample": 0,
        }  # fmt: skip
        return Settings(**(values | overrides))

    return make


@pytest.fixture
def behind(issuer: Issuer, running: Any, settings_of: Callable[..., Settings]) -> Iterator[Behind]:
    """The stub, listening."""
    stub = Behind(issuer.jwks())
    stub.put("global", [100, 90, 80])
    with running(lambda _: stub, settings_of()) as server:
        stub.url = server.url
        yield stub


@pytest.fixture
def stream_of(
    behind: Behind,
    running: Any,
    settings_of: Callable[..., Settings],
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Stream]]:
    """A listening service: `stream_of(sockets_max=1)`."""
    # `Source` tells no heartbeats: what is lost here is what a test loses, not what a busy machine tells late.
    monkeypatch.setattr(events, "_SILENCE_MAX_S", 3_600.0)
    with ExitStack() as stack:

        def start(**overrides: Any) -> Stream:
            urls = {f"{name}_url": behind.url for name in ("user", "leaderboard", "score", "tournament")}
            server: Running = stack.enter_context(
                running(create_app, settings_of(**(urls | overrides)), ws=LiveProtocol)
            )
            _wait_until_listening(server)
            client = stack.enter_context(redis.Redis.from_url(redis_url))
            return Stream(f"{server.websocket_url}/ws/main", server.url, behind, Source(client))

        yield start


def _wait_until_listening(server: Running) -> None:
    """What is published before the service has subscribed is lost, as it would be for anybody."""
    deadline = time.monotonic() + LISTENING_WITHIN_S
    while not httpx2.get(f"{server.url}/readyz").json()["checks"]["events"]["ok"]:
        assert time.monotonic() < deadline, "the service did not subscribe to events"
        time.sleep(0.02)


@pytest.fixture
def stream(stream_of: Callable[..., Stream]) -> Stream:
    """A listening service with the usual settings."""
    return stream_of()
