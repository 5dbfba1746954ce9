"""A score service with its stores, players and games, and ways to look behind it."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import msgspec
import pytest
import pytest_asyncio
import redis.asyncio

from palio_kit.callers import SERVICE_TOKEN_HEADER
from palio_kit.ids import new_id
from palio_kit.orderings import OrderingKeys, sort_score, unpack_member
from palio_kit.redis import Cache, RedisAway
from palio_kit.testing.issuer import Issuer
from palio_score.app import create_app
from palio_score.settings import Settings

ADD_GAME = """
INSERT INTO game.games
    (game_id, title, description, score_order, keep, score_min, score_max, score_unit, counts_globally)
VALUES ($1, $1, '', $2, $3, $4, $5, 'points', $6) ON CONFLICT DO NOTHING
"""
ADD_USER = """
INSERT INTO users.accounts (user_id, username_key, username, email, password_hash) VALUES ($1, $2, $3, $4, 'x')
"""
ADD_TOURNAMENT = """
INSERT INTO tournament.tournaments (id, name, game_id, format, keep, score_order, ties, starts_at, ends_at, settles_at,
    entry, max_participants, prize_pool, currency, created_by)
VALUES ($1, 'cup', $2, 'ScoreRace', $3, $4, $5, clock_timestamp() + $6, clock_timestamp() + $7,
    clock_timestamp() + $7 + interval '1 second', 'UntilEnd', 1000, 0, 'gold', $1)
"""
JOIN = "INSERT INTO tournament.entries (tournament_id, user_id) VALUES ($1, $2)"


@dataclass
class Player:
    """Somebody with a token."""

    user_id: str
    username: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}", "content-type": "application/json"}


@dataclass
class World:
    """What is behind the service: rows and keys that other services would have made."""

    owner: asyncpg.Connection
    redis: redis.asyncio.Redis
    issuer: Issuer

    async def game(
        self,
        order: str = "desc",
        keep: str = "best",
        *,
        low: int = -(2**53 - 1),
        high: int = 2**53 - 1,
        counts: bool = False,
    ) -> str:
        game_id = f"g{new_id().hex[-12:]}"
        await self.owner.execute(ADD_GAME, game_id, order, keep, low, high, counts)
        return game_id

    async def player(self, *roles: str) -> Player:
        user_id = new_id()
        username = f"p{user_id.hex[-12:]}"
        await self.owner.execute(ADD_USER, user_id, user_id.bytes, username, f"{username}@example.test")
        return Player(str(user_id), username, self.issuer.access_token(user_id, username, roles=("player", *roles)))

    async def tournament(
        self,
        game_id: str,
        *players: Player,
        keep: str = "best",
        order: str = "desc",
        ties: str = "EarliestAchieved",
        starts_s: float = -1,
        ends_s: float = 3600,
    ) -> str:
        tournament_id = new_id()
        await self.owner.execute(
            ADD_TOURNAMENT,
            tournament_id,
            game_id,
            keep,
            order,
            ties,
            timedelta(seconds=starts_s),
            timedelta(seconds=ends_s),
        )
        for player in players:
            await self.join(str(tournament_id), player)
        return str(tournament_id)

    async def join(self, tournament_id: str, player: Player) -> None:
        await self.owner.execute(JOIN, UUID(tournament_id), UUID(player.user_id))

    async def agreed(self, board: str) -> list[tuple[str, int]]:
        """The board's (player, score) in order, once Redis and SQL say the same.

        Raises:
            AssertionError: they do not.
        """
        order = await self.order_of(board)
        rows = await self.owner.fetch(
            f"SELECT user_id, score FROM score.standings WHERE board = $1 ORDER BY score {order}, reached_at, user_id",
            board,
        )
        in_sql = [(str(row["user_id"]), row["score"]) for row in rows]
        assert await self.in_redis(board, order) == in_sql
        return in_sql

    async def in_redis(self, board: str, order: str) -> list[tuple[str, int]]:
        keys = OrderingKeys.of(board)
        assert await self.redis.hget(keys.meta, "state") == b"ready"
        members: Any = await self.redis.zrange(keys.order, 0, -1, withscores=True)
        return [(str(unpack_member(member)[1]), sort_score(int(score), order)) for member, score in members]

    async def order_of(self, board: str) -> str:
        if board.startswith("tournament:"):
            tournament_id = UUID(board.removeprefix("tournament:"))
            statement = "SELECT score_order FROM tournament.tournaments WHERE id = $1"
            return str(await self.owner.fetchval(statement, tournament_id))
        if board == "global":
            return "desc"
        statement = "SELECT score_order FROM game.games WHERE game_id = $1"
        return str(await self.owner.fetchval(statement, board.removeprefix("game:")))

    async def standings(self, board: str) -> list[asyncpg.Record]:
        return await self.owner.fetch("SELECT * FROM score.standings WHERE board = $1", board)

    async def submissions(self, *players: Player) -> list[asyncpg.Record]:
        ids = [UUID(player.user_id) for player in players]
        return await self.owner.fetch("SELECT * FROM score.submissions WHERE user_id = ANY ($1) ORDER BY id", ids)


@dataclass
class Service:
    """The service and its callers."""

    client: httpx2.AsyncClient
    service_issuer: Issuer

    async def submit(
        self, player: Player, game_id: str, score: Any, *, key: str | None = None, user_id: str | None = None
    ) -> httpx2.Response:
        body = json.dumps({"user_id": user_id or player.user_id, "game_id": game_id, "score": score})
        return await self.send(player, body.encode(), key=key)

    async def send(self, player: Player, body: bytes, *, key: str | None = None) -> httpx2.Response:
        headers = player.headers | ({"idempotency-key": key} if key else {})
        return await self.client.post("/api/v1/scores", content=body, headers=headers)

    async def batch(self, player: Player, rows: list[Any], *, key: str | None = None) -> httpx2.Response:
        headers = player.headers | ({"idempotency-key": key} if key else {})
        return await self.client.post("/api/v1/scores/batch", content=json.dumps({"items": rows}), headers=headers)

    async def internal(self, entries: list[Any], *, caller: str = "gateway") -> httpx2.Response:
        headers = {
            SERVICE_TOKEN_HEADER: self.service_issuer.service_token(caller, "score"),
            "content-type": "application/msgpack",
        }
        return await self.client.post(
            "/internal/v1/submissions", content=msgspec.msgpack.encode(entries), headers=headers
        )

    def headers_as(self, caller: str) -> dict[str, str]:
        return {SERVICE_TOKEN_HEADER: self.service_issuer.service_token(caller, "score")}


@pytest_asyncio.fixture
async def world(owner_dsn: str, redis_url: str, issuer: Issuer) -> AsyncIterator[World]:
    owner = await asyncpg.connect(owner_dsn)
    client = redis.asyncio.Redis.from_url(redis_url)
    yield World(owner, client, issuer)
    await client.aclose()
    await owner.close()


@pytest.fixture
def make_settings(make_settings: Callable[..., Any]) -> Callable[..., Any]:
    """With a Redis that is waited for: a busy machine's late answer is not its absence, which costs a score its ranks.

    That absence is made by `redis_switch`.
    """
    return partial(make_settings, redis_timeout_s=5)


@pytest_asyncio.fixture
async def service(make_settings: Callable[..., Any], client_of: Any, service_issuer: Issuer) -> AsyncIterator[Service]:
    async with client_of(create_app, make_settings(Settings)) as client:
        yield Service(client, service_issuer)


@pytest.fixture
def settings(make_settings: Callable[..., Any]) -> Settings:
    made: Settings = make_settings(Settings)
    return made


class Switch:
    """Redis as the service sees it: away while `away`."""

    def __init__(self) -> None:
        self.away = False


@pytest.fixture
def redis_switch(monkeypatch: pytest.MonkeyPatch) -> Switch:
    switch = Switch()
    call = Cache.call

    async def switched(self: Cache, make: Any) -> Any:
        if switch.away:
            raise RedisAway("switched off")
        return await call(self, make)

    monkeypatch.setattr(Cache, "call", switched)
    return switch
