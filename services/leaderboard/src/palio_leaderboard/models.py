"""What goes over the wire: the internal calls as msgspec arrays, public answers as documented models.

Public bodies are written as bytes by `rendering`; the models here describe them for OpenAPI, and tests hold the two
together.
"""

from typing import Annotated, Literal

import msgspec
from pydantic import Field

from palio_kit.wire import Answer, Instant, UuidText, Wire


class Read(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One read in a batch of the gateway; `size` is a page's limit or a window's radius, 0 for the default."""

    kind: Literal["page", "rank", "around"]
    board: str
    user_id: str | None
    size: int
    cursor: str | None
    if_none_match: str | None


class Top(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A board whose first rows the websocket service wants, unless they are as it knows them."""

    board: str
    limit: int
    known_epoch: str
    known_version: int


class RanksAsked(Wire):
    """A player whose places on some boards the user service wants."""

    user_id: UuidText
    boards: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=1000)]


class Place(Answer):
    """A player's place on one board."""

    score: int
    rank: int


class RanksFound(Answer):
    """Places by board; null where the player has none."""

    ranks: dict[str, Place | None]


class BoardRow(Answer):
    """One line of a board. `rank` is 1-based."""

    rank: int
    user_id: UuidText
    username: str
    score: int
    reached_at: Instant


class _OfBoard(Answer):
    board: str
    epoch: str = Field(description="changes when the board's history is lost; `sql` while PostgreSQL answers")
    version: int = Field(description="grows with each change within an epoch")
    order: Literal["desc", "asc"]
    tie_break: Literal["earliest", "shared"] = Field(description="whether equal scores share a rank")
    total: int = Field(description="players on the board")


class BoardPage(_OfBoard):
    """Consecutive rows of a board, in its total order."""

    items: list[BoardRow]
    next_cursor: str | None


class BoardRank(_OfBoard):
    """One player's line."""

    item: BoardRow


class BoardAround(_OfBoard):
    """A player in the middle of his neighbours."""

    items: list[BoardRow]
