"""The rules of the live stream: channels, what changed on a board, numbered events, who is too slow. Pure.

The one decision worth knowing: versions are those that were *told*. What happened but was not sent yet has no number,
so a snapshot and the frame after it always fit together.
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Literal

import msgspec

Family = Literal["leaderboard", "score", "tournament", "game", "player", "loadtest"]

EVENTS_MAX = 50
"""Events kept of a feed, and at most in one frame."""

FRAME_BYTES_MAX = 64 * 1024
"""The largest frame either side may send."""

EVENTS_BYTES_MAX = 60_000
"""The largest sum of events in one frame, so that it stays a frame with what is around them."""

_CHANNEL_CHARS_MAX = 80
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?").fullmatch
_LOCAL_ORIGIN = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?").fullmatch


@dataclass(frozen=True, slots=True)
class ChannelName:
    """A channel that may exist: its family, and what of it (a board, a tournament, a player, a run, or nothing)."""

    text: str
    family: Family
    key: str = ""

    @property
    def board(self) -> str | None:
        """The board it shows, if it shows one."""
        return (self.key or "global") if self.family == "leaderboard" else None

    @property
    def is_private(self) -> bool:
        """Whether only its player may read it."""
        return self.family == "player"


def parse_channel(text: str) -> ChannelName | None:
    """The channel of that name; None if there can be none."""
    if len(text) > _CHANNEL_CHARS_MAX:
        return None
    family, colon, key = text.partition(":")
    if family == "leaderboard":
        return ChannelName(text, "leaderboard", key) if not colon or is_board(key) else None
    if family == "tournament":
        return ChannelName(text, "tournament", key) if not colon or _UUID(key) else None
    if family in ("player", "loadtest"):
        return ChannelName(text, "player" if family == "player" else "loadtest", key) if _UUID(key) else None
    if family in ("score", "game") and not colon:
        return ChannelName(text, "score" if family == "score" else "game")
    return None


def is_board(name: str) -> bool:
    """Whether a board may have this name; whether it exists is another question."""
    family, colon, key = name.partition(":")
    if family == "global":
        return not colon
    return bool((_SLUG if family == "game" else _UUID)(key)) if family in ("game", "tournament") else False


class Row(msgspec.Struct, frozen=True, gc=False):
    """One line of a board, as it is told."""

    rank: int
    user_id: str
    username: str
    score: int
    reached_at: str


@dataclass(frozen=True, slots=True)
class Board:
    """The first rows of a board at one version of one history."""

    epoch: str
    version: int
    order: str
    tie_break: str
    total: int
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Delta:
    """What turns the board at `base` into the one at `version`; `removed` are user ids."""

    base: int
    version: int
    total: int
    rows: Sequence[Row]
    removed: Sequence[str]


def diff(old: Board, new: Board) -> Delta | None:
    """How `new` follows from `old`; None if it does not: another history, or an earlier version of this one."""
    if new.epoch != old.epoch or new.version < old.version:
        return None
    before = {row.user_id: row for row in old.rows}
    changed = [row for row in new.rows if before.pop(row.user_id, None) != row]
    return Delta(old.version, new.version, new.total, changed, list(before))


def apply(board: Board, delta: Delta) -> Board | None:
    """The board after a delta, as a client computes it; None if the delta builds on another version."""
    if delta.base != board.version:
        return None
    rows = {row.user_id: row for row in board.rows}
    for user_id in delta.removed:
        rows.pop(user_id, None)
    rows |= {row.user_id: row for row in delta.rows}
    ordered = sorted(rows.values(), key=lambda row: (row.rank, row.reached_at, row.user_id))
    return Board(board.epoch, delta.version, board.order, board.tie_break, delta.total, ordered)


@dataclass(frozen=True, slots=True)
class Told:
    """One frame of events: `version - base` of them happened, `skipped` were left out."""

    base: int
    version: int
    events: Sequence[bytes]
    skipped: int


@dataclass(slots=True)
class Ring:
    """The last events of a feed (as JSON), numbered from 1 within an epoch; what is not told yet has no number."""

    epoch: str
    version: int = 0
    _told: deque[bytes] = field(default_factory=lambda: deque(maxlen=EVENTS_MAX))
    _untold: deque[bytes] = field(default_factory=lambda: deque(maxlen=EVENTS_MAX))
    _untold_count: int = 0

    def add(self, event: bytes) -> None:
        """Something happened."""
        self._untold.append(event)
        self._untold_count += 1

    def tell(self) -> Told | None:
        """The next frame; None if nothing happened since the last one."""
        if not self._untold_count:
            return None
        events = newest_within(self._untold, EVENTS_BYTES_MAX)
        base, self.version = self.version, self.version + self._untold_count
        told = Told(base, self.version, events, self._untold_count - len(events))
        self._told.extend(events)
        self._forget_untold()
        return told

    def events(self, bytes_max: int = EVENTS_BYTES_MAX) -> Sequence[bytes]:
        """What was told of late, newest last."""
        return newest_within(self._told, bytes_max)

    def all(self) -> list[bytes]:
        """What was told of late and what waits to be, newest last."""
        return [*self.events(), *self._untold]

    def restart(self, epoch: str, events: Iterable[bytes] | None = None) -> None:
        """Begin another history with these events, or with those at hand: some may have been lost."""
        kept = [*self._told, *self._untold] if events is None else list(events)
        self.epoch, self.version = epoch, 0
        self._told = deque(kept, maxlen=EVENTS_MAX)
        self._forget_untold()

    def _forget_untold(self) -> None:
        self._untold.clear()
        self._untold_count = 0


def newest_within(events: Iterable[bytes], bytes_max: int) -> Sequence[bytes]:
    """The newest (last) events whose sum of bytes, with a comma each, is within `bytes_max`."""
    kept: list[bytes] = []
    for event in reversed(list(events)):
        bytes_max -= len(event) + 1
        if bytes_max < 0:
            break
        kept.append(event)
    return kept[::-1]


class Pace:
    """When each name may speak: at once after `interval_s` of silence, else when that is over (time comes in)."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._spoke_at: dict[str, float] = {}
        self._due_at: dict[str, float] = {}

    def mark(self, name: str, now: float, *, not_before: float = 0.0) -> None:
        """It has something to say."""
        spoke_at = self._spoke_at.get(name)
        due_at = now if spoke_at is None else max(now, spoke_at + self._interval_s)
        self._due_at.setdefault(name, max(due_at, not_before))

    def take(self, now: float, count_max: int = 1_000_000) -> list[str]:
        """Who may speak now; they are taken to have spoken."""
        due = [name for name, due_at in self._due_at.items() if due_at <= now][:count_max]
        for name in due:
            due_at = self._due_at.pop(name)
            # Who is a little late keeps his beat, or his lateness would be handed on from frame to frame.
            self._spoke_at[name] = due_at if now - due_at < self._interval_s else now
        return due

    def wait_s(self, now: float) -> float | None:
        """How long until the next one may speak; None if nobody wants to."""
        return max(0.0, min(self._due_at.values()) - now) if self._due_at else None

    def forget(self, name: str) -> None:
        """It is gone."""
        self._spoke_at.pop(name, None)
        self._due_at.pop(name, None)


@dataclass(frozen=True, slots=True)
class Patience:
    """How much may be owed to a reader, and for how long."""

    unsent_bytes_max: int
    slow_s: float


@dataclass(slots=True)
class Backlog:
    """What a socket could not take: bytes that were left out while its buffer was full."""

    left_out_bytes: int = 0
    _over_since: float | None = None

    def leave_out(self, bytes_: int) -> None:
        """A frame was not written."""
        self.left_out_bytes += bytes_

    def drained(self) -> None:
        """The buffer is free again; the newest snapshots make up for what was left out."""
        self.left_out_bytes = 0
        self._over_since = None

    def is_too_slow(self, buffered_bytes: int, patience: Patience, now: float) -> bool:
        """Whether more than the bound has been owed for longer than the bound."""
        if buffered_bytes + self.left_out_bytes <= patience.unsent_bytes_max:
            self._over_since = None
            return False
        if self._over_since is None:
            self._over_since = now
        return now - self._over_since >= patience.slow_s


class Close(IntEnum):
    """Why a socket ends."""

    GOING_AWAY = 1001
    MALFORMED = 1002
    NOT_TEXT = 1007
    TOO_BIG = 1009
    RESTART = 1012
    TOO_MANY = 1013
    DRAIN = 4000
    TOO_SLOW = 4001
    SILENT = 4002
    MISUSE = 4500
    UNAUTHORIZED = 4501
    FOREIGN_ORIGIN = 4503


class Reconnect(Enum):
    """What a client does after a close."""

    WITH_JITTER = "reconnect with a growing, jittered delay"
    AFTER_5_S = "reconnect after 5 s with jitter"
    WHEN_TOLD = "reconnect after the `retry_after_ms` of the reason"
    WITH_LESS = "reconnect and subscribe to less"
    NEVER = "do not reconnect"


_RECONNECT = {
    Close.TOO_BIG: Reconnect.NEVER,
    Close.TOO_MANY: Reconnect.AFTER_5_S,
    Close.DRAIN: Reconnect.WHEN_TOLD,
    Close.TOO_SLOW: Reconnect.WITH_LESS,
}
_NEVER_FROM, _NEVER_TO = 4500, 4999


def reconnect_after(code: int) -> Reconnect:
    """The policy of a close code: 4000-4499 are worth a reconnect, 4500-4999 are not."""
    if _NEVER_FROM <= code <= _NEVER_TO:
        return Reconnect.NEVER
    return _RECONNECT.get(code, Reconnect.WITH_JITTER)  # type: ignore[call-overload,no-any-return]  # an int is a key


def origin_allowed(origin: str | None, allowed: frozenset[str], *, any_local: bool) -> bool:
    """Whether a page of that origin may connect; without an Origin it is no browser's page."""
    if origin is None:
        return True
    known = origin.lower()
    return known in allowed or (any_local and _LOCAL_ORIGIN(known) is not None)


def drain_batch(sockets: int, over_s: float, every_s: float) -> int:
    """How many sockets to close each `every_s`, so that all are closed within `over_s`."""
    rounds = max(1, int(over_s / every_s))
    return max(1, -(-sockets // rounds))
