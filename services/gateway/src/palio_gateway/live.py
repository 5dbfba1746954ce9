"""`/ws/main`, forwarded to the websocket service so that one port serves a browser.

A frame is read from one side only when the other has taken the one before, so a slow browser slows its own upstream
connection (whose service then closes it as too slow) and no queue grows here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp

from palio_gateway import metrics
from palio_gateway.admission import Admission
from palio_gateway.settings import Settings
from palio_kit import tracing
from palio_kit.asgi import Receive, Scope, Send, headers_of
from palio_kit.logs import logger
from palio_kit.problems import CONTENT_TYPE, NotFound, Problem, Unavailable

log = logger(__name__)

PATH = "/ws/main"
UPSTREAM_BYTES_MAX = 1024 * 1024

_CONNECT_TIMEOUT_S = 3.0
_CLOSE_TIMEOUT_S = 2.0
_SEND_TIMEOUT_S = 30.0  # longer than the service's own patience of 10 s, so it is the one who says 4001
_GOING_AWAY, _ABNORMAL, _RESTART, _TOO_SLOW = 1001, 1006, 1012, 4001
_UNSENDABLE = {1004: 1001, 1005: 1000, 1006: 1001, 1015: 1001}
_SERVER_ERROR_STATUS = 500

Closing = tuple[int, str]


class TooManySockets(Unavailable):
    """All places for live sockets are taken."""

    code, title = "too_many_sockets", "Too many live sockets"


class Relay:
    """Forwards sockets; opened and closed with the service."""

    def __init__(self, settings: Settings, admission: Admission) -> None:
        self._admission = admission
        self._url = settings.websocket_url.rstrip("/").replace("http", "ws", 1) + PATH
        self._sockets_max = settings.sockets_max
        self._sockets = 0
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Hold the client that upstream sockets are made with; their number is bounded here, not by its pool."""
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            self._session = session
            yield
        self._session = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one socket from its handshake to its close."""
        try:
            await receive()  # websocket.connect
            if scope["path"] != PATH:
                raise NotFound
            self._admission.request(scope)
            if self._sockets >= self._sockets_max:
                raise TooManySockets(retry_after_s=5)
            self._sockets += 1
            try:
                await self._forward(scope, receive, send)
            finally:
                self._sockets -= 1
        except Problem as problem:
            await _refuse(send, problem)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        upstream = await self._connect(scope)
        with metrics.SOCKETS.track_inprogress():
            try:
                await send({"type": "websocket.accept"})
                await _join(upstream, receive, send)
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                        await upstream.close(code=_GOING_AWAY)

    async def _connect(self, scope: Scope) -> aiohttp.ClientWebSocketResponse:
        assert self._session is not None
        headers = {"traceparent": tracing.current().traceparent}
        origin = headers_of(scope).get(b"origin")
        if origin is not None:
            headers["origin"] = origin.decode("latin-1")
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                return await self._session.ws_connect(
                    self._url,
                    headers=headers,
                    compress=0,
                    max_msg_size=UPSTREAM_BYTES_MAX,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT_S),
                )
        except aiohttp.WSServerHandshakeError as error:
            raise _refusal(error.status) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("live_upstream_unreachable", error=repr(error))
            raise Unavailable("The live stream is away for now.") from error


async def _join(upstream: aiohttp.ClientWebSocketResponse, receive: Receive, send: Send) -> None:
    """Carry frames both ways until one side ends, then tell the other why."""
    up = asyncio.create_task(_upwards(upstream, receive))
    down = asyncio.create_task(_downwards(upstream, send))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        if up.done():
            metrics.SOCKETS_CLOSED.labels("client").inc()
            code, reason = up.result()
            await upstream.close(code=_UNSENDABLE.get(code, code), message=reason.encode())
        else:
            metrics.SOCKETS_CLOSED.labels("service").inc()
            code, reason = down.result()
            with suppress(OSError):
                await send({"type": "websocket.close", "code": code, "reason": reason})
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.wait({up, down})


async def _upwards(upstream: aiohttp.ClientWebSocketResponse, receive: Receive) -> Closing:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return message.get("code") or _GOING_AWAY, message.get("reason") or ""
        text = message.get("text")
        try:
            await (upstream.send_str(text) if text is not None else upstream.send_bytes(message["bytes"]))
        except (aiohttp.ClientError, OSError):
            await asyncio.Event().wait()  # the service is gone; the other direction knows how it went


async def _downwards(upstream: aiohttp.ClientWebSocketResponse, send: Send) -> Closing:
    while True:
        message = await upstream.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            frame = {"type": "websocket.send", "text": message.data}
        elif message.type is aiohttp.WSMsgType.BINARY:
            frame = {"type": "websocket.send", "bytes": message.data}
        else:
            return _closing(upstream, message)
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_S):
                await send(frame)
        except TimeoutError:
            return _TOO_SLOW, "too slow"
        except OSError:
            return _GOING_AWAY, ""


def _closing(upstream: aiohttp.ClientWebSocketResponse, message: aiohttp.WSMessage) -> Closing:
    """Why the service ended: what it said, or a restart if it said nothing."""
    code = upstream.close_code
    if code is None or code == _ABNORMAL or message.type is aiohttp.WSMsgType.ERROR:
        return _RESTART, ""
    return _UNSENDABLE.get(code, code), str(message.extra or "")


def _refusal(status: int) -> Problem:
    if status >= _SERVER_ERROR_STATUS:
        return Unavailable("The live stream is away for now.")
    kind = type("Refused", (Problem,), {"status": status, "code": "socket_refused", "title": "The socket was refused"})
    refusal: Problem = kind("The live stream did not accept this socket.")
    return refusal


async def _refuse(send: Send, problem: Problem) -> None:
    headers = [(b"content-type", CONTENT_TYPE.encode())]
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", str(problem.retry_after_s).encode()))
    with suppress(OSError):
        await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": problem.body(tracing.current().trace_id)})
