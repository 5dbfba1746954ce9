"""What can be wrong here beyond what every service can say."""

from palio_kit.problems import Problem


class NoGames(Problem):
    """The catalogue is empty, so there is nothing to play."""

    status, code, title = 409, "no_games", "There is no game to play"


class HandleTaken(Problem):
    """A demo user's name and all its variants belong to somebody else."""

    status, code, title = 409, "handle_taken", "A demo user's name is taken"


class GatewayAnswer(Problem):
    """The gateway answered something this client does not understand."""

    status, code, title = 502, "gateway_answer", "The gateway's answer was not understood"
