"""The score service's paths: parse, one call, answer. The gateway's call is a raw handler below FastAPI."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from palio_kit import tracing
from palio_kit.asgi import HotHandler, HotRoutes, Receive, Scope, Send, body_of, respond
from palio_kit.callers import MaybeSignedIn, ServiceCallers, SignedIn, bearer_token, only
from palio_kit.idempotency import REPLAYED, BadKey, IdempotencyKey, KeyInFlight, KeyReused
from palio_kit.paging import BadCursor
from palio_kit.problems import (
    CONTENT_TYPE,
    BadRequest,
    Forbidden,
    Invalid,
    MalformedJson,
    NotYourself,
    OutcomeUnknown,
    Unauthorized,
    Unavailable,
    documented,
)
from palio_kit.wire import Page, Slug, StrictRoute, read_json
from palio_score.errors import GameNotFound, ScoreOutOfBounds, UserNotFound
from palio_score.models import BatchOutcome, Entry, RebuildBody, RecentAnswer, Reply, SubmissionAnswer, SubmissionItem
from palio_score.service import Batches, History, Repairs, Submissions

SUBMISSIONS_PATH = "/internal/v1/submissions"
_GATEWAY = frozenset({"gateway"})
_ENTRIES_MAX = 1000
_OK, _CREATED = 200, 201
_MSGPACK = b"application/msgpack"

_decode_entries = msgspec.msgpack.Decoder(list[Entry]).decode
_encode_replies = msgspec.msgpack.Encoder().encode
_rebuild_decoder = msgspec.json.Decoder(RebuildBody)

public = APIRouter(prefix="/api/v1/scores", route_class=StrictRoute, tags=["score"])
internal = APIRouter(prefix="/internal/v1", route_class=StrictRoute, include_in_schema=False)

_SCORE = {
    "type": "object",
    "required": ["user_id", "game_id", "score"],
    "additionalProperties": False,
    "properties": {
        "user_id": {"type": "string", "format": "uuid"},
        "game_id": {"type": "string"},
        "score": {"type": "integer", "minimum": -(2**53 - 1), "maximum": 2**53 - 1},
    },
}
_ITEMS = {"type": "array", "minItems": 1, "maxItems": 1000, "items": _SCORE}
_BATCH = {"type": "object", "required": ["items"], "additionalProperties": False, "properties": {"items": _ITEMS}}


def _taking(schema: dict[str, Any]) -> dict[str, Any]:
    """The request body in the OpenAPI document, for routes that decode it themselves."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _submissions(request: Request) -> Submissions:
    submissions: Submissions = request.app.state.submissions
    return submissions


def _batches(request: Request) -> Batches:
    batches: Batches = request.app.state.batches
    return batches


def _history(request: Request) -> History:
    history: History = request.app.state.history
    return history


def _repairs(request: Request) -> Repairs:
    repairs: Repairs = request.app.state.repairs
    return repairs


@public.post(
    "",
    status_code=201,
    response_model=SubmissionAnswer,
    openapi_extra=_taking(_SCORE),
    responses=documented(
        MalformedJson, BadKey, Unauthorized, NotYourself, GameNotFound, UserNotFound, KeyReused, KeyInFlight, Invalid,
        ScoreOutOfBounds, Unavailable, OutcomeUnknown,
    ),
)  # fmt: skip
async def submit(
    request: Request, keyed: IdempotencyKey, submissions: Annotated[Submissions, Depends(_submissions)]
) -> Response:
    """Submit a score; the answer says where it stands, once it is committed."""
    trace = tracing.current().traceparent
    entry = Entry(bearer_token(request.scope) or "", await request.body(), keyed.key, trace)
    [reply] = await submissions.submit([entry])
    return _response(reply)


@public.post(
    "/batch",
    status_code=200,
    response_model=BatchOutcome,
    openapi_extra=_taking(_BATCH),
    responses=documented(
        MalformedJson, BadKey, Unauthorized, Forbidden, KeyReused, KeyInFlight, Invalid, Unavailable, OutcomeUnknown
    ),
)
async def submit_batch(
    request: Request,
    caller: SignedIn,
    keyed: IdempotencyKey,
    batches: Annotated[Batches, Depends(_batches)],
) -> Response:
    """Submit up to 1,000 scores of any players (game servers); each row is accepted or refused by itself."""
    return (await batches.submit(caller, await request.body(), keyed)).response()


@public.get("", responses=documented(BadCursor, Unauthorized, Invalid, Unavailable))
async def scores(  # noqa: PLR0917 - FastAPI passes them by name
    caller: MaybeSignedIn,
    history: Annotated[History, Depends(_history)],
    user_id: Annotated[UUID | None, Query()] = None,
    game_id: Annotated[Slug | None, Query()] = None,
    cursor: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Page[SubmissionItem]:
    """A player's submissions, newest first; one's own if no player is named."""
    if user_id is None and caller is None:
        raise Unauthorized("Name a player, or sign in to see your own scores.")
    return await history.page(user_id or caller.user_id, game_id, cursor, limit)  # type: ignore[union-attr]  # checked


@internal.get("/recent", dependencies=[only("websocket")], response_model=RecentAnswer)
async def recent(
    history: Annotated[History, Depends(_history)], limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> Response:
    """The newest submissions, for those who begin to listen."""
    items = await history.recent(limit)
    return Response(msgspec.json.encode({"items": items}), media_type="application/json")


@internal.post("/boards/rebuild", status_code=202, dependencies=[only("leaderboard")])
async def rebuild(request: Request, repairs: Annotated[Repairs, Depends(_repairs)]) -> Response:
    """Have a board rebuilt that was found missing or wrong."""
    try:
        asked = _rebuild_decoder.decode(await request.body())
    except msgspec.DecodeError as error:
        read_json(await request.body())
        raise Invalid from error
    await repairs.rebuild(asked.board, drifted=asked.reason == "drift")
    return Response(status_code=202)


@dataclass(slots=True)
class Door:
    """Where the raw handler finds the service once it has opened."""

    submissions: Submissions | None = None


def hot(door: Door, callers: ServiceCallers) -> HotRoutes:
    """The raw handler of the gateway's call."""

    async def submit_all(scope: Scope, _: Receive, send: Send) -> None:
        scope["palio.route"] = SUBMISSIONS_PATH
        await callers.service(scope, _GATEWAY)
        entries = _entries(body_of(scope))
        assert door.submissions is not None
        replies = await door.submissions.submit(entries)
        await respond(send, _OK, _encode_replies(replies), content_type=_MSGPACK)

    def pick(scope: Scope) -> HotHandler | None:
        return submit_all if scope["path"] == SUBMISSIONS_PATH and scope["method"] == "POST" else None

    return pick


def _entries(body: bytes) -> list[Entry]:
    try:
        entries = _decode_entries(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest("An array of [token, body, idempotency key, traceparent] is expected.") from error
    if len(entries) > _ENTRIES_MAX:
        raise BadRequest(f"At most {_ENTRIES_MAX} submissions are taken in one call.")
    return entries


def _response(reply: Reply) -> Response:
    headers = {"cache-control": "no-store"} if reply.status != _CREATED else {}
    if reply.retry_after_s:
        headers["retry-after"] = str(reply.retry_after_s)
    if reply.status == Unauthorized.status:
        headers["www-authenticate"] = "Bearer"
    if reply.replayed:
        headers[REPLAYED] = "true"
    media_type = "application/json" if reply.status == _CREATED else CONTENT_TYPE
    return Response(reply.body, reply.status, headers, media_type=media_type)
