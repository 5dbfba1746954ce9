"""Who hears a channel, and in which state he is: one frame is written to all who are ready.

A socket whose buffer is full is `held`; when a frame passes it by, it is `behind` until it got the newest snapshot.
Subscribing, a resync, a new epoch and a drained buffer are all the same: one is behind and is caught up.
"""

from collections.abc import Callable
from typing import Protocol

from palio_websocket import metrics
from palio_websocket.domain import ChannelName

Write = Callable[[bytes], None]

_FRAMES = {kind: metrics.FRAMES.labels(kind) for kind in ("snapshot", "delta", "event", "heartbeat", "reply")}


class Listener(Protocol):
    """A socket, as a channel sees it."""

    @property
    def write(self) -> Write:
        """Puts a frame on its way at once."""

    @property
    def is_held(self) -> bool:
        """Whether its buffer is full."""

    def leave_out(self, bytes_: int) -> None:
        """A frame passed it by."""


class Source(Protocol):
    """What a channel tells."""

    def snapshot(self, name: ChannelName) -> bytes | None:
        """The frame that shows what was told last; None while that is not known."""

    def told(self) -> tuple[str, int] | None:
        """Epoch and version of what was told last."""


class Channel:
    """One channel and its listeners."""

    def __init__(self, name: ChannelName, source: Source) -> None:
        self.name = name
        self.source = source
        self._ready: dict[Listener, Write] = {}
        self._held: set[Listener] = set()
        self._behind: set[Listener] = set()
        self._snapshot: tuple[tuple[str, int] | None, bytes] | None = None

    @property
    def listeners(self) -> list[Listener]:
        """All of them."""
        return [*self._ready, *self._held, *self._behind]

    @property
    def is_empty(self) -> bool:
        """Whether nobody listens."""
        return not (self._ready or self._held or self._behind)

    def enter(self, listener: Listener) -> None:
        """Let it follow; also for one that asks for a new snapshot."""
        self._ready.pop(listener, None)
        self._held.discard(listener)
        self._behind.add(listener)
        self._catch_up(listener)

    def leave(self, listener: Listener) -> None:
        """It is gone."""
        self._ready.pop(listener, None)
        self._held.discard(listener)
        self._behind.discard(listener)

    def hold(self, listener: Listener) -> None:
        """Its buffer is full: write nothing, and remember whether it misses something."""
        if self._ready.pop(listener, None) is not None:
            self._held.add(listener)

    def release(self, listener: Listener) -> None:
        """Its buffer is free again."""
        if listener in self._held:
            self._held.discard(listener)
            self._ready[listener] = listener.write
        elif listener in self._behind:
            self._catch_up(listener)

    def tell(self, frame: bytes, kind: str = "delta") -> None:
        """Write a frame to all who are ready for it."""
        self._behind |= self._held
        self._held.clear()
        ready = tuple(self._ready.values())  # writing may fill a buffer, which changes the dictionary
        for write in ready:
            write(frame)
        _count(kind, len(ready), len(frame))
        for listener in self._behind:
            listener.leave_out(len(frame))
        metrics.LEFT_OUT.inc(len(self._behind))

    def restart(self) -> None:
        """What was told is void: everybody gets a snapshot."""
        self._snapshot = None
        self._behind.update(self._ready, self._held)
        self._ready.clear()
        self._held.clear()
        self.catch_up()

    def catch_up(self) -> None:
        """Give the newest snapshot to those behind, as far as it is known and they can take it."""
        for listener in tuple(self._behind):
            self._catch_up(listener)

    def _catch_up(self, listener: Listener) -> None:
        frame = None if listener.is_held else self._newest()
        if frame is None:
            return
        self._behind.discard(listener)
        self._ready[listener] = listener.write
        _count("snapshot", 1, len(frame))
        listener.write(frame)

    def _newest(self) -> bytes | None:
        told = self.source.told()
        if self._snapshot is not None and self._snapshot[0] == told:
            return self._snapshot[1]
        frame = self.source.snapshot(self.name)
        self._snapshot = None if frame is None else (told, frame)
        return frame


def _count(kind: str, frames: int, bytes_each: int) -> None:
    _FRAMES[kind].inc(frames)
    metrics.BYTES.inc(frames * bytes_each)


def count_written(kind: str, frame: bytes, frames: int = 1) -> None:
    """Note frames that were written beside channels."""
    _count(kind, frames, len(frame))
