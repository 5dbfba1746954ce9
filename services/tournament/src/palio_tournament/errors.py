"""What can be wrong with a request about tournaments, one class each."""

from palio_kit.problems import Conflict, NotFound


class TournamentNotFound(NotFound):
    """There is no such tournament."""

    code, title = "tournament_not_found", "There is no such tournament"


class GameNotFound(NotFound):
    """`game_id` names no game of the catalogue."""

    code, title = "game_not_found", "There is no such game"


class UserNotFound(NotFound):
    """`user_id` names nobody."""

    code, title = "user_not_found", "There is no such player"


class TournamentFull(Conflict):
    """Every place is taken."""

    code, title = "tournament_full", "The tournament is full"


class TournamentClosed(Conflict):
    """Entry is closed: the tournament is over, cancelled, or its entry ended at the start."""

    code, title = "tournament_closed", "Entry to the tournament is closed"


class NotEntered(NotFound):
    """The player has no place in this tournament."""

    code, title = "not_entered", "The player has not joined"


class TournamentSettled(Conflict):
    """The tournament was settled and its prizes are paid; it can no longer be cancelled."""

    code, title = "tournament_settled", "The tournament is settled"


class NotSettling(Conflict):
    """The tournament was cancelled, or its settlement failed and it was not reopened."""

    code, title = "not_settling", "The tournament cannot be settled now"


class NotYetDue(NotSettling):
    """The tournament is not over, or its settlement delay is running; try again later."""

    code, title = "not_yet_due", "The tournament cannot be settled yet"


class AwardNotFound(NotFound):
    """This tournament paid no such prize."""

    code, title = "award_not_found", "There is no such award"


class TournamentFrozen(Conflict):
    """Scoring never changes, other rules only until the start, the end afterwards only to a later moment."""

    code, title = "tournament_frozen", "The tournament's rules may not change any more"


class RecordOfAnother(Conflict):
    """The record belongs to another resource; only one of the same namespace and name may adopt it."""

    code, title = "record_of_another", "The record belongs to another resource"
