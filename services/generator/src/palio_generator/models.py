"""What goes over the wire."""

from typing import Annotated, Literal

from pydantic import Field

from palio_kit.wire import Answer, Instant, Wire


class PopulateRequest(Wire):
    """An empty object: what is made is a matter of the settings."""


class CreatedAnswer(Answer):
    """What the last run made."""

    users: int
    submissions: int
    tournaments: int


class ErrorAnswer(Answer):
    """What stopped a run, in the words of a problem."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class PopulateAnswer(Answer):
    """How far populate is.

    `already_there`: everything is there and the last run, if there was one, made none of it. `users` are the names of
    the demo users; all have the documented demo password.
    """

    state: Literal["idle", "running", "done", "cancelled", "failed"]
    step: str
    done: int
    total: int
    rate_per_second: float
    eta_s: float | None
    created: CreatedAnswer
    already_there: bool
    users: list[str]
    error: ErrorAnswer | None


class SimulationRequest(Wire):
    """How many players, and how many times faster than people they play."""

    players: Annotated[int, Field(ge=1, le=200)] = 30
    speed: Annotated[float, Field(ge=0.1, le=20)] = 1.0


class SimulationAnswer(Answer):
    """What the simulation does. It lives in memory: after a restart it is idle."""

    state: Literal["idle", "running", "stopping"]
    players: int
    speed: float
    submissions: int
    joins: int
    errors: int
    started_at: Instant | None
