"""Open sockets: what each follows, how far behind it is, and how they end. One heartbeat a second for all.

There is no task and no timer for sending: a frame goes to the transport of each socket when it is told.
"""

import asyncio
import random
from collections.abc import Iterable, Iterator

from palio_kit.callers import Caller
from palio_kit.logs import logger
from palio_websocket import frames, metrics
from palio_websocket.channels import Channel, Write, count_written
from palio_websocket.domain import Backlog, Close, Patience, drain_batch
from palio_websocket.hub import Hub
from palio_websocket.protocol import LiveProtocol

log = logger(__name__)

_NOTHING: frozenset[str] = frozenset()


class Socket:
    """One open socket. A `channels.Listener`, and the `protocol.Owner` of its connection."""

    __slots__ = ("_sockets", "backlog", "caller", "channels", "errors", "group", "is_held", "is_open", "opened_at",
                 "protocol", "write")  # fmt: skip

    def __init__(self, protocol: LiveProtocol, sockets: "Sockets", opened_at: float) -> None:
        self.protocol = protocol
        self.write: Write = protocol.transport.write
        self.channels: dict[str, Channel] = {}
        self.group = _NOTHING
        self.backlog = Backlog()
        self.is_held = False
        self.is_open = False
        self.caller: Caller | None = None
        self.errors = 0
        self.opened_at = opened_at
        self._sockets = sockets

    def reply(self, frame: bytes) -> None:
        """Write a frame meant for this socket only."""
        if self.is_open:
            count_written("reply", frame)
            self.write(frame)

    def leave_out(self, bytes_: int) -> None:
        """A frame passed it by."""
        if self.is_held:
            self.backlog.leave_out(bytes_)

    def paused(self) -> None:
        """Its buffer is full."""
        self.is_held = True
        for channel in self.channels.values():
            channel.hold(self)

    def resumed(self) -> None:
        """Its buffer is free again: newest snapshots for what it missed."""
        self.is_held = False
        self.backlog.drained()
        for channel in tuple(self.channels.values()):
            if self.is_held:
                return
            channel.release(self)

    def left(self) -> None:
        """Nothing may be written any more."""
        if self.is_open:
            self.is_open = False
            self._sockets.forget(self)

    def end(self, code: Close, reason: str = "") -> None:
        """Close it."""
        if self.is_open:
            metrics.CLOSED.labels(str(int(code))).inc()
            self.protocol.end(int(code), reason)

    def follow(self, channels: Iterable[Channel]) -> None:
        """Follow these too; each is told from its newest snapshot on."""
        entering = list(channels)
        self.channels |= {channel.name.text: channel for channel in entering}
        self._sockets.regroup(self)
        for channel in entering:
            if self.is_open:
                channel.enter(self)

    def unfollow(self, names: Iterable[str]) -> list[str]:
        """Follow these no more; answers which of them were followed."""
        gone = [channel for name in names if (channel := self.channels.pop(name, None)) is not None]
        for channel in gone:
            channel.leave(self)
        self._sockets.hub.release(gone)
        self._sockets.regroup(self)
        return [channel.name.text for channel in gone]


class Sockets:
    """All open sockets of this process."""

    def __init__(self, hub: Hub, patience: Patience) -> None:
        self.hub = hub
        self._patience = patience
        self._groups: dict[frozenset[str], set[Socket]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Socket]:  # over a copy: sockets end while one looks
        return iter([socket for group in self._groups.values() for socket in group])

    def add(self, socket: Socket) -> None:
        """It is open."""
        socket.is_open = True
        self._count += 1
        metrics.SOCKETS.set(self._count)
        self._groups.setdefault(socket.group, set()).add(socket)

    def forget(self, socket: Socket) -> None:
        """It is not any more."""
        self._count -= 1
        metrics.SOCKETS.set(self._count)
        self._leave_group(socket)
        channels = list(socket.channels.values())
        socket.channels.clear()
        for channel in channels:
            channel.leave(socket)
        self.hub.release(channels)

    def regroup(self, socket: Socket) -> None:
        """Put it beside those that follow the same channels: they share a heartbeat."""
        if socket.is_open:
            self._leave_group(socket)
            socket.group = frozenset(socket.channels)
            self._groups.setdefault(socket.group, set()).add(socket)

    def drop(self, name: str, error: bytes) -> None:
        """The channel does not exist: tell its followers, who follow it no more."""
        channel = self.hub.find(name)
        for socket in channel.listeners if channel is not None else ():
            assert isinstance(socket, Socket)
            socket.unfollow([name])
            socket.reply(error)

    def heartbeat(self, at: str) -> None:
        """Tell everybody what was told last."""
        for names, group in list(self._groups.items()):
            frame = frames.heartbeat(at, self.hub.versions(names))
            listening = [socket for socket in group if not socket.is_held]
            for socket in listening:
                socket.write(frame)
            count_written("heartbeat", frame, len(listening))

    def close_slow(self, now: float) -> None:
        """Close those who cannot keep up."""
        for socket in self:
            if socket.is_held and socket.backlog.is_too_slow(socket.protocol.buffered_bytes(), self._patience, now):
                log.info("socket_too_slow", peer=socket.protocol.address, left_out=socket.backlog.left_out_bytes)
                socket.end(Close.TOO_SLOW, "too slow")

    async def drain(self, over_s: float, every_s: float, retry_ms: tuple[int, int]) -> int:
        """Close all, a batch at a time, each told when to come back; answers how many."""
        sockets = list(self)
        batch = drain_batch(len(sockets), over_s, every_s)
        for first in range(0, len(sockets), batch):
            if first:
                await asyncio.sleep(every_s)
            for socket in sockets[first : first + batch]:
                socket.end(Close.DRAIN, f"retry_after_ms={random.randint(*retry_ms)}")  # noqa: S311 - jitter
        return len(sockets)

    def _leave_group(self, socket: Socket) -> None:
        group = self._groups[socket.group]
        group.discard(socket)
        if not group:
            del self._groups[socket.group]
