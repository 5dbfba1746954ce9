"""Exchanges past redis-py's pool: answers in order, errors after all answers, a lost connection once more."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis.asyncio
from redis.exceptions import ResponseError

from palio_kit.redis import Lanes


@pytest_asyncio.fixture
async def raw(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def lanes(raw: redis.asyncio.Redis) -> AsyncIterator[Lanes]:
    made = Lanes(raw)
    yield made
    await made.close()


async def test_answers_come_in_the_order_of_their_commands(lanes: Lanes) -> None:
    assert await lanes.exchange([("SET", "lane", "1"), ("GET", "lane"), ("HMGET", "nothing", "a", "b")]) == [
        b"OK", b"1", [None, None]
    ]  # fmt: skip


async def test_an_error_is_raised_after_all_were_carried_out_and_spoils_nothing(lanes: Lanes) -> None:
    with pytest.raises(ResponseError):
        await lanes.exchange([("SET", "lane", "text"), ("HGET", "lane", "a"), ("SET", "lane", "after")])
    assert await lanes.exchange([("GET", "lane")]) == [b"after"]


async def test_a_connection_that_was_lost_is_replaced(lanes: Lanes, raw: redis.asyncio.Redis) -> None:
    assert await lanes.exchange([("CLIENT", "NO-EVICT", "OFF")]) == [b"OK"]
    await raw.client_kill_filter(_type="normal", skipme=True)
    assert await lanes.exchange([("ECHO", "again")]) == [b"again"]


async def test_exchanges_at_once_do_not_mix(lanes: Lanes) -> None:
    answers = await asyncio.gather(*(lanes.exchange([("ECHO", str(number))] * 3) for number in range(40)))
    assert answers == [[str(number).encode()] * 3 for number in range(40)]
