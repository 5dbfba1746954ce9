"""What goes over the wire. Hot bodies are msgspec structs; the pydantic models document them and the history."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from pydantic import Field

from palio_kit.wire import SAFE_INTEGER_MAX, Answer, Instant, UuidText
from palio_score.domain import SCORE_MAX, RankChange

assert SCORE_MAX == SAFE_INTEGER_MAX

SafeScore = Annotated[int, Meta(ge=-SCORE_MAX, le=SCORE_MAX)]


class ScoreBody(Struct, forbid_unknown_fields=True, gc=False):
    """`POST /api/v1/scores`, and one row of a batch."""

    user_id: str
    game_id: str
    score: SafeScore


class BatchBody(Struct, forbid_unknown_fields=True):
    """`POST /api/v1/scores/batch`, when every row is well-formed."""

    items: list[ScoreBody]


class RawBatchBody(Struct, forbid_unknown_fields=True):
    """The same, when one is not."""

    items: list[msgspec.Raw]


class Entry(Struct, array_like=True, gc=False):
    """One submission of the internal call: `[token, body, idempotency_key, traceparent]`."""

    token: str
    body: bytes
    key: str | None = None
    traceparent: str | None = None


class Reply(Struct, array_like=True, gc=False):
    """Its answer: `[status, body, retry_after_s, replayed]`."""

    status: int
    body: bytes
    retry_after_s: int = 0
    replayed: bool = False


class Ranks(Struct, gc=False):
    """Where the player stands now; null for a board that is not ready."""

    game: RankChange | None
    overall: RankChange | None = msgspec.field(name="global")
    tournaments: dict[str, RankChange | None]


class Accepted(Struct, gc=False):
    """The answer to one accepted submission."""

    submission_id: str
    user_id: str
    game_id: str
    score: int
    accepted_at: str
    counted: bool
    ranks: Ranks | None
    replayed: bool = False


class BatchRow(Struct, gc=False):
    """One accepted row of a batch."""

    index: int
    status: int
    submission_id: str
    user_id: str
    game_id: str
    score: int
    accepted_at: str
    counted: bool


class BatchAnswer(Struct):
    """The answer to a batch: rows in their order, problems among them."""

    items: list[BatchRow | msgspec.Raw]
    accepted: int
    refused: int


class ScoreNews(Struct, gc=False):
    """One submission in a `scores` event."""

    submission_id: str
    user_id: str
    username: str
    game_id: str
    score: int
    counted: bool
    accepted_at: str
    rank: int | None
    previous_rank: int | None
    trace_id: str | None


class ScoresEvent(Struct):
    """The `scores` event: each changed board's epoch and version, and the newest submissions."""

    boards: dict[str, tuple[str, int]]
    submissions: list[ScoreNews]


class RebuildBody(Struct, forbid_unknown_fields=True):
    """`POST /internal/v1/boards/rebuild`; a `missing` board is left alone if it is whole by then."""

    board: str
    reason: Literal["missing", "drift"] = "missing"


class SubmissionItem(Answer):
    """A submission in the history."""

    submission_id: UuidText
    user_id: UuidText
    game_id: str
    score: int
    accepted_at: Instant
    counted: bool


class RankAnswer(Answer):
    """A place on a board."""

    score: int
    rank: int
    previous_rank: int | None


class RanksAnswer(Answer):
    """Places on all boards a submission touched; null while a board is not ready."""

    game: RankAnswer | None
    overall: RankAnswer | None = Field(alias="global")
    tournaments: dict[str, RankAnswer | None]


class SubmissionAnswer(SubmissionItem):
    """The answer to a submission; `ranks` is null while Redis is away."""

    ranks: RanksAnswer | None
    replayed: bool


class AcceptedRow(SubmissionItem):
    """A row of a batch that was recorded."""

    index: int
    status: int


class RefusedRow(Answer):
    """A row of a batch that was not, and the problem (RFC 9457) why."""

    index: int
    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, str]]
    trace_id: str


class BatchOutcome(Answer):
    """The answer to a batch: a row for each row, in order."""

    items: list[AcceptedRow | RefusedRow]
    accepted: int
    refused: int


class RecentAnswer(Answer):
    """The newest submissions, as in `scores` events."""

    items: list[dict[str, object]]
