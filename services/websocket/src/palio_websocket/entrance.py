"""`/ws/main`: who gets in, and then one loop that reads his messages. Everything told to him comes from elsewhere.

Refusals are HTTP answers to the handshake, so nothing is spent on a socket that may not stay.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from palio_kit import tracing
from palio_kit.asgi import App, Receive, Scope, Send, headers_of, problem_headers
from palio_kit.health import Health
from palio_kit.limits import Allowance, Buckets
from palio_kit.problems import CONTENT_TYPE, NotFound, Problem
from palio_websocket import metrics
from palio_websocket.domain import origin_allowed
from palio_websocket.errors import Draining, ForeignOrigin, InvalidMessage, MalformedJson, Refusal, TooManySockets
from palio_websocket.models import ClientMessage, Ping, Resync, Subscribe, Unsubscribe, read_message
from palio_websocket.protocol import EXTENSION, LiveProtocol
from palio_websocket.service import Live
from palio_websocket.settings import Settings
from palio_websocket.sockets import Socket

PATH = "/ws/main"

_TOO_MANY_RETRY_S = 5
_MESSAGES = {
    kind: metrics.MESSAGES.labels(kind.__name__.lower()) for kind in (Subscribe, Unsubscribe, Resync, Ping)
}  # fmt: skip


@dataclass(slots=True)
class Opened:
    """What the lifespan opened; sockets are refused before."""

    live: Live
    health: Health


class Entrance:
    """The layer that takes web sockets; everything else goes on to `inner`."""

    def __init__(self, inner: App, settings: Settings) -> None:
        self._inner = inner
        self._settings = settings
        self._origins = settings.allowed_origins
        self._accepts = Buckets(Allowance(settings.accepts_per_second, settings.accepts_burst))
        self.opened: Opened | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one connection."""
        if scope["type"] != "websocket":
            await self._inner(scope, receive, send)
            return
        await receive()  # websocket.connect
        try:
            live = self._admit(scope)
        except Problem as problem:
            metrics.HANDSHAKES.labels(problem.code).inc()
            await _refuse(send, problem)
            return
        metrics.HANDSHAKES.labels("accepted").inc()
        socket = self._welcome(scope, live)
        try:
            await send({"type": "websocket.accept"})
            live.sockets.add(socket)
            await _converse(live, socket, receive)
        finally:
            socket.left()

    def _admit(self, scope: Scope) -> Live:
        if scope["path"] != PATH:
            raise NotFound
        origin = headers_of(scope).get(b"origin")
        given = None if origin is None else origin.decode("latin-1")
        if not origin_allowed(given, self._origins, any_local=self._settings.any_local_origin):
            raise ForeignOrigin
        if self.opened is None or self.opened.health.draining:
            raise Draining(retry_after_s=1)
        if len(self.opened.live.sockets) >= self._settings.sockets_max:
            raise TooManySockets(retry_after_s=_TOO_MANY_RETRY_S)
        wait_s = self._accepts.take("all", time.monotonic())
        if wait_s:
            raise TooManySockets("Too many connect at once.", retry_after_s=max(1, round(wait_s)))
        return self.opened.live

    def _welcome(self, scope: Scope, live: Live) -> Socket:
        settings = self._settings
        protocol: LiveProtocol = scope["extensions"][EXTENSION]
        socket = Socket(protocol, live.sockets, time.monotonic())
        protocol.adopt(
            socket,
            high_water_bytes=settings.held_back_bytes,
            ping_interval_s=settings.ping_interval_s,
            ping_timeout_s=settings.ping_timeout_s,
            close_s=settings.close_timeout_s,
        )
        return socket


async def _converse(live: Live, socket: Socket, receive: Receive) -> None:
    """Read messages until the socket ends. Nothing is read from a client that does not read its answers."""
    settings = live.settings
    pace = Buckets(Allowance(settings.messages_per_second, settings.messages_burst))
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            return
        await _turn(pace)
        await socket.protocol.writable.wait()
        try:
            await live.handle(socket, _read(message["text"]))
        except Refusal as refusal:
            live.refuse(socket, refusal)


async def _turn(pace: Buckets) -> None:
    while True:
        wait_s = pace.take("", time.monotonic())
        if not wait_s:
            return
        await asyncio.sleep(wait_s)


def _read(text: str) -> ClientMessage:
    try:
        message: ClientMessage = read_message(text)
    except msgspec.ValidationError as error:
        metrics.MESSAGES.labels("invalid").inc()
        raise InvalidMessage from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        metrics.MESSAGES.labels("malformed").inc()
        raise MalformedJson from error
    _MESSAGES[type(message)].inc()
    return message


async def _refuse(send: Send, problem: Problem) -> None:
    headers = [(b"content-type", CONTENT_TYPE.encode()), *problem_headers(problem)]
    with suppress(OSError):
        await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": problem.body(tracing.current().trace_id)})
