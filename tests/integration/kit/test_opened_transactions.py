"""A transaction whose BEGIN brings its first statement along is a transaction like any other."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from palio_kit import postgres
from palio_kit.postgres import Database
from palio_kit.problems import OutcomeUnknown, Unavailable
from palio_kit.settings import DatabaseSettings


@pytest_asyncio.fixture
async def database(owner_dsn: str) -> AsyncIterator[Database]:
    settings = DatabaseSettings(service="kit", database_url=owner_dsn, database_connections_max=2)
    async with postgres.connect(settings, server_settings={"enable_seqscan": "off"}) as opened:
        async with opened.transaction() as connection:
            await connection.execute("CREATE TABLE IF NOT EXISTS public.opened (n integer PRIMARY KEY)")
            await connection.execute("TRUNCATE public.opened")
        yield opened


async def numbers(database: Database) -> list[int]:
    async with database.connection() as connection:
        return [row["n"] for row in await connection.fetch("SELECT n FROM public.opened ORDER BY n")]


OPENING = "INSERT INTO public.opened VALUES (1)"


async def test_both_statements_are_committed_together(database: Database) -> None:
    async with database.transaction(opening=OPENING) as connection:
        await connection.execute("INSERT INTO public.opened VALUES (2)")
        assert await numbers(database) == []
    assert await numbers(database) == [1, 2]


async def test_an_error_takes_both_back_and_leaves_the_connection_usable(database: Database) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction(opening=OPENING) as connection:
            await connection.execute("INSERT INTO public.opened VALUES (1)")
    assert await numbers(database) == []
    async with database.transaction(opening=OPENING):
        pass
    assert await numbers(database) == [1]


async def test_a_swallowed_error_is_no_commit(database: Database) -> None:
    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        async with database.transaction(opening=OPENING) as connection:
            with contextlib.suppress(asyncpg.DivisionByZeroError):
                await connection.execute("SELECT 1 / 0")
    assert await numbers(database) == []


async def test_a_connection_lost_before_the_commit_did_nothing_and_while_committing_is_unknown(
    database: Database, owner_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unavailable) as caught:
        async with database.transaction(opening=OPENING) as connection:
            await _end(owner_dsn, connection)
            await connection.execute("SELECT 1")
    assert not isinstance(caught.value, OutcomeUnknown)
    with pytest.raises(OutcomeUnknown):
        async with database.transaction(opening=OPENING) as connection:
            await _end(owner_dsn, connection)
    assert await numbers(database) == []


async def test_settings_of_the_server_reach_every_connection(database: Database) -> None:
    async with database.connection() as connection:
        assert await connection.fetchval("SHOW enable_seqscan") == "off"


async def _end(owner_dsn: str, connection: Any) -> None:
    other = await asyncpg.connect(owner_dsn)
    await other.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
    await other.close()
