"""Boards for tests: the same standings in PostgreSQL, as the score service keeps them, and in Redis."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from redis.asyncio import Redis

from palio_kit.ids import new_id
from palio_kit.orderings import OrderingKeys, pack_member, pack_state, sort_score, to_microseconds

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Standing:
    user_id: UUID
    score: int
    reached_at: datetime
    version: int = 1

    def key(self, order: str) -> tuple[int, datetime, bytes]:
        return (sort_score(self.score, order), self.reached_at, self.user_id.bytes)


@dataclass
class World:
    owner: asyncpg.Connection
    redis: "Redis"

    standing = Standing
    start = START

    @staticmethod
    def players(scores: Iterable[int], *, spread: int = 3) -> list[Standing]:
        """One player a score; `spread` moments are shared by all, so equal scores tie on time too."""
        return [
            Standing(
                UUID(int=number * 7919 % 10**6 + 1, version=4), score, START + timedelta(microseconds=number % spread)
            )
            for number, score in enumerate(scores)
        ]

    async def put(self, board: str, rows: Sequence[Standing], order: str = "desc", *, cached: bool = True) -> None:
        """Make these the board's standings; in Redis too if `cached`."""
        await self.store(board, rows)
        if cached:
            await self.cache(board, rows, order)
        else:
            await self.forget(board)

    async def store(self, board: str, rows: Sequence[Standing]) -> None:
        await self.owner.execute("DELETE FROM score.standings WHERE board = $1", board)
        await self.owner.copy_records_to_table(
            "standings",
            schema_name="score",
            columns=["board", "user_id", "score", "total", "reached_at", "version", "submissions"],
            records=[(board, row.user_id, row.score, row.score, row.reached_at, row.version, 1) for row in rows],
        )

    async def cache(self, board: str, rows: Sequence[Standing], order: str = "desc", *, epoch: str = "e1") -> None:
        keys = OrderingKeys.of(board)
        await self.redis.unlink(keys.order, keys.players)
        for row in rows:
            reached = to_microseconds(row.reached_at)
            member = pack_member(reached, row.user_id)
            await self.redis.zadd(keys.order, {member: sort_score(row.score, order)})
            await self.redis.hset(keys.players, row.user_id.bytes, pack_state(reached, row.version))
        await self.redis.hincrby(keys.meta, "version", 1)
        await self.redis.hset(keys.meta, mapping={"epoch": epoch, "state": "ready"})

    async def forget(self, board: str) -> None:
        await self.redis.unlink(*OrderingKeys.of(board).all())

    async def users(self, rows: Iterable[Standing], name: str = "player") -> None:
        """Accounts for these players, named by number."""
        for number, row in enumerate(rows):
            await self.owner.execute(
                "INSERT INTO users.accounts (user_id, username, username_key, email, password_hash, created_at)"
                " VALUES ($1, $2, sha256(convert_to($2, 'UTF8')), $3, 'x', now()) ON CONFLICT DO NOTHING",
                row.user_id,
                f"{name}-{number}",
                f"{name}-{number}@example.org",
            )

    async def tournament(self, *, order: str = "desc", ties: str = "EarliestAchieved") -> UUID:
        tournament_id = new_id()
        await self.owner.execute(
            "INSERT INTO tournament.tournaments (id, name, game_id, format, keep, score_order, ties, starts_at,"
            " ends_at, settles_at, entry, max_participants, prize_pool, currency, created_by)"
            " VALUES ($1, 'Palio', 'space-race', 'ScoreRace', 'best', $2, $3, now(), now() + interval '1 hour',"
            " now() + interval '1 hour', 'UntilEnd', 1000, 0, 'COIN', $1)",
            tournament_id,
            order,
            ties,
        )
        return tournament_id


@pytest.fixture
async def world(owner_dsn: str, redis_url: str) -> AsyncIterator[World]:
    connection = await asyncpg.connect(owner_dsn)
    async with Redis.from_url(redis_url) as redis:
        try:
            yield World(connection, redis)
        finally:
            await connection.close()
