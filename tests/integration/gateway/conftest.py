"""A gateway that really listens, and one stub that speaks for every service behind it."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from palio_gateway.app import create_app
from palio_gateway.settings import Settings
from palio_kit.asgi import Message, Receive, Scope, Send
from palio_kit.testing.issuer import Issuer
from support.apps import Running

SERVICES = ("user", "game", "leaderboard", "score", "tournament", "generator", "websocket")

MakeGateway = Callable[..., Running]


@dataclass
class Request:
    """What reached a service."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Upstream:
    """The stub: what it got, and how it answers. `delay_s` slows the internal calls."""

    jwks: bytes
    url: str = ""
    delay_s: float = 0.0
    status: int = 200
    answer: bytes = b'{"items":[],"next_cursor":null}'
    answer_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    answers: Callable[[list[Any]], list[Any]] | None = None
    document: dict[str, Any] | None = None
    requests: list[Request] = field(default_factory=list)
    batches: list[list[Any]] = field(default_factory=list)
    socket: Callable[[Receive, Send], Any] | None = None
    handshakes: list[dict[str, str]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(
            scope["method"], scope["path"], scope["query_string"].decode(), _text(scope), await _body(receive)
        )
        status, body, headers = 200, b"", [(b"content-type", b"application/json")]
        if request.path == "/.well-known/jwks.json":
            body = self.jwks
        elif request.path == "/openapi.json":
            status, body = (200, json.dumps(self.document).encode()) if self.document else (404, b"{}")
        elif request.path.startswith("/internal/v1/"):
            status, body = await self._internal(request)
        else:
            self.requests.append(request)
            await asyncio.sleep(self.delay_s)
            status, body, headers = self.status, self.answer, [*headers, *self.answer_headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _internal(self, request: Request) -> tuple[int, bytes]:
        batch = msgspec.msgpack.decode(request.body)
        self.requests.append(request)
        self.batches.append(batch)
        await asyncio.sleep(self.delay_s)
        if self.status != 200:
            return self.status, b"{}"
        answers = self.answers or (_stored if request.path.endswith("submissions") else _boards)
        return 200, msgspec.msgpack.encode(answers(batch))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.handshakes.append(_text(scope))
        await receive()
        assert self.socket is not None
        await self.socket(receive, send)


def _stored(batch: list[Any]) -> list[Any]:
    """Answer each submission with its own body, so that mixed-up answers are seen."""
    return [[201, item[1], 0, False] for item in batch]


def _boards(batch: list[Any]) -> list[Any]:
    return [
        [304, b"", '"v1"'] if item[5] == '"v1"' else [200, json.dumps({"asked": item[:5]}).encode(), '"v1"']
        for item in batch
    ]


def _text(scope: Scope) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message: Message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@pytest.fixture
def settings_of(identity_directory: Callable[[str], Path]) -> Callable[..., Settings]:
    """Gateway settings without stores."""
    directory = identity_directory("gateway")

    def make(**overrides: Any) -> Settings:
        values: dict[str, Any] = {
            "profile": "demo", "port": 0, "identity_dir": directory, "identity_jwks": str(directory / "jwks.json"),
            "identity_issuer": "palio-test", "access_log_sample": 0,
        }  # fmt: skip
        return Settings(**(values | overrides))

    return make


@pytest.fixture
def upstream(issuer: Issuer, running: Any, settings_of: Callable[..., Settings]) -> Iterator[Upstream]:
    """The stub, listening."""
    stub = Upstream(issuer.jwks())
    with running(lambda _: stub, settings_of()) as server:
        stub.url = server.url
        yield stub


@pytest.fixture
def gateway_of(running: Any, settings_of: Callable[..., Settings], upstream: Upstream) -> Iterator[MakeGateway]:
    """A listening gateway in front of the stub: `gateway_of(limits="off")`."""
    with ExitStack() as stack:

        def make(**overrides: Any) -> Running:
            urls = {f"{service}_url": upstream.url for service in SERVICES}
            server: Running = stack.enter_context(running(create_app, settings_of(**(urls | overrides))))
            return server

        yield make


@pytest.fixture
def gateway(gateway_of: MakeGateway) -> Running:
    return gateway_of()


@pytest.fixture
async def client(gateway: Running) -> Any:
    limits = httpx2.Limits(max_connections=200)
    async with httpx2.AsyncClient(base_url=gateway.url, limits=limits, timeout=10) as made:
        yield made
