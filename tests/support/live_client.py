"""A client of the live protocol that follows docs/api/live.md to the letter and counts what it had to do."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import websockets

Row = dict[str, Any]


@dataclass
class Follower:
    """Follows one board over reconnects; `rows` is what it shows."""

    url: str
    channel: str
    epoch: str = ""
    version: int = -1
    rows: dict[str, Row] = field(default_factory=dict)
    frames: int = 0
    resyncs: int = 0
    connects: int = 0
    heartbeats: int = 0
    _asked: bool = False

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                async with websockets.connect(self.url, compression=None, open_timeout=3, close_timeout=1) as socket:
                    self.connects += 1
                    await self._follow(socket)
            except (OSError, TimeoutError, websockets.WebSocketException):
                await asyncio.sleep(0.2)

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
        if frame.get("channel") != self.channel:
            return True
        if frame["type"] == "snapshot":
            self._asked = False
            self.rows = {row["user_id"]: row for row in frame["rows"]}
        elif frame["type"] == "delta":
            if frame["epoch"] != self.epoch or frame["base"] != self.version:
                return False
            for user_id in frame["removed"]:
                self.rows.pop(user_id, None)
            self.rows |= {row["user_id"]: row for row in frame["rows"]}
        self.frames += 1
        self.epoch, self.version = frame["epoch"], frame["version"]
        return True

    def order(self) -> list[tuple[int, str, int]]:
        """What is shown: rank, user id, score."""
        return sorted((row["rank"], row["user_id"], row["score"]) for row in self.rows.values())
