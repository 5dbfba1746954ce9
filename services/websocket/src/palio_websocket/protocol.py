"""Uvicorn's web socket protocol with a back door: prepared frames go to the transport as they are.

The transport's own buffer is the queue of a socket, and its high-water mark (64 KiB, set by the settings) is the bound:
above it the owner is told to hold frames back, below its quarter to go on. Nothing here awaits, no task sends.
"""

import asyncio
import logging
from typing import Any, Protocol

from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

from palio_websocket.domain import Close

EXTENSION = "palio.live"
"""Where the app finds the protocol of its socket: `scope["extensions"][EXTENSION]`."""

_ABANDON_S = 5.0

_logger = logging.getLogger("palio_websocket.protocol")
_logger.setLevel(logging.WARNING)  # uvicorn logs each handshake with its query, where a client may have put a token


class Owner(Protocol):
    """Who is told what becomes of a socket."""

    def paused(self) -> None:
        """The buffer is full."""

    def resumed(self) -> None:
        """The buffer is as good as empty again."""

    def left(self) -> None:
        """Nothing may be written any more (told at least once, maybe more often)."""


class LiveProtocol(WebSocketsSansIOProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = self.conn.logger = _logger
        self.conn.debug = False
        self.owner: Owner | None = None
        self.abandon_timer: asyncio.TimerHandle | None = None

    def adopt(
        self, owner: Owner, *, high_water_bytes: int, ping_interval_s: float, ping_timeout_s: float, close_s: float
    ) -> None:
        """Tell `owner` of everything from now on; before the handshake is accepted, which starts the pings."""
        self.owner = owner
        self.ping_interval = ping_interval_s
        self.ping_timeout = ping_timeout_s
        self.close_timeout = close_s
        self.transport.set_write_buffer_limits(high=high_water_bytes)

    @property
    def address(self) -> str:
        """The peer's."""
        return self.client[0] if self.client else ""

    def buffered_bytes(self) -> int:
        """What the kernel did not take yet."""
        return self.transport.get_write_buffer_size()

    def end(self, code: int, reason: str = "") -> None:
        """Close with this code; a peer that does not answer in time is cut off. Once is enough."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self._say_goodbye(code, reason)

    @override
    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[EXTENSION] = self
        await super().run_asgi()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        if self.owner is not None:
            self.owner.paused()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if self.owner is not None:
            self.owner.resumed()

    @override
    def handle_bytes(self, event: Frame) -> None:
        self.end(Close.MISUSE, "binary frames are not taken")

    @override
    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(self.frames):
            self.frames = []
            self.end(Close.NOT_TEXT, "not UTF-8")  # uvicorn would log a traceback for each
            return
        super().send_receive_event_to_app()

    @override
    def handle_ping(self) -> None:
        """Answer, unless the peer sends pings and reads nothing: pongs must not pile up."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)

    @override
    def keepalive_timeout(self) -> None:
        self.pong_timer = None
        self.pending_ping_payload = None
        self.end(Close.SILENT, "no pong")

    @override
    def handle_close(self, event: Frame) -> None:
        self._leave()
        super().handle_close(event)

    @override
    def handle_parser_exception(self) -> None:
        """Close, but throw away what the peer still sends until it has read why.

        A TCP socket closed over unread bytes is reset, and a reset overtakes the close frame on its way.
        """
        if self.close_sent:
            return
        closing = self.conn.close_sent
        assert closing is not None
        self._say_goodbye(closing.code, closing.reason)
        self.transport.write_eof()

    @override
    def shutdown(self) -> None:
        self._leave()
        super().shutdown()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        if self.abandon_timer is not None:
            self.abandon_timer.cancel()
            self.abandon_timer = None
        super().connection_lost(exc)
        self.owner = None

    def _say_goodbye(self, code: int, reason: str) -> None:
        """Send the close frame that is prepared, and read on for the peer's, for as long as `close_timeout`."""
        self._leave()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def _leave(self) -> None:
        """Write no more, and do not wait for ever until the peer has read what was written."""
        if self.owner is not None:
            self.owner.left()
        if self.abandon_timer is None and not self.disconnected:
            self.abandon_timer = self.loop.call_later(self.close_timeout + _ABANDON_S, self.transport.abort)


def _is_text(fragments: list[bytes]) -> bool:
    try:
        b"".join(fragments).decode()
    except UnicodeDecodeError:
        return False
    return True
