"""What a submission does to its player's standings: on its game's board, the global one and those of tournaments.

What a player did on one board during a flush is folded into one share; `take` says what a share makes of a standing.
sql/take.sql does the same in PostgreSQL, where the row's lock is, and the tests hold the two against each other.
A standing is chosen on the whole tuple (score, reached_at), so that the order of concurrent flushes does not matter.
Structs of msgspec, not dataclasses: several are made for each submission.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

SCORE_MAX = 2**53 - 1
"""Scores are integers within ± this: what a double, and so Redis and JavaScript, holds exactly."""

TOTAL_MAX = 2**61
"""Sums stay within ± this, so that adding two of them stays a bigint."""

DELETED_PLAYER = "Deleted player"
"""How a player is called whose account was erased."""

GLOBAL_NAME = "global"
_GAME_PREFIX = "game:"
_TOURNAMENT_PREFIX = "tournament:"

_ID = struct.Struct(">QQ")
_VERSION_7 = 7 << 12
_VARIANT = 2 << 62
_RANDOM_BITS = (1 << 62) - 1


_RULES = {"sum": "s", "last": "l", "best": "", "desc": "d", "asc": "a"}


class Board(Struct, frozen=True, gc=False):
    """How one board is kept and ordered."""

    name: str
    order: str = "desc"
    keep: str = "sum"
    ties: str = "EarliestAchieved"

    @property
    def rule(self) -> str:
        """Order and keep in one letter, as rows carry it."""
        return _RULES[self.keep] or _RULES[self.order]

    @property
    def more_is_better(self) -> bool:
        """Whether a higher score stands above a lower one."""
        return self.order == "desc"


GLOBAL = Board(GLOBAL_NAME)
"""The sum of a player's bests over the games that count: kept as a sum of improvements."""


class Rules(Struct, frozen=True, gc=False):
    """What a game takes, and where it counts."""

    game_id: str
    board: Board
    score_min: int
    score_max: int
    counts_globally: bool


class Standing(Struct, frozen=True, gc=False):
    """A player's place on a board. `total` is what a sum adds up, `score` what it shows of that; 0 for others."""

    score: int
    total: int
    reached_at: datetime
    version: int
    submissions: int


class Share(Struct, frozen=True, gc=False):
    """What a player did on one board during a flush: the one score that may count, or what is added to a sum."""

    score: int
    total: int
    reached_at: datetime
    submissions: int


class RankChange(Struct, frozen=True, gc=False):
    """Where a player stands on a board, and stood before; 1-based."""

    score: int
    rank: int
    previous_rank: int | None


def game_board(game_id: str, order: str, keep: str) -> Board:
    """The board of a game."""
    return Board(f"{_GAME_PREFIX}{game_id}", order, keep)


def tournament_board(tournament_id: UUID | str, order: str, keep: str, ties: str) -> Board:
    """The board of a tournament."""
    return Board(f"{_TOURNAMENT_PREFIX}{tournament_id}", order, keep, ties)


def board_kind(name: str) -> tuple[str, str]:
    """What a board's name says: ("global" or "game" or "tournament", id); ("", "") for none of them."""
    if name == GLOBAL_NAME:
        return name, ""
    kind, _, identifier = name.partition(":")
    return (kind, identifier) if kind in ("game", "tournament") and identifier else ("", "")


def submission_id(accepted_at_us: int, random_bits: int) -> bytes:
    """A version 7 UUID (RFC 9562, with sub-millisecond precision): ids of one clock sort as their times do."""
    milliseconds, microseconds = divmod(accepted_at_us, 1000)
    high = milliseconds << 16 | _VERSION_7 | microseconds * 4096 // 1000
    return _ID.pack(high, _VARIANT | random_bits & _RANDOM_BITS)


def clamp(value: int, limit: int) -> int:
    """The nearest integer within ± `limit`."""
    return limit if value > limit else -limit if value < -limit else value


def stands_above(score: int, at: datetime, other: int, other_at: datetime, order: str) -> bool:
    """Whether the first tuple is the better one: by score, and of equal scores the one that was reached first."""
    if score == other:
        return at < other_at
    return (score > other) is (order == "desc")


def fold(board: Board, efforts: Sequence[tuple[int, datetime]]) -> Share:
    """The share of a flush's submissions, given in the order of their times."""
    score, at = efforts[-1]
    if board.keep == "sum":
        total = clamp(sum(score for score, _ in efforts), TOTAL_MAX)
        return Share(clamp(total, SCORE_MAX), total, at, len(efforts))
    if board.keep == "best":
        for other, other_at in efforts:
            if stands_above(other, other_at, score, at, board.order):
                score, at = other, other_at
    return Share(score, 0, at, len(efforts))


def take(held: Standing | None, board: Board, share: Share) -> Standing:
    """The standing after a share; its version tells whether it changed."""
    if held is None:
        return Standing(share.score, share.total, share.reached_at, 1, share.submissions)
    total = clamp(held.total + share.total, TOTAL_MAX)
    score, at = share.score, share.reached_at
    if board.keep == "sum":
        score, at = clamp(held.total + share.total, SCORE_MAX), max(at, held.reached_at)
        changes = score != held.score
    elif board.keep == "last":
        changes = at > held.reached_at
    else:
        changes = stands_above(score, at, held.score, held.reached_at, board.order)
    if not changes:
        score, at = held.score, held.reached_at
    return Standing(score, total, at, held.version + changes, held.submissions + share.submissions)


def which_count(held: Standing | None, board: Board, efforts: Sequence[tuple[int, datetime]]) -> list[bool]:
    """For each of a flush's submissions, whether it changed the standing that those before it had left."""
    counted = []
    for effort in efforts:
        after = take(held, board, fold(board, [effort]))
        counted.append(held is None or after.version != held.version)
        held = after
    return counted


class Seat(Struct, gc=False):
    """One player on one board during a flush: what was played, what stood before, what stands now, at which rank.

    A global seat has no efforts of its own, and `now` only if something improved.
    """

    board: Board
    user_id: str
    counts_globally: bool = False
    efforts: list[tuple[int, datetime]] = []
    held: Standing | None = None
    now: Standing | None = None
    changed: bool = False
    rank: RankChange | None = None

    def took(self, held: Standing | None, now: Standing) -> None:
        """This stood before the flush and that stands after it."""
        self.held, self.now = held, now
        self.changed = held is None or held.version != now.version

    def counted(self) -> list[bool]:
        """For each effort, whether it counted."""
        return [self.changed] if len(self.efforts) == 1 else which_count(self.held, self.board, self.efforts)


class Window(Struct, gc=False):
    """A tournament that a player has joined: scores in `[starts_at, ends_at)` count, but none before joining."""

    tournament_id: str
    seat: Seat
    starts_at: datetime
    ends_at: datetime
    joined_at: datetime

    def takes(self, at: datetime) -> bool:
        """Whether a score accepted then counts."""
        return self.starts_at <= at < self.ends_at and self.joined_at <= at


class Place(Struct, gc=False):
    """All seats that a player's submissions to one game may change."""

    game: Seat
    overall: Seat | None
    windows: list[Window]

    def tournaments(self, at: datetime) -> dict[str, Seat]:
        """The seats of the tournaments that a score accepted then counts for."""
        if not self.windows:
            return _NO_SEATS
        return {window.tournament_id: window.seat for window in self.windows if window.takes(at)}


_NO_SEATS: dict[str, Seat] = {}


class Sheet:
    """Everybody's seats in one flush."""

    def __init__(self, plays: Iterable[tuple[Rules, str]]) -> None:
        self.seats: dict[tuple[str, str], Seat] = {}
        self.places: dict[tuple[str, str], Place] = {}
        self.overall: dict[str, Seat] = {}
        for rules, user_id in plays:
            pair = (rules.game_id, user_id)
            if pair not in self.places:
                overall = self._overall(user_id) if rules.counts_globally else None
                seat = self.seat(rules.board, user_id, counts_globally=rules.counts_globally)
                self.places[pair] = Place(seat, overall, [])

    def seat(self, board: Board, user_id: str, *, counts_globally: bool = False) -> Seat:
        """The one seat of that player on that board, which is not the global one."""
        key = (board.name, user_id)
        seat = self.seats.get(key)
        if seat is None:
            seat = self.seats[key] = Seat(board, user_id, counts_globally)
        return seat

    def played(self) -> list[Seat]:
        """Seats of games and tournaments on which something was played."""
        return [seat for seat in self.seats.values() if seat.efforts]

    def changed(self) -> list[Seat]:
        """All seats whose standing changed."""
        return [seat for seat in (*self.seats.values(), *self.overall.values()) if seat.changed]

    def _overall(self, user_id: str) -> Seat:
        seat = self.overall.get(user_id)
        if seat is None:
            seat = self.overall[user_id] = Seat(GLOBAL, user_id)
        return seat


_STEPS = tuple(timedelta(microseconds=index) for index in range(1024))
_SECOND_US = 1_000_000


def acceptance_times(first: datetime, count: int) -> Sequence[datetime]:
    """One time for each submission of a flush, a microsecond apart, so that their order is told by their times."""
    if count <= len(_STEPS):
        return [first + step for step in _STEPS[:count]]
    return [first + timedelta(microseconds=index) for index in range(count)]


def written(times: Sequence[datetime]) -> list[str]:
    """Times in UTC as we send them; those of one flush nearly always share their second, which is written once."""
    first_us = times[0].microsecond
    if first_us + len(times) <= _SECOND_US:
        second = times[0].isoformat(timespec="seconds")[:-6]
        return [f"{second}.{microsecond:06d}Z" for microsecond in range(first_us, first_us + len(times))]
    return [f"{time.isoformat(timespec='microseconds')[:-6]}Z" for time in times]
