"""Redis: never waited for long, never trusted with anything that cannot be rebuilt.

redis-py retries ten times with five seconds each by default, which turns a frozen Redis into a minute's wait;
here it is `redis_timeout_s`, one retry, then a breaker. Because a lost reply is retried, every write must be absolute.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from palio_kit import metrics
from palio_kit.settings import ServiceSettings

T = TypeVar("T")

_CONNECTIONS_MAX = 16
_FAILURES_TO_OPEN = 3
_OPEN_S = 1.0


class RedisAway(RuntimeError):
    """Redis did not answer in time, or was not asked because the breaker is open."""


@dataclass(slots=True)
class Breaker:
    """Opens after `failures_to_open` failures in a row, lets one call probe after `open_s` (pure: time comes in)."""

    failures_to_open: int = _FAILURES_TO_OPEN
    open_s: float = _OPEN_S
    failures: int = 0
    closed_again_at: float = 0.0

    def allows(self, now: float) -> bool:
        """Whether a call may be tried now; a probe keeps others out until it is answered."""
        if self.failures < self.failures_to_open:
            return True
        if now < self.closed_again_at:
            return False
        self.closed_again_at = now + self.open_s
        return True

    def succeeded(self) -> None:
        """A call was answered."""
        self.failures = 0

    def failed(self, now: float) -> None:
        """A call was not answered."""
        self.failures += 1
        if self.failures >= self.failures_to_open:
            self.closed_again_at = now + self.open_s

    @property
    def is_open(self) -> bool:
        """Whether calls are refused for now."""
        return self.failures >= self.failures_to_open


class Lanes:
    """Connections for the hot path, past redis-py's pool and pipeline, which cost more than the round trip itself."""

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._idle: list[AbstractConnection] = []

    async def exchange(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands in one write and read their answers; if the connection is lost, once more on a new one.

        Raises:
            RedisError, OSError, TimeoutError: no answers, or the first one that is an error (all were carried out).
        """
        try:
            return await self._once(commands)
        except (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError):
            await self.close()  # what was idle beside a lost connection is most likely lost too
            return await self._once(commands)

    async def close(self) -> None:
        """Close what is idle."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)

    async def _once(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        connection: AbstractConnection = self._idle.pop() if self._idle else self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            answers = [await _answer(connection) for _ in commands]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._idle.append(connection)
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
        return answers


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:  # the other answers are still to be read
        return error


class Cache:
    """The process's Redis behind its breaker."""

    def __init__(self, client: Redis, breaker: Breaker | None = None) -> None:
        self._client = client
        self._breaker = breaker or Breaker()
        self.lanes = Lanes(client)

    async def call(self, make: Callable[[Redis], Awaitable[T]]) -> T:
        """Run one call.

        Raises:
            RedisAway: no answer in time. The call may or may not have been carried out.
        """
        if not self._breaker.allows(time.monotonic()):
            metrics.REDIS_CALLS.labels("refused").inc()
            raise RedisAway("breaker open")
        try:
            answer = await make(self._client)
        except (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self._breaker.failed(time.monotonic())
            metrics.REDIS_CALLS.labels("failed").inc()
            metrics.REDIS_BREAKER_OPEN.set(self._breaker.is_open)
            raise RedisAway(str(error)) from error
        self._breaker.succeeded()
        metrics.REDIS_CALLS.labels("answered").inc()
        metrics.REDIS_BREAKER_OPEN.set(0)
        return answer

    def script(self, package: str, name: str) -> AsyncScript:
        """The Lua script in `<package>/lua/<name>.lua`, loaded on first use. Run it inside `call`."""
        return self._client.register_script(lua(package, name))

    async def ping(self) -> None:
        """Prove that Redis answers (readiness)."""
        await self.call(_ping)


async def _ping(client: Redis) -> None:
    await client.ping()


def client(settings: ServiceSettings, *, timeout_s: float | None = None) -> Redis:
    """A bounded redis-py client named after the service; binary replies."""
    timeout = timeout_s or settings.redis_timeout_s
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        max_connections=_CONNECTIONS_MAX,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        socket_keepalive=True,
        retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.1), 1),
        client_name=f"palio-{settings.service}",
    )
    return Redis(connection_pool=pool)


@asynccontextmanager
async def connect(settings: ServiceSettings) -> AsyncIterator[Cache]:
    """Open the client; a start needs no Redis."""
    connected = client(settings)
    cached = Cache(connected)
    try:
        yield cached
    finally:
        await cached.lanes.close()
        await connected.aclose()
        await connected.connection_pool.disconnect()


@cache
def lua(package: str, name: str) -> str:
    """The script in `<package>/lua/<name>.lua`."""
    return (resources.files(package) / "lua" / f"{name}.lua").read_text()
