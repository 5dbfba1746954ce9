"""A game and its rules: what a score may be, which is better, which of a player's scores stands.

The one decision worth knowing: rules never change once made, so whoever has read them may keep them for ever.
"""

from dataclasses import dataclass
from enum import StrEnum


class Order(StrEnum):
    """Which of two scores is better."""

    DESC = "desc"
    """The higher one."""
    ASC = "asc"
    """The lower one: times, strokes."""


class Keep(StrEnum):
    """Which of a player's scores stands."""

    BEST = "best"
    SUM = "sum"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a game demands of scores; bounds are inclusive, in `score_unit`."""

    order: Order
    keep: Keep
    score_min: int
    score_max: int
    score_unit: str
    counts_globally: bool


@dataclass(frozen=True, slots=True)
class NewGame:
    """A game about to enter the catalogue."""

    game_id: str
    title: str
    description: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two rules that cannot both hold: the field to change and why."""

    field: str
    why: str


def contradictions(rules: Rules) -> list[Contradiction]:
    """Why these rules cannot be a game's; none if they can."""
    found = []
    if rules.score_min > rules.score_max:
        found.append(Contradiction("score_max", "must not be below score_min"))
    if rules.counts_globally and (rules.order, rules.keep) != (Order.DESC, Keep.BEST):
        # The global board is a sum of bests: times, sums and last scores cannot be added to it.
        found.append(Contradiction("counts_globally", "needs order desc and keep best"))
    return found
