"""The public routes of the tournament service: parse, one call, answer."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from palio_kit.callers import SignedIn
from palio_kit.idempotency import BadKey, IdempotencyKey, KeyInFlight, KeyReused
from palio_kit.paging import BadCursor
from palio_kit.problems import Forbidden, Invalid, MalformedJson, NotYourself, Unauthorized, Unavailable, documented
from palio_kit.wire import Answer, Page, Slug, StrictRoute, UuidText
from palio_tournament import models
from palio_tournament.domain import Phase
from palio_tournament.errors import (
    AwardNotFound,
    GameNotFound,
    NotEntered,
    TournamentClosed,
    TournamentFull,
    TournamentNotFound,
    TournamentSettled,
    UserNotFound,
)
from palio_tournament.service import Tournaments

router = APIRouter(prefix="/api/v1", route_class=StrictRoute, tags=["tournament"])

_KEYED = (BadKey, KeyReused, KeyInFlight, MalformedJson)


def _tournaments(request: Request) -> Tournaments:
    service: Tournaments = request.app.state.tournaments
    return service


def _again(model: type[Answer], description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model, "description": description}}


Service = Annotated[Tournaments, Depends(_tournaments)]
TournamentId = Annotated[UuidText, Path(description="the tournament's id")]
Cursor = Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post(
    "/tournaments",
    status_code=201,
    response_model=models.TournamentAnswer,
    responses=documented(Unauthorized, Forbidden, Invalid, GameNotFound, Unavailable, *_KEYED),
)
async def create_tournament(
    body: models.CreateTournament, caller: SignedIn, key: IdempotencyKey, tournaments: Service
) -> Response:
    """Create a tournament; organisers and admins may. Its rules can never be changed."""
    return (await tournaments.create(caller, key, body)).response()


@router.get("/tournaments", responses=documented(Invalid, BadCursor, Unavailable))
async def list_tournaments(
    tournaments: Service,
    phase: Annotated[Phase | None, Query()] = None,
    game_id: Annotated[Slug | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Page[models.TournamentAnswer]:
    """Tournaments, newest first."""
    return await tournaments.page(game_id=game_id, phase=phase, cursor=cursor, limit=limit)


@router.post(
    "/tournaments/register",
    status_code=201,
    response_model=models.EntryAnswer,
    responses=_again(models.EntryAnswer, "The player had joined before")
    | documented(
        Unauthorized, NotYourself, TournamentNotFound, TournamentFull, TournamentClosed, Invalid, UserNotFound,
        Unavailable, *_KEYED,
    ),
)  # fmt: skip
async def join_tournament(
    body: models.JoinRequest, caller: SignedIn, key: IdempotencyKey, tournaments: Service
) -> Response:
    """Enter the caller into a tournament; joining again answers 200 with the same entry."""
    return (await tournaments.join(caller, key, UUID(body.tournament_id), UUID(body.user_id))).response()


@router.get("/tournaments/{tournament_id}", responses=documented(TournamentNotFound, Invalid, Unavailable))
async def get_tournament(tournament_id: TournamentId, tournaments: Service) -> models.TournamentAnswer:
    """One tournament."""
    return await tournaments.tournament(UUID(tournament_id))


@router.delete(
    "/tournaments/{tournament_id}/entries/{user_id}",
    status_code=204,
    responses=documented(
        Unauthorized, NotYourself, TournamentNotFound, NotEntered, TournamentClosed, Invalid, Unavailable
    ),
)
async def leave_tournament(
    tournament_id: TournamentId, user_id: UuidText, caller: SignedIn, tournaments: Service
) -> None:
    """Give the caller's place back; possible until the start."""
    await tournaments.leave(caller, UUID(tournament_id), UUID(user_id))


@router.get(
    "/tournaments/{tournament_id}/standings",
    responses=documented(TournamentNotFound, Invalid, BadCursor, Unavailable),
)
async def get_standings(
    tournament_id: TournamentId, tournaments: Service, cursor: Cursor = None, limit: Limit = 20
) -> models.StandingsPage:
    """The standings: live until the settlement freezes them."""
    return await tournaments.standings(UUID(tournament_id), cursor=cursor, limit=limit)


@router.get(
    "/tournaments/{tournament_id}/prizes",
    responses=documented(TournamentNotFound, Invalid, BadCursor, Unavailable),
)
async def get_prizes(
    tournament_id: TournamentId, tournaments: Service, cursor: Cursor = None, limit: Limit = 20
) -> models.AwardsPage:
    """What was paid to whom, and what is left in the pool; nothing before the settlement."""
    return await tournaments.awards(UUID(tournament_id), cursor=cursor, limit=limit)


@router.post(
    "/tournaments/{tournament_id}/prizes/{transfer_id}/reverse",
    status_code=201,
    response_model=models.ReversalAnswer,
    responses=_again(models.ReversalAnswer, "It was reversed before")
    | documented(Unauthorized, Forbidden, TournamentNotFound, AwardNotFound, Invalid, Unavailable, *_KEYED),
)
async def reverse_prize(
    tournament_id: TournamentId, transfer_id: UuidText, caller: SignedIn, key: IdempotencyKey, tournaments: Service
) -> Response:
    """Take a prize back into the pool; admins may. The award stays on record beside its reversal."""
    return (await tournaments.reverse(caller, key, UUID(tournament_id), UUID(transfer_id))).response()


@router.post(
    "/tournaments/{tournament_id}/cancel",
    responses=documented(Unauthorized, Forbidden, TournamentNotFound, TournamentSettled, Invalid, Unavailable),
)
async def cancel_tournament(
    tournament_id: TournamentId, caller: SignedIn, tournaments: Service
) -> models.TournamentAnswer:
    """Cancel a tournament that is not settled; its creator and admins may. Nothing is paid."""
    return await tournaments.cancel(caller, UUID(tournament_id))


@router.get("/wallet", responses=documented(Unauthorized, Unavailable))
async def get_wallet(caller: SignedIn, tournaments: Service) -> models.WalletAnswer:
    """What the caller won and holds."""
    return await tournaments.wallet(caller)


@router.get("/wallet/entries", responses=documented(Unauthorized, Invalid, BadCursor, Unavailable))
async def get_wallet_entries(
    caller: SignedIn, tournaments: Service, cursor: Cursor = None, limit: Limit = 20
) -> Page[models.WalletEntryAnswer]:
    """What came into the caller's wallet and left it, newest first."""
    return await tournaments.wallet_entries(caller, cursor=cursor, limit=limit)
