"""The user service's paths: parse, one call, answer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from palio_kit.callers import SignedIn, only
from palio_kit.idempotency import BadKey, IdempotencyKey, KeyInFlight, KeyReused
from palio_kit.problems import Forbidden, Invalid, MalformedJson, Unauthorized, Unavailable, documented
from palio_kit.wire import StrictRoute, UuidText
from palio_user import domain
from palio_user.errors import (
    EmailTaken,
    InvalidCredentials,
    InvalidRefreshToken,
    RefreshReused,
    TooManyAttempts,
    UsernameTaken,
    UserNotFound,
    WrongPassword,
)
from palio_user.models import (
    ChangeRequest,
    GameStatsAnswer,
    GlobalStatsAnswer,
    LoginRequest,
    Me,
    NoArguments,
    PrizeAnswer,
    Profile,
    RefreshRequest,
    RegisterRequest,
    RolesAnswer,
    RolesRequest,
    ServerToken,
    StatsAnswer,
    TokensAnswer,
    TournamentStatsAnswer,
    VirtualPlayer,
    VirtualPlayersAnswer,
    VirtualPlayersRequest,
)
from palio_user.passwords import HashingBusy
from palio_user.service import AccessTokens, Accounts, Sessions, Stats
from palio_user.signing import Signer

public = APIRouter(prefix="/api/v1/users", route_class=StrictRoute, tags=["user"])
internal = APIRouter(prefix="/internal/v1", route_class=StrictRoute, include_in_schema=False)
virtual = APIRouter(prefix="/internal/v1", route_class=StrictRoute, include_in_schema=False)
"""Only where everybody knows that it is a demo."""
keys = APIRouter(route_class=StrictRoute, tags=["user"])


def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.app.state.accounts
    return accounts


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


WithAccounts = Annotated[Accounts, Depends(_accounts)]
WithSessions = Annotated[Sessions, Depends(_sessions)]


def _never_cached(response: Response) -> None:
    response.headers["cache-control"] = "no-store"


@public.post(
    "/register",
    status_code=201,
    response_model=Profile,
    responses=documented(
        MalformedJson, BadKey, UsernameTaken, EmailTaken, KeyReused, KeyInFlight, Invalid, HashingBusy, Unavailable
    ),
)
async def register(body: RegisterRequest, key: IdempotencyKey, accounts: WithAccounts) -> Response:
    """Make an account. Names are unique whatever their case, and are never given out twice."""
    return (await accounts.register(body, key)).response()


@public.post(
    "/login",
    dependencies=[Depends(_never_cached)],
    responses=documented(MalformedJson, InvalidCredentials, Invalid, TooManyAttempts, HashingBusy, Unavailable),
)
async def login(body: LoginRequest, sessions: WithSessions) -> TokensAnswer:
    """Open a session: an access token for 15 minutes, a refresh token for 14 days."""
    return await sessions.login(body.username, body.password)


@public.post(
    "/refresh",
    dependencies=[Depends(_never_cached)],
    responses=documented(MalformedJson, InvalidRefreshToken, RefreshReused, Invalid, Unavailable),
)
async def refresh(body: RefreshRequest, sessions: WithSessions) -> TokensAnswer:
    """Continue a session. Each refresh token works once; showing it again ends the session."""
    return await sessions.refresh(body.refresh_token)


@public.post("/logout", status_code=204, responses=documented(MalformedJson, Invalid, Unavailable))
async def logout(body: RefreshRequest, sessions: WithSessions) -> None:
    """End the session of a refresh token; nothing to end is fine too."""
    await sessions.logout(body.refresh_token)


@public.get("/me", dependencies=[Depends(_never_cached)], responses=documented(Unauthorized, UserNotFound, Unavailable))
async def me(caller: SignedIn, accounts: WithAccounts) -> Me:
    """The own account."""
    return await accounts.me(caller)


@public.patch(
    "/me",
    dependencies=[Depends(_never_cached)],
    responses=documented(
        MalformedJson, Unauthorized, WrongPassword, UserNotFound, EmailTaken, Invalid, TooManyAttempts, HashingBusy,
        Unavailable,
    ),
)  # fmt: skip
async def change_me(body: ChangeRequest, caller: SignedIn, accounts: WithAccounts) -> Me:
    """Change e-mail address, password or both. A new password ends all sessions."""
    return await accounts.change(caller, body.current_password, body.email, body.password)


@public.delete("/me", status_code=204, responses=documented(Unauthorized, Unavailable))
async def erase_me(caller: SignedIn, accounts: WithAccounts) -> None:
    """Erase e-mail address, password and sessions. Boards keep the scores of a `Deleted player`."""
    await accounts.erase(caller)


@public.get("/{user_id}", responses=documented(UserNotFound, Invalid, Unavailable))
async def profile(user_id: UuidText, accounts: WithAccounts) -> Profile:
    """What everybody may know of a user."""
    found = await accounts.profile(UUID(user_id))
    return Profile(id=found.user_id, username=found.username, created_at=found.created_at)


@public.get("/{user_id}/stats", responses=documented(UserNotFound, Invalid, Unavailable))
async def stats(user_id: UuidText, accounts: WithAccounts) -> StatsAnswer:
    """A player's standings, ranks, tournaments and prizes."""
    return _stats_answer(await accounts.stats(UUID(user_id)))


@public.put(
    "/{user_id}/roles",
    responses=documented(MalformedJson, Unauthorized, Forbidden, UserNotFound, Invalid, Unavailable),
)
async def set_roles(user_id: UuidText, body: RolesRequest, caller: SignedIn, accounts: WithAccounts) -> RolesAnswer:
    """Replace a user's roles (admin only); they count from the user's next access token on."""
    caller.require(domain.ADMIN)
    return RolesAnswer(id=UUID(user_id), roles=await accounts.set_roles(caller, UUID(user_id), body.roles))


@internal.post("/server-tokens", dependencies=[only("generator"), Depends(_never_cached)])
async def server_token(_: NoArguments, request: Request) -> ServerToken:
    """An access token for the generator, as a game server."""
    access: AccessTokens = request.app.state.accounts.access
    return ServerToken(access_token=access.of_generator())


@virtual.post("/virtual-players", dependencies=[only("generator"), Depends(_never_cached)])
async def virtual_players(body: VirtualPlayersRequest, accounts: WithAccounts) -> VirtualPlayersAnswer:
    """Accounts and access tokens for a load test's players: without them each would cost two password hashes."""
    made = await accounts.virtual_players(body.numbers)
    return VirtualPlayersAnswer(players=[VirtualPlayer(user_id=user_id, access_token=token) for user_id, token in made])


@keys.get("/.well-known/jwks.json")
async def key_set(request: Request) -> Response:
    """The keys that verify access tokens (RFC 7517)."""
    signer: Signer = request.app.state.accounts.access.signer
    return Response(signer.jwks, media_type="application/json", headers={"cache-control": "public, max-age=300"})


def _stats_answer(found: Stats) -> StatsAnswer:
    return StatsAnswer(
        user_id=found.profile.user_id,
        username=found.profile.username,
        submissions=sum(game.submissions for game in found.games),
        games=[
            GameStatsAnswer(
                game_id=game.game_id, score=game.score, rank=game.rank,
                submissions=game.submissions, reached_at=game.reached_at,
            )
            for game in found.games
        ],
        global_=GlobalStatsAnswer(score=found.overall.score, rank=found.overall.rank) if found.overall else None,
        tournaments=TournamentStatsAnswer(
            joined=found.tournaments.joined,
            won=found.tournaments.won,
            prizes=[PrizeAnswer(currency=prize.currency, amount=prize.amount) for prize in found.tournaments.prizes],
        ),
    )  # fmt: skip
