"""What can be wrong with a submission."""

from palio_kit.problems import Invalid, NotFound


class GameNotFound(NotFound):
    """There is no game of that id."""

    code, title = "game_not_found", "There is no such game"


class UserNotFound(NotFound):
    """There is no player of that id."""

    code, title = "user_not_found", "There is no such player"


class BoardNotFound(NotFound):
    """There is no board of that name."""

    code, title = "board_not_found", "There is no such board"


class ScoreOutOfBounds(Invalid):
    """The score is outside what the game's rules allow."""

    code, title = "score_out_of_bounds", "The score is outside the game's bounds"
