"""Warm connections to one place, one request in flight on each: about ten microseconds a request.

Written for a load's needs: whole requests as bytes go in, a status and the times come out, bodies are skipped over.
A request that finds no connection free waits for one, and the wait counts, because its moment has passed.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import cast

from typing_extensions import override

from palio_generator.load.schedule import Call
from palio_generator.load.targets import Place

BACKLOG_MAX = 100_000
"""Requests that may wait for a connection; one more fails at once."""
RESPONSE_BYTES_MAX = 8 * 1024 * 1024
OPENING_AT_ONCE = 64
OPEN_TIMEOUT_S = 5.0
LOOK_S = 0.1
"""How often timeouts are looked for."""

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_CHUNKED = b"transfer-encoding: chunked"
_LAST_CHUNK = b"0\r\n\r\n"
_CLOSES = b"connection: close"
_NO_BODY = frozenset({204, 304})


class Exchange:
    """One request on its way: the call, its moment on the monotonic clock, when it was written; and what it brought."""

    __slots__ = ("call", "due_at", "failure", "request", "sent_at", "status")

    def __init__(self, call: Call, request: bytes, due_at: float) -> None:
        self.call = call
        self.request = request
        self.due_at = due_at
        self.sent_at = 0.0
        self.status = 0
        self.failure = ""
        """Why there is no status: `timeout`, `connection`, `malformed`, `backlog_full`."""


Done = Callable[[Exchange, float], None]
"""Told of each exchange once, with the moment it ended."""


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self.exchange: Exchange | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its bases

    @override
    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:  # nobody asked
            self.abort()
            return
        if self._received:
            data = self._received + data
        try:
            head_end, size = _measured(data)
            status = int(data[9:12]) if size >= 0 else 0
        except ValueError:
            self._fail("malformed")
            return
        if size < 0 or len(data) < size:
            self._received = data
            if len(data) > RESPONSE_BYTES_MAX:
                self._fail("malformed")
            return
        now = time.monotonic()
        self._received = b""
        self.exchange = None
        exchange.status = status
        if _CLOSES in data[:head_end].lower():
            self.abort()
        else:
            self._pool.freed(self)
        self._pool.done(exchange, now)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._pool.lost(self)
        self._end("connection")

    def send(self, exchange: Exchange, now: float) -> None:
        """Write a request."""
        assert self._transport is not None
        self.exchange = exchange
        exchange.sent_at = now
        self._pool.written += 1
        self._transport.write(exchange.request)

    @property
    def is_open(self) -> bool:
        """Whether something may be written."""
        return self._transport is not None and not self._transport.is_closing()

    def abort(self) -> None:
        """Close it now."""
        if self._transport is not None:
            self._transport.abort()

    def expire(self, sent_before: float) -> None:
        """Give up on an exchange that was written before a moment."""
        if self.exchange is not None and self.exchange.sent_at < sent_before:
            self._fail("timeout")

    def _fail(self, failure: str) -> None:
        self._end(failure)
        self.abort()

    def _end(self, failure: str) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.failure = failure
            self._pool.done(exchange, time.monotonic())


class Pool:
    """All connections to a place; opened before the run, and again when one is lost."""

    def __init__(self, place: Place, *, size: int, timeout_s: float, done: Done) -> None:
        self._place = place
        self._size = size
        self._timeout_s = timeout_s
        self.done = done
        self._loop = asyncio.get_running_loop()
        self._free: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[Exchange] = deque()
        self._tls = ssl.create_default_context() if place.target.is_encrypted else None
        self._look: asyncio.TimerHandle | None = None
        self.backlog_max = 0
        self.written = 0

    async def open(self) -> None:
        """Open all connections.

        Raises:
            OSError, TimeoutError: the place does not take them.
        """
        gate = asyncio.Semaphore(OPENING_AT_ONCE)

        async def one() -> None:
            async with gate:
                self._free.append(await self._connected())

        async with asyncio.TaskGroup() as group:
            for _ in range(self._size):
                group.create_task(one())
        self._look = self._loop.call_later(LOOK_S, self._look_around)

    def send(self, exchange: Exchange, now: float) -> None:
        """Write a request on a free connection, or let it wait for one."""
        while self._free:
            connection = self._free.pop()
            if connection.is_open:
                connection.send(exchange, now)
                return
        if len(self._waiting) >= BACKLOG_MAX:
            exchange.failure = "backlog_full"
            self.done(exchange, now)
            return
        self._waiting.append(exchange)
        self.backlog_max = max(self.backlog_max, len(self._waiting))
        self._reopen()

    def freed(self, connection: Connection) -> None:
        """A connection has nothing to do: it takes the request that waited longest."""
        if self._waiting:
            connection.send(self._waiting.popleft(), time.monotonic())
        else:
            self._free.append(connection)

    def lost(self, connection: Connection) -> None:
        """A connection was closed."""
        self._open.discard(connection)
        if self._waiting:
            self._reopen()

    def close(self) -> None:
        """Close all."""
        if self._look is not None:
            self._look.cancel()
        for task in self._tasks:
            task.cancel()
        for connection in list(self._open):
            connection.abort()

    async def _connected(self) -> Connection:
        target = self._place.target
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), self._place.address, target.port,
                ssl=self._tls, server_hostname=target.host if self._tls else None,
            )  # fmt: skip
        self._open.add(connection)
        return connection

    def _reopen(self) -> None:
        """Replace connections that were lost, as many as wait."""
        missing = self._size - len(self._open) - self._opening
        for _ in range(min(missing, len(self._waiting), OPENING_AT_ONCE - self._opening)):
            self._opening += 1
            task = self._loop.create_task(self._open_again())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open_again(self) -> None:
        try:
            self.freed(await self._connected())
        except (OSError, TimeoutError):
            self._refuse_one()
        finally:
            self._opening -= 1

    def _refuse_one(self) -> None:
        """A connection was refused, and with it the request that waited longest: it must not wait in vain."""
        if self._waiting:
            exchange = self._waiting.popleft()
            exchange.failure = "connection"
            self.done(exchange, time.monotonic())

    def _look_around(self) -> None:
        now = time.monotonic()
        for connection in list(self._open):
            connection.expire(now - self._timeout_s)
        while self._waiting and self._waiting[0].due_at < now - self._timeout_s:
            exchange = self._waiting.popleft()
            exchange.failure = "timeout"
            self.done(exchange, now)
        if self._waiting:
            self._reopen()
        self._look = self._loop.call_later(LOOK_S, self._look_around)


def _measured(data: bytes) -> tuple[int, int]:
    """Where an answer's head ends and the answer itself; a negative size while that is not known.

    Raises:
        ValueError: it is no answer of HTTP/1.1.
    """
    head_end = data.find(_HEAD_END)
    if head_end < 0:
        return 0, -1
    if not data.startswith(b"HTTP/1.1 "):
        raise ValueError("not HTTP/1.1")
    body = head_end + len(_HEAD_END)
    start = data.find(_LENGTH, 0, head_end)
    if start < 0:
        return head_end, _unmeasured(data, head_end)
    start += len(_LENGTH)
    return head_end, body + int(data[start : data.find(b"\r", start)])


def _unmeasured(data: bytes, head_end: int) -> int:
    """The same for heads that a uvicorn does not write: other letters, chunks, no body at all."""
    head, body = data[:head_end].lower(), head_end + len(_HEAD_END)
    start = head.find(_LENGTH)
    if start >= 0:
        start += len(_LENGTH)
        return body + int((head[start:] + b"\r").partition(b"\r")[0])
    if _CHUNKED in head:
        return len(data) if data.endswith(_LAST_CHUNK) else -1
    if int(data[9:12]) in _NO_BODY:
        return body
    raise ValueError("an answer of no known length")
