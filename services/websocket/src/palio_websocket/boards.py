"""Boards, live: a notice marks one as changed, its top is fetched, what changed is told; at most ten times a second.

One loop fetches for all boards in one call. Notices may be lost and a board may be rebuilt, so every board is asked for
once a second anyway; equal versions cost nothing but the question.
"""

import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import msgspec
from typing_extensions import override

from palio_kit.http import Peer
from palio_kit.logs import logger
from palio_kit.problems import Problem
from palio_websocket import domain, frames, metrics
from palio_websocket.alarms import Alarm
from palio_websocket.channels import Source
from palio_websocket.domain import ChannelName, Pace, Told
from palio_websocket.errors import UnknownChannel
from palio_websocket.hub import Hub, Sources
from palio_websocket.models import read_tops
from palio_websocket.sockets import Sockets

log = logger(__name__)

FAMILY_CHANNEL = "leaderboard"
"""Shows the global board, and names the boards that changed."""

_TOPS = "/internal/v1/tops"
_ROWS = 100
_BOARDS_A_CALL = 200
_BOARDS_A_NOTICE = 500
_AWAY_S = 0.5

_READ, _FAILED = metrics.BOARD_READS.labels("answered"), metrics.BOARD_READS.labels("failed")
_FRESHNESS = metrics.FRESHNESS.labels("leaderboard")


@dataclass(slots=True)
class LiveBoard(Source):
    """A board somebody follows; under two channels at most."""

    name: str
    state: domain.Board | None = None
    channels: dict[str, ChannelName] = field(default_factory=dict)
    is_void: bool = False
    """Whether it may have changed without a new version: somebody on it was erased."""
    noticed_at: float | None = None
    """Wall time of the oldest event that was not told yet."""

    @override
    def snapshot(self, name: ChannelName) -> bytes | None:
        return None if self.state is None else frames.board_snapshot(name, self.state)

    @override
    def told(self) -> tuple[str, int] | None:
        return None if self.state is None else (self.state.epoch, self.state.version)

    @property
    def question(self) -> tuple[str, int, str, int]:
        """What to ask the leaderboard service: tell only if it is not as we know it."""
        epoch, version = (None if self.is_void else self.told()) or ("", -1)
        return self.name, _ROWS, epoch, version


class Boards(Sources):
    """All boards somebody follows."""

    def __init__(self, hub: Hub, sockets: Sockets, leaderboard: Peer, *, interval_s: float, poll_s: float) -> None:
        self._hub = hub
        self._sockets = sockets
        self._leaderboard = leaderboard
        self._poll_s = poll_s
        self._boards: dict[str, LiveBoard] = {}
        self._pace = Pace(interval_s)
        self._notices = Pace(interval_s)
        self._changed: dict[str, int] = {}
        self._polls_at = 0.0
        self._alarm = Alarm()

    @override
    def open(self, name: ChannelName) -> LiveBoard:
        board_name = name.board
        assert board_name is not None
        board = self._boards.setdefault(board_name, LiveBoard(board_name))
        board.channels[name.text] = name
        if board.state is None:
            self._pace.mark(board_name, time.monotonic())
            self._alarm.ring()
        return board

    @override
    def close(self, name: ChannelName) -> None:
        board = self._boards.get(name.board or "")
        if board is None:
            return
        board.channels.pop(name.text, None)
        if not board.channels:
            del self._boards[board.name]
            self._pace.forget(board.name)

    def noticed(self, versions: Mapping[str, tuple[str, int]], at: float) -> None:
        """Boards changed, says an event of that wall time."""
        now = time.monotonic()
        for name, version in versions.items():
            board = self._boards.get(name)
            if board is None or (board.told() == tuple(version)):
                continue
            board.noticed_at = board.noticed_at or at
            self._pace.mark(name, now)
        if self._hub.find(FAMILY_CHANNEL) is not None:
            self._changed |= {name: version for name, (_, version) in versions.items()}
            self._notices.mark(FAMILY_CHANNEL, now)
        self._alarm.ring()

    def forget(self, erased: Set[str]) -> None:
        """Ask anew for the boards that name one of these users."""
        for board in self._boards.values():
            if board.state is not None and any(row.user_id in erased for row in board.state.rows):
                board.is_void = True
                self._pace.mark(board.name, time.monotonic())
        self._alarm.ring()

    def mark_all(self) -> None:
        """Ask for every board soon: something may have been missed."""
        now = time.monotonic()
        self._polls_at = now + self._poll_s
        for name in self._boards:
            self._pace.mark(name, now)
        self._alarm.ring()

    async def step(self) -> float:
        """Wait until some boards may be told, and tell them."""
        now = time.monotonic()
        waits = (self._pace.wait_s(now), self._notices.wait_s(now), max(0.0, self._polls_at - now))
        await self._alarm.sleep(min(wait_s for wait_s in waits if wait_s is not None))
        now = time.monotonic()
        if now >= self._polls_at:
            self.mark_all()
        due = [board for name in self._pace.take(now, _BOARDS_A_CALL) if (board := self._boards.get(name))]
        if due:
            await self._refresh(due)
        if self._notices.take(now):
            self._tell_changed()
        return 0.0

    async def _refresh(self, due: Sequence[LiveBoard]) -> None:
        questions = [board.question for board in due]
        for board in due:
            board.is_void = False
        try:
            answer = await self._leaderboard.call_packed(_TOPS, questions, safe_to_repeat=True)
            tops = read_tops(answer)
        except (Problem, msgspec.DecodeError) as error:
            _FAILED.inc()
            log.warning("tops_not_read", error=repr(error), boards=len(due))
            self._ask_again(due)
            return
        _READ.inc()
        for board, top in zip(due, tops, strict=True):
            if top is not None and self._boards.get(board.name) is board:
                self._learn(board, top.board())

    def _ask_again(self, boards: Sequence[LiveBoard]) -> None:
        now = time.monotonic()
        for board in boards:
            board.is_void = True
            self._pace.mark(board.name, now, not_before=now + _AWAY_S)

    def _learn(self, board: LiveBoard, state: domain.Board) -> None:
        if not state.epoch:
            self._refuse(board)
            return
        before, board.state = board.state, state
        if before == state:
            return
        is_renamed = before is not None and board.told() == (before.epoch, before.version)
        delta = None if before is None or is_renamed else domain.diff(before, state)
        for name in list(board.channels.values()):
            channel = self._hub.find(name.text)
            if channel is None:
                continue
            if delta is None:
                channel.restart()
            else:
                channel.tell(frames.board_delta(name, state.epoch, delta))
        if board.noticed_at is not None:
            _FRESHNESS.observe(max(0.0, time.time() - board.noticed_at))
            board.noticed_at = None

    def _refuse(self, board: LiveBoard) -> None:
        """No such board. Its name may begin to exist later; who still wants it then asks again."""
        for name in list(board.channels):
            metrics.ERRORS.labels(UnknownChannel.code).inc()
            self._sockets.drop(name, frames.error(UnknownChannel.code, UnknownChannel.detail, name))

    def _tell_changed(self) -> None:
        """Name the boards that changed. It stands beside the global board and does not move its version."""
        channel, changed = self._hub.find(FAMILY_CHANNEL), self._changed
        self._changed = {}
        if channel is None or (told := channel.source.told()) is None:
            return
        epoch, version = told
        named = dict(list(changed.items())[-_BOARDS_A_NOTICE:])
        event = frames.encode({"kind": "boards", "boards": named})
        channel.tell(frames.events(channel.name, epoch, Told(version, version, [event], 0)), "event")
