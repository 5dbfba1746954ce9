"""The scripts of the score service on a real Redis."""

from collections.abc import AsyncIterator

import pytest_asyncio
import redis.asyncio

from palio_kit.redis import Cache
from palio_score.boards import Boards


@pytest_asyncio.fixture
async def raw(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def boards(raw: redis.asyncio.Redis) -> AsyncIterator[Boards]:
    cache = Cache(raw)
    yield Boards(cache)
    await cache.lanes.close()
