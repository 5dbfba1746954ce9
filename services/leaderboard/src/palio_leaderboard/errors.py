"""Everything that can be wrong with a read of a board."""

from palio_kit.problems import NotFound, Unavailable


class BoardNotFound(NotFound):
    """There is no such board: no such game or tournament."""

    code, title = "board_not_found", "There is no such board"


class NotRanked(NotFound):
    """The player has no score on this board."""

    code, title = "not_ranked", "The player has no rank on this board"


class AskAgain(Unavailable):
    """The board is being read from the database, which takes a moment; the answer is kept for who asks again."""


class TooManyFallbacks(Unavailable):
    """Too many reads wait for the database already."""
