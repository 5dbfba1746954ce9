"""What goes over the wire."""

from typing import Annotated, Literal

from pydantic import Field

from palio_game.domain import Keep, NewGame, Order, Rules
from palio_kit.wire import Answer, Instant, PlainText, SafeInteger, Slug, Wire


class CreateGame(Wire):
    """A new game with the rules it will always have."""

    id: Slug
    title: Annotated[PlainText, Field(min_length=1, max_length=80)]
    description: Annotated[PlainText, Field(max_length=500)] = ""
    order: Literal["desc", "asc"]
    keep: Literal["best", "sum", "last"]
    score_min: SafeInteger
    score_max: SafeInteger
    score_unit: Annotated[PlainText, Field(min_length=1, max_length=20)] = "points"
    counts_globally: bool

    def game(self) -> NewGame:
        """The game this asks for."""
        rules = Rules(
            Order(self.order), Keep(self.keep), self.score_min, self.score_max, self.score_unit, self.counts_globally
        )
        return NewGame(self.id, self.title, self.description, rules)


class GameAnswer(Answer):
    """A game of the catalogue; score bounds are inclusive."""

    id: str
    title: str
    description: str
    order: Literal["desc", "asc"]
    keep: Literal["best", "sum", "last"]
    score_min: int
    score_max: int
    score_unit: str
    counts_globally: bool
    created_at: Instant
