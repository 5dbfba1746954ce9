"""The pool tells apart what did not happen from what may have."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from palio_kit import postgres
from palio_kit.postgres import Database
from palio_kit.problems import OutcomeUnknown, Unavailable
from palio_kit.settings import ServiceSettings

MakeSettings = Callable[..., ServiceSettings]


@pytest.fixture
async def owner(owner_dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(owner_dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS public.notes (note text); TRUNCATE public.notes")
    await connection.execute("GRANT ALL ON public.notes TO PUBLIC")
    yield connection
    await connection.close()


@pytest.fixture
async def database(make_settings: MakeSettings, owner: Any) -> AsyncIterator[Database]:
    settings = make_settings(ServiceSettings, service="score", port=0, database_timeout_s=0.5)
    async with postgres.connect(settings) as opened:
        yield opened


async def notes(owner: Any) -> list[str]:
    return [row["note"] for row in await owner.fetch("SELECT note FROM public.notes")]


async def backend_of(connection: postgres.Connection) -> int:
    pid: int = await connection.fetchval("SELECT pg_backend_pid()")
    return pid


async def test_a_block_that_ends_is_committed(database: Database, owner: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO public.notes VALUES ('kept')")
    assert await notes(owner) == ["kept"]


async def test_a_block_that_raises_is_rolled_back(database: Database, owner: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO public.notes VALUES ('gone')")
            raise ZeroDivisionError
    assert await notes(owner) == []


async def test_a_connection_lost_before_the_commit_means_nothing_happened(database: Database, owner: Any) -> None:
    with pytest.raises(Unavailable) as problem:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO public.notes VALUES ('gone')")
            await owner.execute("SELECT pg_terminate_backend($1, 1000)", await backend_of(connection))
            await connection.execute("SELECT 1")
    assert not isinstance(problem.value, OutcomeUnknown)
    assert await notes(owner) == []


async def test_a_connection_lost_at_the_commit_leaves_the_outcome_unknown(database: Database, owner: Any) -> None:
    with pytest.raises(OutcomeUnknown):
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO public.notes VALUES ('who knows')")
            await owner.execute("SELECT pg_terminate_backend($1, 1000)", await backend_of(connection))


async def test_after_a_lost_connection_the_next_use_works(database: Database, owner: Any) -> None:
    with pytest.raises(Unavailable):
        async with database.connection() as connection:
            await owner.execute("SELECT pg_terminate_backend($1, 1000)", await backend_of(connection))
            await connection.execute("SELECT 1")
    await database.ping()


async def test_a_slow_statement_is_cancelled_by_the_server(database: Database) -> None:
    with pytest.raises(Unavailable):
        async with database.connection() as connection:
            await connection.execute("SELECT pg_sleep(30)")


async def test_a_taken_pool_is_unavailable_not_a_wait_for_ever(make_settings: MakeSettings, owner: Any) -> None:
    settings = make_settings(
        ServiceSettings, service="score", port=0, database_connections_max=1, database_timeout_s=0.2
    )
    async with postgres.connect(settings) as database, database.connection():
        with pytest.raises(Unavailable):
            await database.ping()


async def test_a_service_starts_without_its_database(make_settings: MakeSettings) -> None:
    nowhere = SecretStr("postgresql://palio_score:x@127.0.0.1:1/none")
    settings = make_settings(ServiceSettings, service="score", port=0, database_url=nowhere)
    async with postgres.connect(settings) as database:
        with pytest.raises(Unavailable):
            await database.ping()


async def test_two_thousand_cancelled_callers_leak_no_connection(database: Database) -> None:
    async def use() -> None:
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_sleep(0.01)")

    for _ in range(20):
        tasks = [asyncio.create_task(use()) for _ in range(100)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await asyncio.gather(*(database.ping() for _ in range(8)))
