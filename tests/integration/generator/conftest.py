import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest

from integration.generator.gateway_stub import StubGateway, game
from palio_generator.app import create_app
from palio_generator.settings import Settings

GAMES = [game("space-race"), game("time-trial", "asc", 10_000, 3_600_000), game("chess", score_min=100, score_max=4000)]

Generator = Callable[[], AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture
def stub() -> StubGateway:
    return StubGateway(games=list(GAMES))


@pytest.fixture
def stub_url(stub: StubGateway, running: Any, make_settings: Any) -> Iterator[str]:
    with running(lambda _: stub.app(), make_settings(Settings)) as server:
        yield server.url


@pytest.fixture
def seed() -> int:
    """Another population for each test of a module, which share a database."""
    return uuid.uuid4().int % 2**31


@pytest.fixture
def settings(stub_url: str, make_settings: Any, seed: int) -> Settings:
    made: Settings = make_settings(
        Settings, gateway_url=stub_url, user_url=stub_url, seed=seed, population_users=8, population_submissions=300,
        patience_s=60,
    )  # fmt: skip
    return made


@pytest.fixture
def generator(client_of: Any, settings: Settings) -> Generator:
    """`async with generator() as client`: the service started; again for a restart."""

    def start() -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        made: AbstractAsyncContextManager[httpx2.AsyncClient] = client_of(create_app, settings)
        return made

    return start


@pytest.fixture
async def client(generator: Generator) -> AsyncIterator[httpx2.AsyncClient]:
    async with generator() as opened:
        yield opened
