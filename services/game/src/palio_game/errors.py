"""Everything that can be wrong with a game."""

from palio_kit.problems import Conflict, NotFound


class GameNotFound(NotFound):
    """There is no such game."""

    code, title = "game_not_found", "There is no such game"


class GameExists(Conflict):
    """There is a game with this id; rules never change once they are made."""

    code, title = "game_exists", "There is a game with this id"
