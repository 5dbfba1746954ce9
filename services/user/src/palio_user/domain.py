"""Who somebody is and what follows from it: names, roles, sign-in delays, refresh-token families, statistics.

The one decision worth knowing: a session is a family of refresh tokens of which only the newest is good. Whoever shows
an older one holds a copy, and as nobody can tell the thief from the owner, the whole family ends.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

ACCESS_VALID_S = 15 * 60
REFRESH_VALID = timedelta(days=14)

PLAYER = "player"
ORGANISER = "organiser"
SERVER = "server"
ADMIN = "admin"
GRANTABLE = frozenset({ORGANISER, SERVER, ADMIN})

GLOBAL_BOARD = "global"
_GAME_BOARD = "game:"

_ATTEMPTS_FREE = 5
_ATTEMPT_DELAY_MAX_S = 900.0


# names


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an access token speaks for."""

    user_id: UUID
    username: str


GENERATOR = Subject(UUID("01900000-0000-7000-8000-000000000001"), "palio-generator")
"""The demo generator, when it submits scores for simulated players as a game server would."""

RESERVED_USERNAMES = frozenset({GENERATOR.username})

VIRTUAL_PREFIX = "virtual-"
"""Names of the accounts that only load tests play with; nobody can register one."""

NO_PASSWORD = "-"  # noqa: S105 - the opposite of one: no password has this hash


def username_key(username: str) -> bytes:
    """What makes names one: SHA-256 of the lower-case name, which can outlive an erased account."""
    return hashlib.sha256(username.lower().encode()).digest()


def is_reserved(username: str) -> bool:
    """Whether a name belongs to the platform itself."""
    return username.lower() in RESERVED_USERNAMES or username.lower().startswith(VIRTUAL_PREFIX)


def virtual_username(number: int) -> str:
    """The name of a load test's virtual player."""
    return f"{VIRTUAL_PREFIX}{number:05}"


def normal_email(email: str) -> str:
    """The form in which addresses are compared and kept."""
    return email.lower()


def normal_password(password: str) -> str:
    """The form in which passwords are hashed, the same for every keyboard (NIST SP 800-63B, 5.1.1.2: NFKC)."""
    return unicodedata.normalize("NFKC", password)


# roles and access tokens


def effective_roles(granted: Iterable[str], *, is_demo: bool) -> list[str]:
    """The roles in a token: everybody plays, and in the demo everybody organises."""
    return sorted({PLAYER, *granted} | ({ORGANISER} if is_demo else set()))


def stored_roles(wanted: Iterable[str]) -> list[str]:
    """The roles worth keeping of those an admin gives: `player` goes without saying."""
    return sorted(set(wanted) & GRANTABLE)


def access_claims(
    subject: Subject, roles: Sequence[str], *, issuer: str, audience: str, now_s: int, token_id: UUID
) -> dict[str, Any]:
    """What an access token says (RFC 9068); `now_s` in seconds since 1970."""
    return {
        "iss": issuer, "aud": audience, "iat": now_s, "exp": now_s + ACCESS_VALID_S, "jti": str(token_id),
        "sub": str(subject.user_id), "username": subject.username, "roles": list(roles),
    }  # fmt: skip


# sign-in delays


def delay_after_s(attempts: int) -> float:
    """How long a name must rest after its `attempts`-th check without a right password, in seconds.

    Doubles from the fifth on and stays at a quarter of an hour: 17 guesses in the first hour, 4 in each one after,
    and never for ever, or anybody could lock anybody out.
    """
    if attempts < _ATTEMPTS_FREE:
        return 0.0
    return min(2.0 ** min(attempts - _ATTEMPTS_FREE, 20), _ATTEMPT_DELAY_MAX_S)


def delays_s() -> list[float]:
    """`delay_after_s` of 1, 2, 3... until it no longer grows."""
    delays = [delay_after_s(1)]
    while delays[-1] < _ATTEMPT_DELAY_MAX_S:
        delays.append(delay_after_s(len(delays) + 1))
    return delays


# refresh tokens


@dataclass(frozen=True, slots=True)
class RefreshState:
    """What is known of a presented refresh token and its family."""

    used: bool
    expired: bool
    ended: bool


class Verdict(Enum):
    """What to do about a presented refresh token."""

    ROTATE = "rotate"
    """It is the newest of a living family: use it up and hand out the next."""
    REUSED = "reused"
    """It was used before: end the family."""
    REFUSED = "refused"
    """It is no good, and says nothing about a theft."""


def judge(state: RefreshState | None) -> Verdict:
    """What to do about a presented refresh token; None is one that nobody knows."""
    if state is None:
        return Verdict.REFUSED
    if state.used:
        return Verdict.REUSED
    return Verdict.REFUSED if state.expired or state.ended else Verdict.ROTATE


# statistics


@dataclass(frozen=True, slots=True)
class Standing:
    """A player's row on one board, as the score service publishes it."""

    board: str
    score: int
    reached_at: datetime
    submissions: int


@dataclass(frozen=True, slots=True)
class GameStats:
    """A player in one game; `rank` is None while nobody can tell."""

    game_id: str
    score: int
    rank: int | None
    submissions: int
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class GlobalStats:
    """A player over all games that count; `rank` is None while nobody can tell."""

    score: int
    rank: int | None


@dataclass(frozen=True, slots=True)
class Prize:
    """The sum of a player's prizes in one currency, in its smallest unit."""

    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Tournaments:
    """A player's tournaments: entered, won (first rank, paid), and what they paid."""

    joined: int = 0
    won: int = 0
    prizes: tuple[Prize, ...] = ()


def games_of(standings: Iterable[Standing], ranks: Mapping[str, int]) -> list[GameStats]:
    """The games a player has a standing in, by game id."""
    return sorted(
        (
            GameStats(
                standing.board.removeprefix(_GAME_BOARD),
                standing.score,
                ranks.get(standing.board),
                standing.submissions,
                standing.reached_at,
            )
            for standing in standings
            if standing.board.startswith(_GAME_BOARD)
        ),
        key=lambda game: game.game_id,
    )


def global_of(standings: Iterable[Standing], ranks: Mapping[str, int]) -> GlobalStats | None:
    """The player's place over all games; None for who never scored in one that counts."""
    for standing in standings:
        if standing.board == GLOBAL_BOARD:
            return GlobalStats(standing.score, ranks.get(GLOBAL_BOARD))
    return None
