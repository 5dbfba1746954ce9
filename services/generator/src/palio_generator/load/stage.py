"""Everything that must be there before load begins: a game, players with tokens and a score, perhaps a tournament.

All of it goes through the gateway's public paths (and the user service's, for accounts), and none of it is measured.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import override

from palio_generator.domain import Game
from palio_generator.errors import TargetElsewhere
from palio_generator.gateway import Gateway, Token, key_of
from palio_generator.load.plan import Plan, Scenario
from palio_generator.load.players import Accounts, MadeAccounts, Player, RegisteredAccounts, Tell
from palio_generator.load.schedule import MIXTURES, Kind, Traffic
from palio_generator.load.targets import Place
from palio_kit import http
from palio_kit.http import Identity, Peer
from palio_kit.problems import Problem

_CONNECTIONS_MAX = 32
_AT_ONCE = 16
_REQUEST_S = 10.0
_PATIENCE_S = 60.0
_FIND_S = 60.0
_FIND_AGAIN_S = 0.5
_RUSH_MARGIN_S = 30.0
"""How long players may take to join, and runners to wait for one another, before the last minute begins."""
_RUSH_PER_JOIN_S = 0.02


class NoStage(RuntimeError):
    """Something that load needs is not there; the message says what."""


class Surroundings(BaseSettings):
    """What a runner's environment tells it, in `PALIO_*` variables: how to make accounts, and which code this is."""

    model_config = SettingsConfigDict(env_prefix="PALIO_", frozen=True, extra="ignore")

    user_url: str | None = Field(None, description="the user service; without it players register at the gateway")
    generator_url: str | None = Field(None, description="the generator, which a LoadTest's runner asks for players")
    run_id: UUID | None = Field(None, description="the LoadTest's")
    identity_dir: Path | None = Field(None, description="service tokens, one file per callee")
    commit: str = Field("", description="of the code that runs")


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a run plays: `board` is the path of a leaderboard below `/api/v1/leaderboard/`."""

    game: Game
    board: str
    channels: Sequence[str]
    players: Mapping[int, Player]
    accounts: Accounts
    target: Mapping[str, str]


class _Pinned(AbstractResolver):
    """Answers with the one address that a place has."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @override
    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        address = self._place.address
        found = ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
        return [found]

    @override
    async def close(self) -> None:
        """Nothing to close."""


@asynccontextmanager
async def opened(plan: Plan, place: Place, surroundings: Surroundings, tell: Tell) -> AsyncIterator[Stage]:
    """Set the stage; it stays open for renewals of tokens.

    Raises:
        Problem, NoStage: something is not there.
    """
    async with AsyncExitStack() as stack:
        timeout = aiohttp.ClientTimeout(total=_REQUEST_S)
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, resolver=_Pinned(place))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        gateway = Gateway(session, place.target.origin + place.target.path, patience_s=_PATIENCE_S)
        accounts = await _accounts(stack, gateway, surroundings)
        game = await _game(gateway, plan.game_id)
        accounts, entered = await _entered(accounts, RegisteredAccounts(gateway), list(plan.own_users), tell)
        players = {player.number: player for player in entered}
        work = _Work(plan, gateway, game, players, tell)
        await work.give_first_scores()
        tournament_id = await work.tournament() if plan.scenario is Scenario.TOURNAMENT_RUSH else None
        board = f"tournament/{tournament_id}" if tournament_id else f"game/{game.game_id}"
        channels = ["score", f"leaderboard:{board.replace('/', ':')}"]
        yield Stage(game, board, channels, players, accounts, await _version(session, place))


async def _accounts(stack: AsyncExitStack, gateway: Gateway, surroundings: Surroundings) -> Accounts:
    if surroundings.identity_dir is None:
        return RegisteredAccounts(gateway)
    session = await stack.enter_async_context(http.client(_REQUEST_S, _CONNECTIONS_MAX))
    identity = Identity(surroundings.identity_dir)
    if surroundings.run_id is not None and surroundings.generator_url is not None:
        peer = Peer(session, identity, "generator", surroundings.generator_url.rstrip("/"))
        return MadeAccounts(peer, f"/internal/v1/loadtests/{surroundings.run_id}/players")
    if surroundings.user_url is not None:
        return MadeAccounts(Peer(session, identity, "user", surroundings.user_url.rstrip("/")))
    return RegisteredAccounts(gateway)


async def _entered(
    accounts: Accounts, registered: Accounts, numbers: Sequence[int], tell: Tell
) -> tuple[Accounts, list[Player]]:
    """The players, and who made them: where none are made for that target they register there."""
    try:
        return accounts, await accounts.enter(numbers, tell)
    except Problem as problem:
        if problem.code != TargetElsewhere.code:
            raise
    return registered, await registered.enter(numbers, tell)


async def _game(gateway: Gateway, game_id: str | None) -> Game:
    games = await gateway.games()
    found = next((game for game in games if game.game_id == game_id or (game_id is None and not game.ascending)), None)
    if found is None:
        known = ", ".join(game.game_id for game in games) or "none"
        raise NoStage(f"there is no game {game_id or 'in which more is better'}; known: {known}")
    return found


async def _version(session: aiohttp.ClientSession, place: Place) -> Mapping[str, str]:
    """What the gateway tells about itself; nothing if it keeps that to itself."""
    try:
        async with session.get(f"{place.target.origin}/version", allow_redirects=False) as answer:
            document = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return {}
    return {str(name): str(value) for name, value in document.items()} if isinstance(document, dict) else {}


@dataclass(frozen=True, slots=True)
class _Work:
    """What players do before the run."""

    plan: Plan
    gateway: Gateway
    game: Game
    players: Mapping[int, Player]
    tell: Tell

    async def give_first_scores(self) -> None:
        """A score for each, where ranks will be asked for; with the same key each time, so that it is only once."""
        if self.plan.scenario is Scenario.TOURNAMENT_RUSH or not self._asks_for_ranks:
            return
        scores = list(Traffic(self.plan, self.game).first_scores())
        await self._each("first scores", [self._first_score(user, score) for user, score in scores])

    async def tournament(self) -> str:
        """The tournament of this run, with all our players in it. Runner 0 makes it, the others find it by name.

        Raises:
            NoStage: it did not appear.
        """
        name = f"Load rush {self.plan.run_id or self.plan.seed}"
        tournament_id = await (self._make(name) if self.plan.share.index == 0 else self._find(name))
        await self._each("entries", [self._join(tournament_id, player) for player in self.players.values()])
        if self._asks_for_ranks:
            scores = Traffic(self.plan, self.game).first_scores()
            await self._each("first scores", [self._score_in(tournament_id, *one) for one in scores])
        return tournament_id

    @property
    def _asks_for_ranks(self) -> bool:
        return not {Kind.RANK, Kind.AROUND}.isdisjoint(MIXTURES[self.plan.scenario])

    async def _make(self, name: str) -> str:
        now = datetime.now(UTC)
        plan = self.plan
        lasts_s = plan.duration_s + _RUSH_MARGIN_S + _RUSH_PER_JOIN_S * plan.virtual_users
        tournament_id, _ = await self.gateway.create_tournament(
            name, self.game.game_id, places=max(2, plan.virtual_users), prize_pool=1_000,
            start=now, end=now + timedelta(seconds=lasts_s),
            key=key_of("load", name, now), token=self._token(next(iter(self.players.values()))),
        )  # fmt: skip
        return str(tournament_id)

    async def _find(self, name: str) -> str:
        deadline = time.monotonic() + _FIND_S
        while time.monotonic() < deadline:
            found = await self.gateway.tournament_named(name)
            if found is not None:
                return found
            await asyncio.sleep(_FIND_AGAIN_S)
        raise NoStage(f"runner 0 did not make the tournament {name!r} within {_FIND_S:.0f} s")

    async def _join(self, tournament_id: str, player: Player) -> None:
        key = key_of("load", tournament_id, player.user_id)
        await self.gateway.join(tournament_id, UUID(player.user_id), key=key, token=self._token(player))

    async def _first_score(self, user: int, score: int) -> None:
        await self._submit(user, score, key_of("load", "first", self.game.game_id, user, score))

    async def _score_in(self, tournament_id: str, user: int, score: int) -> None:
        await self._submit(user, score, key_of("load", tournament_id, user))

    async def _submit(self, user: int, score: int, key: str) -> None:
        player = self.players[user]
        await self.gateway.submit(UUID(player.user_id), self.game.game_id, score, token=self._token(player), key=key)

    async def _each(self, what: str, work: Sequence[Coroutine[Any, Any, None]]) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)
        done = 0

        async def one(piece: Coroutine[Any, Any, None]) -> None:
            nonlocal done
            async with gate:
                await piece
            done += 1
            self.tell(what, done, len(work))

        async with asyncio.TaskGroup() as group:
            for piece in work:
                group.create_task(one(piece))

    def _token(self, player: Player) -> Token:
        async def token() -> str:
            return player.token

        return token


def problem_in(error: BaseException) -> str | None:
    """What a problem (or the first of a group of them) says; None if it is none."""
    if isinstance(error, BaseExceptionGroup):
        return next((told for one in error.exceptions if (told := problem_in(one)) is not None), None)
    if isinstance(error, Problem):
        return f"{error.title} ({error.status} {error.code}). {error.detail or ''}".rstrip()
    return str(error) if isinstance(error, NoStage | OSError | TimeoutError) else None
