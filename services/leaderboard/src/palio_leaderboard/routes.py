"""The leaderboard service's paths: public reads, and the raw handlers of the calls that carry most of the load."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request, Response

from palio_kit.asgi import HotHandler, Receive, Scope, Send, body_of, respond
from palio_kit.callers import ServiceCallers, only
from palio_kit.paging import BadCursor
from palio_kit.problems import CONTENT_TYPE, Invalid, Unavailable, documented
from palio_kit.wire import Slug, StrictRoute, UuidText
from palio_leaderboard import domain
from palio_leaderboard.errors import BoardNotFound, NotRanked
from palio_leaderboard.models import BoardAround, BoardPage, BoardRank, RanksAsked, RanksFound, Read, Top
from palio_leaderboard.service import Reads, Reply

public = APIRouter(prefix="/api/v1/leaderboard", route_class=StrictRoute, tags=["leaderboard"])
internal = APIRouter(prefix="/internal/v1", route_class=StrictRoute, include_in_schema=False)

_ITEMS_MAX = 1_000
_NOT_MODIFIED, _ERROR = 304, 400

Limit = Annotated[int, Query(ge=1, le=domain.PAGE_MAX)]
Radius = Annotated[int, Query(ge=1, le=domain.RADIUS_MAX)]
Cursor = Annotated[str | None, Query(max_length=512)]
Known = Annotated[str | None, Header(alias="if-none-match", max_length=512)]
GameId = Annotated[Slug, Path()]
Id = Annotated[UuidText, Path()]

_NOT_CHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "As the client knows it"}}
_PAGE = {200: {"model": BoardPage}, **_NOT_CHANGED, **documented(BadCursor, BoardNotFound, Invalid, Unavailable)}
_RANK = {200: {"model": BoardRank}, **_NOT_CHANGED, **documented(BoardNotFound, NotRanked, Invalid, Unavailable)}
_AROUND = {**_RANK, 200: {"model": BoardAround}}


@public.get("/global", responses=_PAGE)
async def global_page(
    request: Request, limit: Limit = domain.PAGE_DEFAULT, cursor: Cursor = None, known: Known = None
) -> Response:
    """A page of the board across all games."""
    return await _one(request, Read("page", "global", None, limit, cursor, known))


@public.get("/global/rank/{user_id}", responses=_RANK)
async def global_rank(request: Request, user_id: Id, known: Known = None) -> Response:
    """A player's line on the board across all games."""
    return await _one(request, Read("rank", "global", user_id, 0, None, known))


@public.get("/global/around/{user_id}", responses=_AROUND)
async def global_around(
    request: Request, user_id: Id, radius: Radius = domain.RADIUS_DEFAULT, known: Known = None
) -> Response:
    """The lines around a player on the board across all games."""
    return await _one(request, Read("around", "global", user_id, radius, None, known))


@public.get("/game/{game_id}", responses=_PAGE)
async def game_page(
    request: Request, game_id: GameId, limit: Limit = domain.PAGE_DEFAULT, cursor: Cursor = None, known: Known = None
) -> Response:
    """A page of a game's board."""
    return await _one(request, Read("page", f"game:{game_id}", None, limit, cursor, known))


@public.get("/game/{game_id}/rank/{user_id}", responses=_RANK)
async def game_rank(request: Request, game_id: GameId, user_id: Id, known: Known = None) -> Response:
    """A player's line on a game's board."""
    return await _one(request, Read("rank", f"game:{game_id}", user_id, 0, None, known))


@public.get("/game/{game_id}/around/{user_id}", responses=_AROUND)
async def game_around(
    request: Request, game_id: GameId, user_id: Id, radius: Radius = domain.RADIUS_DEFAULT, known: Known = None
) -> Response:
    """The lines around a player on a game's board."""
    return await _one(request, Read("around", f"game:{game_id}", user_id, radius, None, known))


@public.get("/tournament/{tournament_id}", responses=_PAGE)
async def tournament_page(
    request: Request, tournament_id: Id, limit: Limit = domain.PAGE_DEFAULT, cursor: Cursor = None, known: Known = None
) -> Response:
    """A page of a tournament's live board."""
    return await _one(request, Read("page", f"tournament:{tournament_id}", None, limit, cursor, known))


@public.get("/tournament/{tournament_id}/rank/{user_id}", responses=_RANK)
async def tournament_rank(request: Request, tournament_id: Id, user_id: Id, known: Known = None) -> Response:
    """A player's line on a tournament's live board."""
    return await _one(request, Read("rank", f"tournament:{tournament_id}", user_id, 0, None, known))


@public.get("/tournament/{tournament_id}/around/{user_id}", responses=_AROUND)
async def tournament_around(
    request: Request, tournament_id: Id, user_id: Id, radius: Radius = domain.RADIUS_DEFAULT, known: Known = None
) -> Response:
    """The lines around a player on a tournament's live board."""
    return await _one(request, Read("around", f"tournament:{tournament_id}", user_id, radius, None, known))


@internal.post("/ranks", dependencies=[only("user")])
async def ranks(body: RanksAsked, request: Request) -> RanksFound:
    """A player's places on some boards."""
    reads: Reads = request.app.state.reads
    return RanksFound(ranks=await reads.places(bytes.fromhex(body.user_id.replace("-", "")), body.boards))


async def _one(request: Request, read: Read) -> Response:
    reads: Reads = request.app.state.reads
    (reply,) = await reads.answer([read])
    return _response(reply)


def _response(reply: Reply) -> Response:
    status, body, etag = reply
    if status == _NOT_MODIFIED:
        return Response(status_code=status, headers={"etag": etag, "cache-control": "no-cache"})
    if status < _ERROR:
        return Response(body, status, {"etag": etag, "cache-control": "no-cache"}, "application/json")
    retry = {"retry-after": "1"} if status == Unavailable.status else {}
    return Response(body, status, {"cache-control": "no-store", **retry}, CONTENT_TYPE)


_reads_decoder = msgspec.msgpack.Decoder(list[Read])
_tops_decoder = msgspec.msgpack.Decoder(list[Top])
_pack = msgspec.msgpack.Encoder().encode


class HotCalls:
    """The raw handlers of `/internal/v1/reads` and `/internal/v1/tops`; `reads` is there once the service is open."""

    reads: Reads

    def __init__(self, callers: ServiceCallers) -> None:
        self._callers = callers
        self._handlers: dict[str, HotHandler] = {
            "/internal/v1/reads": self._handler("gateway", _reads_decoder, self._answer),
            "/internal/v1/tops": self._handler("websocket", _tops_decoder, self._tops),
        }

    def __call__(self, scope: Scope) -> HotHandler | None:
        """The handler of this request, if it is one of the hot calls."""
        return self._handlers.get(scope["path"]) if scope["method"] == "POST" else None

    async def _answer(self, asked: list[Read]) -> object:
        return await self.reads.answer(asked)

    async def _tops(self, asked: list[Top]) -> object:
        return await self.reads.tops(asked)

    def _handler(
        self, caller: str, decoder: "msgspec.msgpack.Decoder[Any]", answer: Callable[[list[Any]], Awaitable[object]]
    ) -> HotHandler:
        allowed = frozenset((caller,))

        async def handle(scope: Scope, _: Receive, send: Send) -> None:
            scope["palio.route"] = scope["path"]
            await self._callers.service(scope, allowed)
            answers = await answer(_decoded(decoder, body_of(scope)))
            await respond(send, 200, _pack(answers), content_type=b"application/msgpack")

        return handle


def _decoded(decoder: "msgspec.msgpack.Decoder[Any]", body: bytes) -> list[Any]:
    try:
        items: list[Any] = decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Invalid("The body is not the array this call takes.") from error
    if len(items) > _ITEMS_MAX:
        raise Invalid(f"At most {_ITEMS_MAX} items a call.")
    return items
