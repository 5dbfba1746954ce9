"""One effect per key, whatever races."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from palio_kit import postgres
from palio_kit.idempotency import TABLE, Idempotency, Keyed, KeyInFlight, KeyReused, Outcome, fingerprint
from palio_kit.postgres import Connection
from palio_kit.problems import Conflict
from palio_kit.settings import ServiceSettings

KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def table(owner_dsn: str) -> None:
    asyncio.run(create_table(owner_dsn))


async def create_table(owner_dsn: str) -> None:
    connection = await asyncpg.connect(owner_dsn)
    await connection.execute("CREATE SCHEMA sample; GRANT USAGE ON SCHEMA sample TO PUBLIC")
    await connection.execute(TABLE.format(schema="sample", role="palio_game"))
    await connection.execute("CREATE TABLE sample.effects (n int); GRANT ALL ON sample.effects TO PUBLIC")
    await connection.close()


@pytest.fixture
async def database(make_settings: Callable[..., Any], table: None) -> AsyncIterator[postgres.Database]:
    settings = make_settings(ServiceSettings, service="game", port=0, database_connections_max=16)
    async with postgres.connect(settings) as opened:
        async with opened.transaction() as connection:
            await connection.execute("DELETE FROM sample.idempotency_keys; DELETE FROM sample.effects")
        yield opened


def keyed(body: bytes = b"{}", key: str | None = KEY) -> Keyed:
    return Keyed("POST /things", key, fingerprint(body))


async def effect(connection: Connection) -> Outcome:
    await connection.execute("INSERT INTO sample.effects VALUES (1)")
    return Outcome(201, b'{"made":true}')


async def effects(database: postgres.Database) -> int:
    async with database.connection() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM sample.effects")
    return count


async def test_the_same_key_and_body_replay_the_answer(database: postgres.Database) -> None:
    idempotency = Idempotency(database, "sample")
    first = await idempotency.run("ada", keyed(), effect)
    second = await idempotency.run("ada", keyed(), effect)
    assert (first.replayed, second.replayed) == (False, True)
    assert (second.status, second.body) == (first.status, first.body)
    assert await effects(database) == 1


async def test_another_body_under_the_key_is_refused(database: postgres.Database) -> None:
    idempotency = Idempotency(database, "sample")
    await idempotency.run("ada", keyed(), effect)
    with pytest.raises(KeyReused):
        await idempotency.run("ada", keyed(b'{"other":1}'), effect)


async def test_a_key_belongs_to_its_caller(database: postgres.Database) -> None:
    idempotency = Idempotency(database, "sample")
    await idempotency.run("ada", keyed(), effect)
    outcome = await idempotency.run("eve", keyed(), effect)
    assert not outcome.replayed
    assert await effects(database) == 2


async def test_without_a_key_a_request_is_a_new_one(database: postgres.Database) -> None:
    idempotency = Idempotency(database, "sample")
    for _ in range(2):
        assert not (await idempotency.run("ada", keyed(key=None), effect)).replayed
    assert await effects(database) == 2


async def test_a_refused_effect_keeps_nothing(database: postgres.Database) -> None:
    async def refused(connection: Connection) -> Outcome:
        await effect(connection)
        raise Conflict

    idempotency = Idempotency(database, "sample")
    with pytest.raises(Conflict):
        await idempotency.run("ada", keyed(), refused)
    assert not (await idempotency.run("ada", keyed(), effect)).replayed
    assert await effects(database) == 1


async def test_a_twin_in_flight_is_told_so(database: postgres.Database) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: Connection) -> Outcome:
        started.set()
        await go_on.wait()
        return await effect(connection)

    idempotency = Idempotency(database, "sample")
    first = asyncio.create_task(idempotency.run("ada", keyed(), slow))
    await started.wait()
    with pytest.raises(KeyInFlight):
        await idempotency.run("ada", keyed(), effect)
    go_on.set()
    assert (await first).status == 201
    assert await effects(database) == 1


async def test_a_race_has_one_effect(database: postgres.Database) -> None:
    idempotency = Idempotency(database, "sample")

    async def one() -> str:
        try:
            outcome = await idempotency.run("ada", keyed(), effect)
        except KeyInFlight:
            return "in flight"
        return "replayed" if outcome.replayed else "first"

    results = Counter(await asyncio.gather(*(one() for _ in range(200))))
    assert results["first"] == 1
    assert await effects(database) == 1
