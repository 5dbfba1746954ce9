"""Small parts for raw ASGI, used by middleware and hot routes: a bounded body, an answer, a header."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, MutableMapping
from functools import partial
from types import CoroutineType
from typing import Any

from palio_kit import problems, tracing
from palio_kit.problems import BodyTooLarge, Problem, RequestTimeout

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
HotHandler = Callable[[Scope, Receive, Send], Awaitable[None]]
HotRoutes = Callable[[Scope], HotHandler | None]
"""Which raw handler answers this request, if any; the handler sets `scope["palio.route"]`, the template for metrics."""

BODY_TIMEOUT_S = 10.0

JSON = b"application/json"
_PROBLEM = problems.CONTENT_TYPE.encode()


class ClientGone(Exception):
    """The client closed the connection while it was sending."""


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers by lower-case name, the first of a repeated one; collected once a request."""
    known: dict[bytes, bytes] | None = scope.get("palio.headers")
    if known is None:
        known = scope["palio.headers"] = dict(reversed(scope["headers"]))
    return known


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that lower-case name."""
    return headers_of(scope).get(name)


def body_of(scope: Scope) -> bytes:
    """The request's body, which `Bodies` has read; for hot routes, saves them from awaiting it again."""
    body: bytes = scope.get("palio.body", b"")
    return body


async def read_body(scope: Scope, receive: Receive, *, bytes_max: int, timeout_s: float = BODY_TIMEOUT_S) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: more than `bytes_max`, announced or sent.
        RequestTimeout: it did not arrive within `timeout_s`.
        ClientGone: the client left.
    """
    length = header(scope, b"content-length")
    if length is not None and int(length) > bytes_max:
        raise BodyTooLarge(f"At most {bytes_max} bytes are taken here.")
    arriving = receive()
    if isinstance(arriving, CoroutineType):
        try:
            arriving = _Begun(arriving, arriving.send(None))
        except StopIteration as arrived:  # nearly always: the body came with the head, and needs no timer
            return await _rest(arrived.value, receive, bytes_max, timeout_s)
    message = await _in_time(arriving, timeout_s)
    return await _rest(message, receive, bytes_max, timeout_s)


class _Begun:
    """A coroutine that has run up to its first wait, to be awaited for the rest of its way."""

    def __init__(self, coroutine: Coroutine[Any, Any, Message], waiting_for: Any) -> None:
        self._coroutine = coroutine
        self._waiting_for = waiting_for

    def __await__(self) -> Generator[Any, Any, Message]:
        while True:
            try:
                yield self._waiting_for
            except BaseException as error:  # cancelled: the coroutine must hear of it, as it would if it were awaited
                step = partial(self._coroutine.throw, error)
            else:
                step = partial(self._coroutine.send, None)
            try:
                self._waiting_for = step()
            except StopIteration as arrived:
                message: Message = arrived.value
                return message


async def _in_time(arriving: Awaitable[Message], timeout_s: float) -> Message:
    try:
        async with asyncio.timeout(timeout_s):
            return await arriving
    except TimeoutError as error:
        raise RequestTimeout from error


async def _rest(message: Message, receive: Receive, bytes_max: int, timeout_s: float) -> bytes:
    if message["type"] == "http.request" and not message.get("more_body"):
        return _within(message.get("body", b""), bytes_max)
    try:
        async with asyncio.timeout(timeout_s):
            return await _collected(message, receive, bytes_max)
    except TimeoutError as error:
        raise RequestTimeout from error


async def _collected(message: Message, receive: Receive, bytes_max: int) -> bytes:
    body = bytearray()
    while message["type"] == "http.request":
        body += _within(message.get("body", b""), bytes_max - len(body))
        if not message.get("more_body"):
            return bytes(body)
        message = await receive()
    raise ClientGone


def _within(chunk: bytes, bytes_max: int) -> bytes:
    if len(chunk) > bytes_max:
        raise BodyTooLarge
    return chunk


async def respond(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: bytes = JSON,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Send one complete answer."""
    fields = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def respond_problem(send: Send, problem: Problem) -> None:
    """Send a problem."""
    body = problem.body(tracing.current().trace_id)
    await respond(send, problem.status, body, content_type=_PROBLEM, headers=problem_headers(problem))


def problem_headers(problem: Problem) -> list[tuple[bytes, bytes]]:
    """The headers a problem needs besides its body, and those it brings itself (`problem.headers`)."""
    headers = [(b"cache-control", b"no-store")]
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", str(problem.retry_after_s).encode()))
    if problem.status == problems.Unauthorized.status:
        headers.append((b"www-authenticate", b"Bearer"))
    headers += [(name.encode(), value.encode()) for name, value in (problem.headers or {}).items()]
    return headers
