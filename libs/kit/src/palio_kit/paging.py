"""Opaque cursors: the last row's sort key, so that pages neither skip nor repeat when rows are added before them."""

import base64
from typing import TypeVar

import msgspec

from palio_kit.problems import BadRequest

T = TypeVar("T")
_CURSOR_MAX = 512


class BadCursor(BadRequest):
    """The cursor was not made by this list."""

    code, title = "bad_cursor", "The cursor is not valid here"


def encode_cursor(key: object) -> str:
    """A cursor for a msgspec-encodable sort key."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(key)).rstrip(b"=").decode()


def decode_cursor(cursor: str, kind: type[T]) -> T:
    """The sort key in a cursor.

    Raises:
        BadCursor: it is none of ours.
    """
    if len(cursor) > _CURSOR_MAX or not cursor.isascii():
        raise BadCursor
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = msgspec.msgpack.decode(packed, type=kind)
    except (ValueError, msgspec.DecodeError, OverflowError, RecursionError) as error:
        raise BadCursor from error
    if not _is_storable(msgspec.to_builtins(key)):
        raise BadCursor
    return key


def _is_storable(value: object) -> bool:
    """Whether PostgreSQL can compare with it; a forged cursor may hold what no column ever held."""
    match value:
        case str():
            return "\x00" not in value
        case int():
            return -(2**63) <= value < 2**63
        case dict():
            return all(_is_storable(item) for item in value.values())
        case list() | tuple():
            return all(_is_storable(item) for item in value)
    return True
