"""Everything that can be wrong with an account, a sign-in or a session."""

from palio_kit.problems import Conflict, Forbidden, NotFound, TooManyRequests, Unauthorized


class UserNotFound(NotFound):
    """There is no such user."""

    code, title = "user_not_found", "There is no such user"


class UsernameTaken(Conflict):
    """Somebody has this name, or had it."""

    code, title = "username_taken", "The username is taken"


class EmailTaken(Conflict):
    """There is an account with this e-mail address."""

    code, title = "email_taken", "The e-mail address is taken"


class InvalidCredentials(Unauthorized):
    """The username or the password is wrong."""

    code, title = "invalid_credentials", "The username or the password is wrong"


class WrongPassword(Forbidden):
    """`current_password` is not the account's password."""

    code, title = "wrong_password", "The current password is wrong"


class TooManyAttempts(TooManyRequests):
    """This account had too many wrong passwords; wait, then try again. Open sessions go on."""

    code, title = "too_many_attempts", "Too many wrong passwords"


class InvalidRefreshToken(Unauthorized):
    """The refresh token is unknown, expired, or its session has ended. Sign in again."""

    code, title = "invalid_refresh_token", "The refresh token is not valid"


class RefreshReused(Unauthorized):
    """This refresh token was used before, so somebody may have copied it: the session has been ended. Sign in again."""

    code, title = "refresh_reused", "The refresh token was used before"
