"""The yardstick: the same rows written by bare asyncpg, without HTTP, tokens, ranks, batching or any other service."""

import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

from bench.workloads import SCORE_FIRST, SCORE_LAST, player_id
from palio_kit.ids import new_id

if TYPE_CHECKING:
    from bench.client import Loop

TABLES = """
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
CREATE TABLE bench.submissions (LIKE score.submissions INCLUDING ALL);
CREATE TABLE bench.standings (LIKE score.standings INCLUDING ALL);
"""
"""The score service's own tables, indexes and storage parameters included."""

_GAME = "space-race"
_BOARDS = ["game:space-race", "global"]
"""Whose standings a submission changes: what palio writes durably is written here too, without what it reads."""

_ONE = """
INSERT INTO bench.submissions (id, user_id, game_id, score, accepted_at, counted) VALUES ($1, $2, $3, $4, $5, true)
"""
_MANY = """
WITH submitted AS (
    INSERT INTO bench.submissions (id, user_id, game_id, score, accepted_at, counted)
    SELECT id, user_id, $5, score, $4, true
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS row (id, user_id, score)
    RETURNING user_id, score
)
INSERT INTO bench.standings AS held (board, user_id, score, total, reached_at, version, submissions)
SELECT board, user_id, max(score), max(score), $4, 1, count(*)
FROM submitted, unnest($6::text[]) AS board GROUP BY board, user_id ORDER BY board COLLATE "C", user_id
ON CONFLICT (board, user_id) DO UPDATE
SET score = greatest(held.score, excluded.score), total = greatest(held.total, excluded.total),
    reached_at = excluded.reached_at, version = held.version + 1, submissions = held.submissions + excluded.submissions
"""


@asynccontextmanager
async def connections(dsn: str, count: int) -> AsyncIterator[Sequence[Any]]:
    """Connections whose commits wait for the disk."""
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "on"})
            stack.push_async_callback(connection.close)
            opened.append(connection)
        yield opened


async def insert_forever(connection: Any, loop: "Loop", players: int) -> None:
    """One transaction after another: a row by itself, or many rows and their standings in one statement."""
    users = [UUID(player_id(number)) for number in range(players)]
    write = _one if loop.operations_each == 1 else _many
    statement = await connection.prepare(_ONE if loop.operations_each == 1 else _MANY)
    while loop.sending:
        started = time.perf_counter()
        await write(statement, users, loop.operations_each)
        loop.window.count(time.perf_counter() - started, loop.operations_each)


async def _one(statement: Any, users: Sequence[UUID], _: int) -> None:
    await statement.fetch(
        new_id(), random.choice(users), _GAME, random.randint(SCORE_FIRST, SCORE_LAST), datetime.now(UTC)
    )


async def _many(statement: Any, users: Sequence[UUID], rows: int) -> None:
    chosen = random.choices(users, k=rows)
    scores = [random.randint(SCORE_FIRST, SCORE_LAST) for _ in chosen]
    await statement.fetch([new_id() for _ in chosen], chosen, scores, datetime.now(UTC), _GAME, _BOARDS)
