"""Live sockets that watch the platform: they read every frame, answer pings and come back when they are sent away."""

import asyncio
import base64
import os
import random
import ssl
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import cast

from typing_extensions import override

from palio_generator.load import frames
from palio_generator.load.frames import FrameRefused, Reader, Told
from palio_generator.load.freshness import Audience
from palio_generator.load.targets import Place

OPENING_AT_ONCE = 32
OPEN_TIMEOUT_S = 10.0
COME_BACK_MIN_S, COME_BACK_MAX_S = 0.5, 2.0
HEAD_BYTES_MAX = 16 * 1024
_REMEMBERED = 32
_SWITCHED = b"HTTP/1.1 101 "


class SocketRefused(OSError):
    """The handshake was answered with something else."""


class LiveSocket(asyncio.Protocol):
    """One socket: a handshake, a subscription, frames until one side ends it."""

    def __init__(self, crowd: "Listeners", channels: Sequence[str]) -> None:
        self._crowd = crowd
        self._channels = channels
        self._transport: asyncio.Transport | None = None
        self._head: bytearray | None = bytearray()
        self._reader = Reader()
        self._versions: dict[str, tuple[str, int]] = {}
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._crowd.handshake())

    @override
    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if self._head is not None:
            data = self._shake_hands(data)
        try:
            for opcode, payload in self._reader.feed(data):
                self._read(opcode, payload, now)
        except FrameRefused:
            self.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self.opened.done():
            self.opened.set_exception(exc or SocketRefused("closed before the handshake"))
        elif self.opened.exception() is None:  # who was refused never was one of us
            self._crowd.lost(self)

    def abort(self) -> None:
        """Close it now."""
        if self._transport is not None:
            self._transport.abort()

    def _shake_hands(self, data: bytes) -> bytes:
        """Read the handshake's answer; what came after it."""
        assert self._head is not None
        self._head += data
        head, end, rest = bytes(self._head).partition(b"\r\n\r\n")
        if not end:
            if len(head) > HEAD_BYTES_MAX:
                self.abort()
            return b""
        self._head = None
        if not head.startswith(_SWITCHED):
            if not self.opened.done():
                answer = head.partition(b"\r\n")[0].decode("latin-1")
                self.opened.set_exception(SocketRefused(f"a live socket was refused: {answer}"))
            self.abort()
            return b""
        self._write(frames.text({"type": "subscribe", "channels": self._channels}))
        self.opened.set_result(None)
        return rest

    def _read(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == frames.TEXT:
            told = self._crowd.understood(payload)
            if told is not None:
                self._follow(told)
                self._crowd.heard(told, now)
        elif opcode == frames.PING:
            self._write(frames.pong(payload))
        elif opcode == frames.CLOSE:
            self._write(frames.close())
            self.abort()

    def _follow(self, told: Told) -> None:
        """Note the version; a frame that does not build on it, or a new snapshot, means that something was missed."""
        known = self._versions.get(told.channel)
        if known is not None and known != (told.epoch, told.base):
            self._crowd.gaps += 1
        self._versions[told.channel] = (told.epoch, told.version)

    def _write(self, frame: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)


class Listeners:
    """All sockets of a runner; `audiences` by channel family hear what is told."""

    def __init__(self, place: Place, channels: Sequence[str], audiences: Mapping[str, Audience]) -> None:
        self._place = place
        self._channels = channels
        self._audiences = audiences
        self._loop = asyncio.get_running_loop()
        self._sockets: set[LiveSocket] = set()
        self._coming: set[asyncio.Task[None]] = set()
        self._understood: deque[tuple[bytes, Told | None]] = deque(maxlen=_REMEMBERED)
        self._tls = ssl.create_default_context() if place.target.is_encrypted else None
        self._random = random.Random()  # noqa: S311 - jitter
        self._is_closed = False
        self.gaps = 0
        self.lost_count = 0

    async def open(self, count: int) -> None:
        """Open so many sockets.

        Raises:
            OSError, TimeoutError: they are not let in.
        """
        gate = asyncio.Semaphore(OPENING_AT_ONCE)

        async def one() -> None:
            async with gate:
                await self._enter()

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one())

    @property
    def count(self) -> int:
        """Open sockets."""
        return len(self._sockets)

    def handshake(self) -> bytes:
        """The first bytes of a socket."""
        target = self._place.target
        key = base64.b64encode(os.urandom(16)).decode()
        return (
            f"GET {target.path or '/'} HTTP/1.1\r\nhost: {target.authority}\r\nupgrade: websocket\r\n"
            f"connection: Upgrade\r\nsec-websocket-key: {key}\r\nsec-websocket-version: 13\r\n\r\n"
        ).encode()

    def understood(self, payload: bytes) -> Told | None:
        """What a frame tells; the same bytes are read once, however many sockets bring them."""
        for known, told in self._understood:
            if len(known) == len(payload) and known == payload:
                return told
        told = frames.understood(payload)
        self._understood.append((payload, told))
        return told

    def heard(self, told: Told, at: float) -> None:
        """A socket read a frame."""
        audience = self._audiences.get(told.channel)
        if audience is not None:
            audience.heard(told, at)

    def lost(self, socket: LiveSocket) -> None:
        """A socket ended; a new one comes in its place."""
        self._sockets.discard(socket)
        if not self._is_closed:
            self.lost_count += 1
            self._come_back()

    def close(self) -> None:
        """Leave, all of them."""
        self._is_closed = True
        for task in self._coming:
            task.cancel()
        for socket in list(self._sockets):
            socket.abort()

    async def _enter(self) -> None:
        target = self._place.target
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            _, socket = await self._loop.create_connection(
                lambda: LiveSocket(self, self._channels), self._place.address, target.port,
                ssl=self._tls, server_hostname=target.host if self._tls else None,
            )  # fmt: skip
            await socket.opened
        self._sockets.add(socket)

    def _come_back(self) -> None:
        task = self._loop.create_task(self._enter_again())
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    async def _enter_again(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(COME_BACK_MIN_S, COME_BACK_MAX_S))
            try:
                await self._enter()
            except (OSError, TimeoutError):
                continue
            return
