"""A frozen, dead or emptied Redis costs little time and hides nothing."""

import asyncio
import time
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from palio_kit import events, redis
from palio_kit.events import Envelope, Subscriber
from palio_kit.redis import RedisAway
from palio_kit.settings import ServiceSettings
from palio_kit.tasks import running as loop_running
from palio_kit.testing.waiting import eventually

MakeSettings = Callable[..., ServiceSettings]


@pytest.fixture
def settings(make_settings: MakeSettings) -> ServiceSettings:
    return make_settings(ServiceSettings, service="score", port=0)


async def test_a_frozen_redis_is_given_up_soon_and_then_asked_no_more(make_settings: MakeSettings) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    frozen = make_settings(ServiceSettings, service="score", port=0, redis_url=SecretStr(f"redis://127.0.0.1:{port}"))
    async with redis.connect(frozen) as cache:
        started = time.monotonic()
        with pytest.raises(RedisAway):
            await cache.ping()
        given_up_s = time.monotonic() - started
        print(f"given up after {given_up_s:.2f} s (goal: 1.5 s)")
        assert given_up_s < 20, "redis-py alone waits for a minute"
        cache._breaker.open_s = 3_600
        for _ in range(2):
            with pytest.raises(RedisAway):
                await cache.ping()
        with pytest.raises(RedisAway, match="breaker open"):
            await cache.ping()
    server.close()
    await server.wait_closed()


async def test_events_arrive_in_order(settings: ServiceSettings) -> None:
    received: list[Envelope] = []
    losses = 0

    async def lost() -> None:
        nonlocal losses
        losses += 1

    subscriber = Subscriber(settings, received.append, lost)
    async with redis.connect(settings) as cache, loop_running("subscriber", subscriber.step):
        await eventually(lambda: _true(subscriber.connected))
        async with events.publishing(cache) as publisher:
            for number in range(50):
                publisher.publish("scores", {"number": number})
            await eventually(lambda: _true(len(received) == 50))
    assert [envelope.data["number"] for envelope in received] == list(range(50))
    assert losses == 1, "only the first connection, when nothing is known yet"


async def test_a_hole_in_the_numbers_is_told(settings: ServiceSettings) -> None:
    losses: list[int] = []
    received: list[Envelope] = []

    async def lost() -> None:
        losses.append(len(received))

    subscriber = Subscriber(settings, received.append, lost)
    async with redis.connect(settings) as cache, loop_running("subscriber", subscriber.step):
        await eventually(lambda: _true(subscriber.connected))
        publisher = events.Publisher(cache)
        publisher.publish("scores", 1)
        await publisher.send_next()
        publisher.publish("scores", 2)
        publisher._queue.get_nowait()
        publisher.publish("scores", 3)
        await publisher.send_next()
        await eventually(lambda: _true(len(received) == 2))
    assert len(losses) == 2


async def _true(value: object) -> bool:
    return bool(value)
