"""What goes over the wire at FastAPI routes: strict models, a strict JSON reader (RFC 8259), safe text.

FastAPI with a plain model answers 500 to NaN and lone surrogates, and takes `true` for 1. Here those are 400 and 422.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any, Generic, NoReturn, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from typing_extensions import override

from palio_kit.problems import MalformedJson
from palio_kit.times import rfc3339

T = TypeVar("T")

_DIGITS_MAX = 400

SAFE_INTEGER_MAX = 2**53 - 1
"""The largest integer a JavaScript client can hold exactly (RFC 8259, section 6)."""


class Wire(BaseModel):
    """A body that clients send: nothing coerced, nothing unknown."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Answer(BaseModel):
    """A body that we send."""

    model_config = ConfigDict(frozen=True)


class Page(Answer, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = None


_TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidirectional controls: in a name they would turn what others read beside it."""


def _plain(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") for character in text):
        raise ValueError("control characters, surrogates and unassigned code points are not allowed")
    if any(character in _TURNING for character in text):
        raise ValueError("characters that turn the direction of writing are not allowed")
    if text and all(unicodedata.category(character)[0] in "ZCM" for character in text):
        raise ValueError("something must be visible")
    if text != text.strip():
        raise ValueError("spaces at the ends are not allowed")
    return unicodedata.normalize("NFC", text)


_DATE_AND_TIME = re.compile(r"^\d{4}-\d\d-\d\d[Tt ]\d\d:")


def _written(value: object) -> object:
    if not isinstance(value, str) or not _DATE_AND_TIME.match(value):  # pydantic reads "1700000000" as seconds
        raise ValueError("a time is written as text, with an offset")
    return value


PlainText = Annotated[str, AfterValidator(_plain)]
"""One line of printable text. Bound it: `Annotated[PlainText, Field(min_length=1, max_length=80)]`."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")]
"""A name in a path: lower case letters, digits, inner hyphens, 1 to 40 characters."""

UuidText = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A UUID in its canonical, lower-case form."""

SafeInteger = Annotated[int, Field(ge=-SAFE_INTEGER_MAX, le=SAFE_INTEGER_MAX)]

Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written)]
"""An RFC 3339 time with an offset, written as a string."""

Instant = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A time in an `Answer`."""

IDEMPOTENCY_KEY = re.compile(r"^[A-Za-z0-9_-]{16,64}$")


def read_json(body: bytes) -> Any:
    """Parse a JSON text.

    Raises:
        MalformedJson: it is not UTF-8 JSON, repeats a key, or holds NaN, an infinite number or a lone surrogate.
    """
    try:
        text = body.decode("utf-8")
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite, parse_int=_whole
        )
        if "\\u" in text:  # only an escape can smuggle a lone surrogate past the UTF-8 decoder
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise MalformedJson from error
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("repeated key")
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _whole(digits: str) -> int:
    """Any length is JSON; Python refuses to read more than 4,300 digits, and no bound of ours has more than 16."""
    return int(digits[:_DIGITS_MAX])


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


class _StrictRequest(Request):
    @override
    async def json(self) -> Any:
        return read_json(await self.body())


class StrictRoute(APIRoute):
    """The route class of every router: `APIRouter(route_class=StrictRoute)`."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
