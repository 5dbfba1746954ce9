"""The tournament service under test."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2
import pytest

from integration.tournament.world import World
from palio_kit import postgres
from palio_kit.testing.issuer import Issuer
from palio_tournament.app import create_app
from palio_tournament.settings import Settings, for_settlement
from palio_tournament.settlement import Settler


@pytest.fixture
async def owner(owner_dsn: str) -> AsyncIterator[Any]:
    """The database as its owner sees it."""
    connection = await asyncpg.connect(owner_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def client(client_of: Any, make_settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """The service without its sweeper: tests settle when they want to."""
    async with client_of(create_app, make_settings(Settings, sweeper=False)) as opened:
        yield opened


@pytest.fixture
def world(client: httpx2.AsyncClient, owner: Any, issuer: Issuer) -> World:
    return World(client, owner, issuer)


@pytest.fixture
async def settler(make_settings: Any) -> AsyncIterator[Settler]:
    async with postgres.connect(for_settlement(make_settings(Settings), 4)) as database:
        yield Settler(database)
