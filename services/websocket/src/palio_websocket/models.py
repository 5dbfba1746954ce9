"""What travels: messages of clients, and the leaderboard service's answer."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from palio_websocket.domain import Board, Row

Text = Annotated[str, Meta(max_length=256)]
Channels = Annotated[list[Text], Meta(min_length=1, max_length=1_000)]


class Subscribe(Struct, tag="subscribe", frozen=True):
    """Wants channels; the token is an access token, for one's own `player:` channel and outside the demo."""

    channels: Channels
    token: Annotated[str, Meta(max_length=8_192)] | None = None


class Unsubscribe(Struct, tag="unsubscribe", frozen=True):
    """Wants them no more."""

    channels: Channels


class Resync(Struct, tag="resync", frozen=True):
    """Missed something."""

    channel: Text


class Ping(Struct, tag="ping", frozen=True):
    """Wants to hear a pong."""


ClientMessage = Subscribe | Unsubscribe | Resync | Ping

read_message = msgspec.json.Decoder(ClientMessage).decode

PackedRow = tuple[int, str, str, int, str]


class Top(Struct, array_like=True, frozen=True):
    """A board's first rows as `leaderboard/internal/v1/tops` tells them; an empty epoch means: no such board."""

    epoch: str
    version: int
    order: str
    ties: str
    rows: list[PackedRow]
    total: int

    def board(self) -> Board:
        """As the domain knows it."""
        return Board(self.epoch, self.version, self.order, self.ties, self.total, [Row(*row) for row in self.rows])


def read_tops(answer: object) -> list[Top | None]:
    """The answer of `tops`, checked; None for boards that did not change.

    Raises:
        msgspec.ValidationError: it is something else.
    """
    return msgspec.convert(answer, list[Top | None])
