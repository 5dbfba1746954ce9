"""How a board is read: its names, its order, ranks with ties, pages and the window around a player. Pure.

The one decision worth knowing: a score is turned into a *place* (`-score` where more is better), so every rule and
statement knows one direction only: a smaller place is better, then the earlier time, then the smaller id.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, NamedTuple
from uuid import UUID

from palio_kit import paging
from palio_kit.paging import BadCursor
from palio_kit.wire import SAFE_INTEGER_MAX

Order = Literal["desc", "asc"]
Ties = Literal["earliest", "shared"]

PAGE_MAX = 100
PAGE_DEFAULT = 50
RADIUS_MAX = 50
RADIUS_DEFAULT = 5

SQL_EPOCH = "sql"
"""The epoch of answers that PostgreSQL gave."""

_TIME_MAX_US = 253_402_300_800_000_000  # the year 10000, where datetime ends
_ID_BYTES = 16
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?").fullmatch


@dataclass(frozen=True, slots=True)
class Rules:
    """How a board is ordered; never changes once the board exists."""

    order: Order
    ties: Ties

    @property
    def sign(self) -> int:
        """What turns a score into a place, and a place into a score."""
        return -1 if self.order == "desc" else 1


GLOBAL_RULES = Rules("desc", "earliest")


class Standing(NamedTuple):
    """One player on a board; `user_id` is the id's 16 bytes."""

    user_id: bytes
    score: int
    reached_at_us: int


@dataclass(frozen=True, slots=True)
class PageQuery:
    """The first rows of a board, or those after one; not told again if the version is the known one."""

    board: str
    rules: Rules
    limit: int
    after: Standing | None = None
    known: tuple[str, int] = field(default=("", -1), compare=False)


@dataclass(frozen=True, slots=True)
class RanksQuery:
    """The ranks of some players."""

    board: str
    rules: Rules
    users: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AroundQuery:
    """A player in the middle of `2 * radius + 1` rows, or as near to it as the board's ends allow."""

    board: str
    rules: Rules
    user: bytes
    radius: int


Query = PageQuery | RanksQuery | AroundQuery


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The board is at the version the reader knows."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive rows of a board at one moment.

    `first_index` rows are before the first one, `first_better` of them have a strictly better score.
    """

    epoch: str
    version: int
    total: int
    first_index: int
    first_better: int
    rows: Sequence[Standing]


class Placed(NamedTuple):
    """One player's standing and what is before it, as in `Slice`."""

    standing: Standing
    before: int
    better: int


class Moment(NamedTuple):
    """A board's version and how many players it had then."""

    version: int
    total: int


class Later(Enum):
    """Instead of an answer."""

    LATER = "it is not known yet; ask again"


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where the asked players are, in the order of the question; None without a standing.

    `moments` tells when each was looked up: from SQL they may come out of two statements, at two versions.
    """

    epoch: str
    moments: Sequence[Moment]
    places: Sequence[Placed | Later | None]


Found = Slice | Ranks | Unchanged


def is_board(name: str) -> bool:
    """Whether a board may have this name; whether it exists is another question."""
    family, _, key = name.partition(":")
    if family == "global":
        return name == family
    return bool((_SLUG if family == "game" else _UUID)(key)) if family in ("game", "tournament") else False


def user_key(user_id: str) -> bytes | None:
    """The 16 bytes of a canonical UUID text; None if it is none."""
    return bytes.fromhex(user_id.replace("-", "")) if _UUID(user_id) else None


def user_text(user_id: bytes) -> str:
    """The canonical text of an id."""
    text = user_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def ranks_of(rules: Rules, part: Slice) -> list[int]:
    """The rank of each row; with shared ties, one more than the number of strictly better scores."""
    first = part.first_index + 1
    if rules.ties == "earliest":
        return list(range(first, first + len(part.rows)))
    ranks: list[int] = []
    for offset, row in enumerate(part.rows):
        if offset and row.score == part.rows[offset - 1].score:
            ranks.append(ranks[-1])
        else:
            ranks.append(first + offset if offset else part.first_better + 1)
    return ranks


def rank_of(rules: Rules, place: Placed) -> int:
    """One player's rank."""
    return 1 + (place.before if rules.ties == "earliest" else place.better)


def cursor_after(part: Slice) -> str | None:
    """The cursor of the page behind this one; None at the end."""
    if not part.rows or part.first_index + len(part.rows) >= part.total:
        return None
    last = part.rows[-1]
    return paging.encode_cursor((last.score, last.reached_at_us, last.user_id))


def standing_at(cursor: str) -> Standing:
    """The row a cursor stands on.

    Raises:
        BadCursor: it was not made by a board.
    """
    score, reached_at_us, user_id = paging.decode_cursor(cursor, tuple[int, int, bytes])
    if abs(score) > SAFE_INTEGER_MAX or not 0 <= reached_at_us < _TIME_MAX_US or len(user_id) != _ID_BYTES:
        raise BadCursor
    return Standing(user_id, score, reached_at_us)


def etag_matches(if_none_match: str | None, etag: str) -> bool:
    """Whether a client's `If-None-Match` names this ETag (weak comparison, RFC 9110 13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match == etag or any(
        tag.strip().removeprefix("W/") in (etag, "*") for tag in if_none_match.split(",")
    )


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A player whose standing differs between the stores; the same again at the next look is drift."""

    board: str
    user_id: UUID
    version: int


def disagreements(
    board: str, cached: dict[bytes, tuple[int, int]], stored: dict[bytes, tuple[int, int, int]]
) -> set[Disagreement]:
    """Players of a sample whose (score, reached_at) differ, or who are missing on one side.

    Args:
        cached: as Redis tells it, by user id.
        stored: as SQL tells it, with each standing's version.
    """
    return {
        Disagreement(board, UUID(bytes=user), stored[user][2] if user in stored else 0)
        for user in cached.keys() | stored.keys()
        if user not in stored or cached.get(user) != stored[user][:2]
    }
