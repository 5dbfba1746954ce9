"""The game service's paths: parse, one call, answer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from palio_game.errors import GameExists, GameNotFound
from palio_game.models import CreateGame, GameAnswer
from palio_game.service import Catalogue
from palio_kit.callers import SignedIn
from palio_kit.idempotency import BadKey, IdempotencyKey, KeyInFlight, KeyReused
from palio_kit.paging import BadCursor
from palio_kit.problems import Forbidden, Invalid, MalformedJson, Unauthorized, Unavailable, documented
from palio_kit.wire import Page, Slug, StrictRoute

router = APIRouter(prefix="/api/v1/games", route_class=StrictRoute, tags=["game"])


def _catalogue(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.catalogue
    return catalogue


WithCatalogue = Annotated[Catalogue, Depends(_catalogue)]
Limit = Annotated[int, Query(ge=1, le=100)]
Cursor = Annotated[str | None, Query()]


@router.get("", responses=documented(BadCursor, Invalid, Unavailable))
async def games(catalogue: WithCatalogue, limit: Limit = 50, cursor: Cursor = None) -> Page[GameAnswer]:
    """All games, by id."""
    return await catalogue.page(limit, cursor)


@router.get("/{game_id}", responses=documented(GameNotFound, Invalid, Unavailable))
async def game(game_id: Slug, catalogue: WithCatalogue) -> GameAnswer:
    """One game with its rules."""
    return await catalogue.one(game_id)


@router.post(
    "",
    status_code=201,
    response_model=GameAnswer,
    responses=documented(
        MalformedJson, BadKey, Unauthorized, Forbidden, GameExists, KeyReused, KeyInFlight, Invalid, Unavailable
    ),
)
async def create(body: CreateGame, caller: SignedIn, key: IdempotencyKey, catalogue: WithCatalogue) -> Response:
    """Add a game (organisers, admins, game servers). Its rules can never be changed."""
    return (await catalogue.create(caller, body.game(), key)).response()
