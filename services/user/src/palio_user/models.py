"""What goes over the wire. An e-mail address is only ever in `Me`, the answer to the account's own holder."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from palio_kit.wire import Answer, Instant, Wire
from palio_user import domain

Username = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{3,24}$")]

Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}$",
    ),
    AfterValidator(domain.normal_email),
]

Password = Annotated[str, StringConstraints(min_length=8, max_length=128)]

AnyUsername = Annotated[str, StringConstraints(max_length=64)]
AnyPassword = Annotated[str, StringConstraints(max_length=128)]
RefreshToken = Annotated[str, StringConstraints(min_length=1, max_length=128)]

Role = Literal["player", "organiser", "server", "admin"]


class RegisterRequest(Wire):
    """A new account."""

    username: Username
    email: Email
    password: Password


class LoginRequest(Wire):
    """A sign-in. Looser than registration: a name that cannot exist is answered like one that does not."""

    username: AnyUsername
    password: AnyPassword


class RefreshRequest(Wire):
    """The newest refresh token of a session."""

    refresh_token: RefreshToken


class ChangeRequest(Wire):
    """New e-mail address, new password, or both."""

    current_password: AnyPassword
    email: Email | None = None
    password: Password | None = None

    @model_validator(mode="after")
    def _something_changes(self) -> "ChangeRequest":
        if self.email is None and self.password is None:
            raise ValueError("email or password must be given")
        return self


class RolesRequest(Wire):
    """All roles a user shall have; `player` is implied."""

    roles: Annotated[list[Role], Field(max_length=8)]


class NoArguments(Wire):
    """An empty object."""


class UserAnswer(Answer):
    """Who signed in."""

    id: UUID
    username: str


class Profile(Answer):
    """What everybody may know of a user."""

    id: UUID
    username: str
    created_at: Instant


class Me(Profile):
    """What the user may know of the own account; roles as the next token will say them."""

    email: str
    roles: list[str]


class RolesAnswer(Answer):
    """A user's roles, as the next token will say them."""

    id: UUID
    roles: list[str]


class TokensAnswer(Answer):
    """A session's next pair of tokens; `expires_in` in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a scheme's name
    expires_in: int = domain.ACCESS_VALID_S
    user: UserAnswer


class ServerToken(Answer):
    """An access token with role `server`; `expires_in` in seconds."""

    access_token: str
    expires_in: int = domain.ACCESS_VALID_S


class VirtualPlayersRequest(Wire):
    """The numbers of virtual players, each once."""

    numbers: Annotated[list[Annotated[int, Field(ge=0, lt=100_000)]], Field(min_length=1, max_length=200)]


class VirtualPlayer(Answer):
    """A virtual player with an access token."""

    user_id: UUID
    access_token: str


class VirtualPlayersAnswer(Answer):
    """One for each number, in order; `expires_in` in seconds."""

    players: list[VirtualPlayer]
    expires_in: int = domain.ACCESS_VALID_S


class GameStatsAnswer(Answer):
    """A player in one game."""

    game_id: str
    score: int
    rank: int | None
    submissions: int
    reached_at: Instant


class GlobalStatsAnswer(Answer):
    """A player over all games that count."""

    score: int
    rank: int | None


class PrizeAnswer(Answer):
    """Prizes of one currency, summed."""

    currency: str
    amount: int


class TournamentStatsAnswer(Answer):
    """A player's tournaments."""

    joined: int
    won: int
    prizes: list[PrizeAnswer]


class StatsAnswer(Answer):
    """A player's statistics; ranks are null while the leaderboard is away."""

    user_id: UUID
    username: str
    submissions: int
    games: list[GameStatsAnswer]
    global_: Annotated[GlobalStatsAnswer | None, Field(serialization_alias="global")]
    tournaments: TournamentStatsAnswer
