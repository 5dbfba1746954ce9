"""Live events between services over Redis pub/sub, with the loss that pub/sub hides made visible.

Each publisher numbers its events. A subscriber that sees a hole, or hears nothing from a known publisher for three
seconds, knows that it lost something and says so; what then must be read again is the subscriber's decision.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from palio_kit import metrics, tasks, tracing
from palio_kit.ids import new_id
from palio_kit.logs import logger
from palio_kit.redis import Cache, RedisAway, client
from palio_kit.settings import ServiceSettings

log = logger(__name__)

CHANNEL = "palio:events"
HEARTBEAT = "heartbeat"
FAREWELL = "farewell"

_QUEUE_MAX = 1_000
_HEARTBEAT_S = 1.0
_SILENCE_MAX_S = 3.0
_READ_TIMEOUT_S = 1.0


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """One event on the wire (msgpack array). `source` is one publisher process, `sequence` counts within it."""

    source: str
    sequence: int
    kind: str
    time: float
    trace_id: str
    data: Any


_decoder = msgspec.msgpack.Decoder(Envelope)


class Publisher:
    """Publishes in the background; never blocks or fails the caller. What is not sent leaves a hole in the numbers."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.source = str(new_id())
        self._sequence = 0
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE_MAX)

    def publish(self, kind: str, data: object) -> None:
        """Queue one event; dropped (and counted) if 1,000 wait already."""
        self._sequence += 1
        envelope = Envelope(self.source, self._sequence, kind, time.time(), tracing.current().trace_id, data)
        try:
            self._queue.put_nowait(msgspec.msgpack.encode(envelope))
        except asyncio.QueueFull:
            metrics.EVENTS.labels("dropped").inc()

    async def send_next(self) -> None:
        """Send what waits, or a heartbeat after a second of nothing."""
        try:
            async with asyncio.timeout(_HEARTBEAT_S):
                message = await self._queue.get()
        except TimeoutError:
            self.publish(HEARTBEAT, None)
            message = self._queue.get_nowait()
        try:
            await self._cache.call(lambda redis: redis.publish(CHANNEL, message))
            metrics.EVENTS.labels("published").inc()
        except RedisAway:
            metrics.EVENTS.labels("unsent").inc()

    async def farewell(self) -> None:
        """Tell subscribers that this source ends here on purpose."""
        self.publish(FAREWELL, None)
        while not self._queue.empty():
            await self.send_next()


@asynccontextmanager
async def publishing(cache: Cache) -> AsyncIterator[Publisher]:
    """A publisher with its background sender."""
    publisher = Publisher(cache)
    task = asyncio.create_task(_send_forever(publisher), name="events-publisher")
    try:
        yield publisher
    finally:
        await tasks.end(task)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await publisher.farewell()


async def _send_forever(publisher: Publisher) -> None:
    while True:
        await publisher.send_next()


class Continuity:
    """Remembers each source's last number and time (pure: time comes in)."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, float]] = {}

    def accepts(self, envelope: Envelope, now: float) -> bool:
        """Note an envelope; False if something of its source was lost before it."""
        last = self._last.get(envelope.source)
        self._last[envelope.source] = (envelope.sequence, now)
        if envelope.kind == FAREWELL:
            del self._last[envelope.source]
        return last is None or envelope.sequence == last[0] + 1

    def fell_silent(self, now: float) -> bool:
        """Whether a known source said nothing for too long; such sources are forgotten, so it is said once."""
        silent = [source for source, (_, heard_at) in self._last.items() if now - heard_at > _SILENCE_MAX_S]
        for source in silent:
            del self._last[source]
        return bool(silent)

    def forget(self) -> None:
        """Start over (after a reconnect)."""
        self._last.clear()


class Subscriber:
    """Hands each event to `on_event`, and calls `on_loss` when something may have been missed."""

    def __init__(
        self,
        settings: ServiceSettings,
        on_event: Callable[[Envelope], None],
        on_loss: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._on_loss = on_loss
        self._continuity = Continuity()
        self.connected = False

    async def step(self) -> float:
        """Subscribe and listen until the connection is lost (a step of `tasks.running`)."""
        redis = client(self._settings, timeout_s=_READ_TIMEOUT_S * 2)
        try:
            await self._listen(redis)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("events_connection_lost", error=repr(error))
        finally:
            self.connected = False
            await redis.aclose()
            await redis.connection_pool.disconnect()
        return 0.2

    async def _listen(self, redis: Redis) -> None:
        async with redis.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            self._continuity.forget()
            self.connected = True
            await self._on_loss()
            while True:
                # Bounded: a blocking read would wait for ever on a frozen Redis (redis-py passes math.inf).
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=_READ_TIMEOUT_S)
                if message is not None:
                    await self._receive(message["data"])
                if self._continuity.fell_silent(time.monotonic()):
                    await self._on_loss()
                    await redis.ping()  # raises if it is Redis that went silent

    async def _receive(self, data: bytes) -> None:
        envelope = _decoder.decode(data)
        if not self._continuity.accepts(envelope, time.monotonic()):
            await self._on_loss()
        if envelope.kind not in (HEARTBEAT, FAREWELL):
            self._on_event(envelope)
