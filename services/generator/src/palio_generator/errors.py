"""What can be wrong here beyond what every service can say."""

from palio_kit.problems import Conflict, NotFound, Problem


class NoGames(Problem):
    """The catalogue is empty, so there is nothing to play."""

    status, code, title = 409, "no_games", "There is no game to play"


class HandleTaken(Problem):
    """A demo user's name and all its variants belong to somebody else."""

    status, code, title = 409, "handle_taken", "A demo user's name is taken"


class GatewayAnswer(Problem):
    """The gateway answered something this client does not understand."""

    status, code, title = 502, "gateway_answer", "The gateway's answer was not understood"


class RunNotFound(NotFound):
    """There is no such run; runs are kept for a while only."""

    code, title = "run_not_found", "There is no such run"


class RunnerNotFound(NotFound):
    """The run has no such runner."""

    code, title = "runner_not_found", "The run has no such runner"


class RunChanged(Conflict):
    """The run is known with other numbers; a run never changes."""

    code, title = "run_changed", "The run is known with other numbers"


class RunInProgress(Conflict):
    """One run at a time: another one goes on."""

    code, title = "run_in_progress", "Another run goes on"


class RunOver(Conflict):
    """The run is over."""

    code, title = "run_over", "The run is over"


class TargetElsewhere(Conflict):
    """The run's load goes to another platform, which gets no tokens of ours."""

    code, title = "target_elsewhere", "The run's target is another platform"


class RunNotOver(Conflict):
    """The run goes on; there is nothing to compare or to export yet."""

    code, title = "run_not_over", "The run is not over"
