"""A client of the live protocol that follows docs/api/live.md to the letter and counts what it had to do."""

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import websockets

Row = dict[str, Any]

_JITTER_S = 0.5
_DRAIN, _WORTH_A_RECONNECT_BELOW = 4000, 4500


@dataclass
class Follower:
    """Follows one channel over reconnects; `rows` is what it shows of a board, `tournament` of a tournament."""

    url: str
    channel: str
    epoch: str = ""
    version: int = -1
    rows: dict[str, Row] = field(default_factory=dict, repr=False)
    tournament: Row = field(default_factory=dict, repr=False)
    frames: int = 0
    resyncs: int = 0
    connects: int = 0
    heartbeats: int = 0
    goodbyes: Counter[int] = field(default_factory=Counter)
    """How often it was told to go, by close code."""
    steps_back: int = 0
    """Snapshots that were older than what had been shown."""
    _asked: bool = False

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            pause_s = random.uniform(0, _JITTER_S)
            try:
                async with websockets.connect(self.url, compression=None, open_timeout=3, close_timeout=1) as socket:
                    self.connects += 1
                    await self._follow(socket)
            except websockets.ConnectionClosed as closed:
                pause_s = self._part(closed, pause_s)
            except (OSError, TimeoutError, websockets.WebSocketException):
                pass
            await asyncio.sleep(pause_s)

    def _part(self, closed: websockets.ConnectionClosed, pause_s: float) -> float:
        """Note how the socket ended; how long to stay away."""
        if closed.rcvd is None:
            return pause_s
        self.goodbyes[closed.rcvd.code] += 1
        assert closed.rcvd.code < _WORTH_A_RECONNECT_BELOW, closed
        if closed.rcvd.code == _DRAIN:
            return int(closed.rcvd.reason.removeprefix("retry_after_ms=")) / 1000
        return pause_s

    async def _follow(self, socket: websockets.ClientConnection) -> None:
        await socket.send(json.dumps({"type": "subscribe", "channels": [self.channel]}))
        self._asked = True
        while True:
            frame = json.loads(await asyncio.wait_for(socket.recv(), 3))
            if not self._apply(frame) and not self._asked:
                self._asked = True
                self.resyncs += 1
                await socket.send(json.dumps({"type": "resync", "channel": self.channel}))

    def _apply(self, frame: Row) -> bool:
        """Apply one frame; False if something was missed before it."""
        if frame["type"] == "heartbeat":
            self.heartbeats += 1
            epoch, version = frame["versions"].get(self.channel, [self.epoch, self.version])
            return bool(epoch == self.epoch and version <= self.version)
        if frame.get("channel") != self.channel or "version" not in frame:
            return True
        if frame["type"] == "snapshot":
            self._asked = False
            self.steps_back += frame["epoch"] == self.epoch and frame["version"] < self.version
            self._show(frame)
        elif frame["epoch"] != self.epoch or frame["base"] != self.version:
            return False
        elif frame["type"] == "delta":
            self._change(frame)
        else:
            self._hear(frame["events"])
        self.frames += 1
        self.epoch, self.version = frame["epoch"], frame["version"]
        return True

    def _show(self, snapshot: Row) -> None:
        self.rows = {row["user_id"]: row for row in snapshot.get("rows", [])}
        self.tournament = snapshot.get("tournament") or {}

    def _change(self, delta: Row) -> None:
        for user_id in delta["removed"]:
            self.rows.pop(user_id, None)
        self.rows |= {row["user_id"]: row for row in delta["rows"]}

    def _hear(self, events: Sequence[Row]) -> None:
        for event in events:
            self.tournament = event.get("tournament") or self.tournament

    def order(self) -> list[tuple[int, str, int]]:
        """What is shown: rank, user id, score."""
        return sorted((row["rank"], row["user_id"], row["score"]) for row in self.rows.values())


@contextmanager
def following(followers: Sequence[Follower]) -> Iterator[None]:
    """They follow, in a thread, while the block runs.

    Raises:
        ExceptionGroup: one was told what docs/api/live.md has no way back from.
    """
    loop = asyncio.new_event_loop()
    failures: list[ExceptionGroup] = []
    running = loop.create_task(_run_all(followers))

    def run() -> None:
        try:
            loop.run_until_complete(running)
        except asyncio.CancelledError:
            pass
        except ExceptionGroup as group:
            failures.append(group)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join(10)
        loop.close()
    for failure in failures:
        raise failure


async def _run_all(followers: Sequence[Follower]) -> None:
    async with asyncio.TaskGroup() as group:
        for follower in followers:
            group.create_task(follower.run())
