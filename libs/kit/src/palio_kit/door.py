"""The door of every service: what a connection may do before its bytes are a request.

Uvicorn's protocol puts no bound on a head, waits for ever for its end, and takes every connection. Here all three
have one. The decision worth knowing: `_unread` counts what came since the parser last handed on something whole
(a head, a piece of a body), so one number bounds heads, trailers and chunk framing, and a request that comes in one
read, as nearly all do, costs an addition and needs no timer.
"""

import asyncio
from typing import Any

from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from palio_kit import problems, tracing
from palio_kit.asgi import problem_headers
from palio_kit.problems import HeadersTooLarge, MalformedRequest, Problem, RequestTimeout, TooManyConnections

HEAD_BYTES_MAX = 64 * 1024
URL_BYTES_MAX = 8 * 1024
HEADERS_MAX = 100
HEAD_TIMEOUT_S = 10.0

LINGER_S = 5.0  # how long a refused client may take to read why
DISCARD_BYTES_MAX = 16 * 1024 * 1024  # what it may still send meanwhile; nobody keeps it
LINGERING_MAX = 1000  # refused clients waited for at once; more are cut off

_LINE_BYTES = 4  # a header's colon, space and line end


class Door:
    """Who is inside, for one server. Web sockets have left: uvicorn counts them, their service bounds them."""

    def __init__(self, connections_max: int) -> None:
        self.connections_max = connections_max
        self.leaving = False
        self.open: set[DoorProtocol] = set()
        self.lingering: set[DoorProtocol] = set()

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> "DoorProtocol":
        """A protocol for the next connection; what uvicorn calls."""
        return DoorProtocol(self, config, server_state, app_state, _loop)

    def leave(self) -> None:
        """From now on every answer that has not begun is the last one of its connection, and says so.

        A connection is never closed under a client that may be writing to it: that client could not tell whether its
        request was read. Those that are idle stay open until the server shuts down; a client that keeps idle ones for
        a shorter time than that (`http.IDLE_S`) never meets a closed one.
        """
        self.leaving = True
        for protocol in self.open:
            protocol.part()


class DoorProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        door: Door,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._door = door
        self._unread = 0
        self._refused = False
        self._discarded = 0
        self._late: asyncio.TimerHandle | None = None
        self._too_large = False

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if len(self._door.open) >= self._door.connections_max:
            self._refuse(TooManyConnections())
            return
        self._door.open.add(self)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._door.lingering.discard(self)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._discard(len(data))
            return
        self._unread += len(data)
        super().data_received(data)
        if self._unread or self._owed() is None:
            self._watch()

    @override
    def on_headers_complete(self) -> None:
        if self._unread > HEAD_BYTES_MAX or len(self.headers) > HEADERS_MAX or len(self.url) > URL_BYTES_MAX:
            self._check_head()
        self._unread = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
        super().on_headers_complete()
        if self._door.leaving:
            self.part()

    @override
    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def part(self) -> None:
        """Close after the answer that is owed, unless it was promised already that the connection stays."""
        cycle = self._owed()
        if cycle is not None and not cycle.response_started:
            cycle.keep_alive = False

    def on_chunk_complete(self) -> None:
        """The parser also says this after the trailers, which are the end of a chunked body."""
        self._unread = 0

    @override
    def handle_websocket_upgrade(self) -> None:
        self._leave()
        super().handle_websocket_upgrade()

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(HeadersTooLarge() if self._too_large else MalformedRequest())

    def _owed(self) -> RequestResponseCycle | None:
        """The last request whose head came whole, unless it has been answered."""
        cycle: Any = self.cycle  # None before the first, which uvicorn's type leaves out
        return None if cycle is None or cycle.response_complete else cycle

    def _check_head(self) -> None:
        """The bytes read may have brought a body too, so measure the head itself.

        Raises:
            HeadersTooLarge: uvicorn hears of it as of any refusal of the parser, by `send_400_response`.
        """
        head_bytes = len(self.url) + sum(len(name) + len(value) + _LINE_BYTES for name, value in self.headers)
        if head_bytes > HEAD_BYTES_MAX or len(self.headers) > HEADERS_MAX or len(self.url) > URL_BYTES_MAX:
            self._too_large = True
            raise HeadersTooLarge

    def _watch(self) -> None:
        """After bytes that made nothing whole, or that nobody waits for: they may not be many, nor take long."""
        if self not in self._door.open:
            return
        if self._unread > HEAD_BYTES_MAX:
            self._refuse(HeadersTooLarge())
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_TIMEOUT_S, self._too_late)

    def _too_late(self) -> None:
        self._late = None
        if self._owed() is not None:
            return  # a body on its way is the app's to wait for; the head behind it is watched from its next byte
        if self._unread:
            self._refuse(RequestTimeout("The request's head did not arrive in time."))
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Say why, and close; never in front of an answer that is still owed."""
        self._refused = True
        self._leave()
        cycle = self._owed()
        if cycle is not None:
            if self.pipeline or cycle.response_started or not cycle.more_body:
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(_rendered(problem))
        self._linger()

    def _linger(self) -> None:
        """Throw away what the peer still sends until it has read why.

        A TCP socket closed over unread bytes is reset, and a reset overtakes the answer on its way.
        """
        if len(self._door.lingering) >= LINGERING_MAX:
            self.transport.abort()
            return
        self._door.lingering.add(self)
        self.transport.write_eof()
        self.flow.resume_reading()
        self._late = self.loop.call_later(LINGER_S, self.transport.abort)

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > DISCARD_BYTES_MAX:
            self.transport.abort()

    def _leave(self) -> None:
        self._door.open.discard(self)
        if self._late is not None:
            self._late.cancel()
            self._late = None


def _rendered(problem: Problem) -> bytes:
    body = problem.body(tracing.continue_or_start(None).trace_id)
    fields = [
        (b"content-type", problems.CONTENT_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *problem_headers(problem),
    ]
    return b"".join([STATUS_LINE[problem.status], *(b"%s: %s\r\n" % field for field in fields), b"\r\n", body])
