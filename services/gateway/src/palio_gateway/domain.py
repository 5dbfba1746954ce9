"""How a request is understood: board reads, addresses, allowances. Pure, and strict on purpose.

Nothing is percent-decoded: every id and cursor of ours is made of characters that need no encoding, so an encoded
one can only be a trick, and there is one spelling of each address.
"""

import re
from collections.abc import Collection, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from math import ceil
from typing import NamedTuple

from palio_gateway.errors import MalformedPath, MalformedQuery
from palio_kit.limits import Allowance
from palio_kit.paging import BadCursor
from palio_kit.problems import FieldError, Invalid, NotFound

PAGE_MAX = 100
PAGE_DEFAULT = 50
RADIUS_MAX = 50
RADIUS_DEFAULT = 5

BOARDS_PREFIX = "/api/v1/leaderboard/"

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?").fullmatch
_NUMBER = re.compile(rb"[1-9][0-9]{0,2}").fullmatch
_CURSOR = re.compile(rb"[A-Za-z0-9_-]{1,512}").fullmatch
_PLAIN_PATH = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+/?|/").fullmatch

_Networks = Sequence[IPv4Network | IPv6Network]


class BoardRead(NamedTuple):
    """What is read of a board; `size` is a page's limit or a window's radius."""

    kind: str
    board: str
    user_id: str | None
    size: int
    cursor: str | None


def check_path(raw_path: bytes) -> None:
    """Let only plain paths pass.

    Raises:
        MalformedPath: it has encoded characters, empty or dot segments.
    """
    if not _PLAIN_PATH(raw_path):
        raise MalformedPath


def parse_board_read(path: str, query: bytes) -> BoardRead:
    """The read that `/api/v1/leaderboard/...?...` asks for.

    Raises:
        NotFound: no such path.
        Invalid: an id or a number is none.
        MalformedQuery, BadCursor: as their names say.
    """
    board, tail = _board(path[len(BOARDS_PREFIX) :].split("/"))
    if not tail:
        given = _parameters(query, (b"limit", b"cursor"))
        return BoardRead("page", board, None, _number(given, b"limit", PAGE_DEFAULT, PAGE_MAX), _cursor(given))
    if len(tail) != 2 or tail[0] not in ("rank", "around"):  # noqa: PLR2004 - kind and user
        raise NotFound
    kind, user_id = tail
    if not _UUID(user_id):
        raise Invalid(errors=[FieldError("/path/user_id", "must be a UUID in lower case")])
    given = _parameters(query, (b"radius",) if kind == "around" else ())
    size = _number(given, b"radius", RADIUS_DEFAULT, RADIUS_MAX) if kind == "around" else 0
    return BoardRead(kind, board, user_id, size, None)


def _board(segments: list[str]) -> tuple[str, list[str]]:
    family = segments[0]
    if family == "global":
        return family, segments[1:]
    if family not in ("game", "tournament") or len(segments) == 1:
        raise NotFound
    board_id = segments[1]
    if not (_SLUG if family == "game" else _UUID)(board_id):
        raise Invalid(errors=[FieldError(f"/path/{family}_id", "is malformed")])
    return f"{family}:{board_id}", segments[2:]


def route_of(read: BoardRead) -> str:
    """The template of a read's path, for metrics."""
    family = read.board.partition(":")[0]
    board = family if family == "global" else f"{family}/{{{family}_id}}"
    return f"{BOARDS_PREFIX}{board}" if read.user_id is None else f"{BOARDS_PREFIX}{board}/{read.kind}/{{user_id}}"


def _parameters(query: bytes, known: Collection[bytes]) -> dict[bytes, bytes]:
    if not query:
        return {}
    given: dict[bytes, bytes] = {}
    for pair in query.split(b"&"):
        name, equals, value = pair.partition(b"=")
        if not equals or name in given:
            raise MalformedQuery
        if name not in known:
            raise Invalid("The query has a parameter this path does not take.")
        given[name] = value
    return given


def _number(given: dict[bytes, bytes], name: bytes, default: int, maximum: int) -> int:
    value = given.get(name)
    if value is None:
        return default
    if not _NUMBER(value) or int(value) > maximum:
        raise Invalid(errors=[FieldError(f"/query/{name.decode()}", f"must be a whole number from 1 to {maximum}")])
    return int(value)


def _cursor(given: dict[bytes, bytes]) -> str | None:
    value = given.get(b"cursor")
    if value is None:
        return None
    if not _CURSOR(value):
        raise BadCursor
    return value.decode()


def client_address(peer: str, forwarded_for: str | None, trusted: _Networks) -> str:
    """Whose request this is: the peer, or if that is a trusted proxy, the last hop it names that is none itself."""
    if not trusted or forwarded_for is None or not _is_in(peer, trusted):
        return peer
    for hop in reversed([part.strip() for part in forwarded_for.split(",")]):
        if not _is_address(hop):
            return peer
        if not _is_in(hop, trusted):
            return hop
    return peer


def bucket_key(address: str) -> str:
    """What shares a bucket: an IPv4 address, or the /64 that one IPv6 subscriber has to himself."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(getattr(parsed, "ipv4_mapped", parsed))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_in(address: str, networks: _Networks) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in networks)


def rate_policy(name: str, allowance: Allowance) -> bytes:
    """`RateLimit-Policy` of a bucket: its burst, and the seconds in which it fills."""
    return f'"{name}";q={allowance.burst};w={max(1, ceil(allowance.burst / allowance.per_second))}'.encode()


def rate_left(name: str, allowance: Allowance, remaining: int) -> bytes:
    """`RateLimit` of a bucket: what is left, and the seconds until it is full again."""
    missing = allowance.burst - remaining
    return f'"{name}";r={remaining};t={ceil(missing / allowance.per_second)}'.encode()
