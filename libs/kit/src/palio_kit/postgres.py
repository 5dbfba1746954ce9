"""PostgreSQL: a bounded pool whose failures are told apart by what they mean to the caller.

The one decision worth knowing: losing the connection during COMMIT is `OutcomeUnknown`, losing it before is
`Unavailable` (nothing happened). asyncpg raises the same exception for both, so writes go through `transaction()`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import asyncpg

from palio_kit import metrics
from palio_kit.logs import logger
from palio_kit.problems import OutcomeUnknown, Unavailable
from palio_kit.settings import DatabaseSettings

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    type_record = asyncpg.Record
    Connection = PoolConnectionProxy[type_record]
    Pool = asyncpg.Pool[type_record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

log = logger(__name__)

_CLOSE_TIMEOUT_S = 5.0
_AWAY = (
    OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError, asyncpg.OutOfMemoryError, asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,  # a connection that was told to end and has not noticed yet ("another operation")
)  # fmt: skip


class Database:
    """This service's pool. Reads use `connection()`, writes `transaction()`."""

    def __init__(self, pool: Pool, *, acquire_timeout_s: float) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for reads; each statement stands alone.

        Raises:
            Unavailable: PostgreSQL is away, too slow, or all connections are taken.
        """
        with self._as_unavailable():
            async with self._pool.acquire(timeout=self._acquire_timeout_s) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self, *, opening: str | None = None) -> AsyncIterator[Connection]:
        """One transaction, committed when the block ends and rolled back when it raises.

        Args:
            opening: a statement without parameters, sent together with BEGIN to save hot paths a round trip
                (asyncpg then knows nothing of this transaction: no cursors and no savepoints in it).

        Raises:
            Unavailable: it certainly did not happen.
            OutcomeUnknown: the connection was lost while committing.
        """
        async with self.connection() as connection:
            transaction = connection.transaction() if opening is None else _Opened(connection, opening)
            try:
                await transaction.start()
                yield connection
            except BaseException:
                with suppress(*_AWAY, asyncpg.PostgresError):
                    await transaction.rollback()
                raise
            await self._commit(transaction)

    async def ping(self) -> None:
        """Prove that a statement can be answered (readiness)."""
        async with self.connection() as connection:
            await connection.execute("SELECT 1")

    def observe(self) -> None:
        """Export the pool's state (called at each scrape)."""
        idle = self._pool.get_idle_size()
        metrics.DATABASE_CONNECTIONS.labels("idle").set(idle)
        metrics.DATABASE_CONNECTIONS.labels("used").set(self._pool.get_size() - idle)
        metrics.DATABASE_CONNECTIONS.labels("max").set(self._pool.get_max_size())

    async def _commit(self, transaction: "asyncpg.transaction.Transaction | _Opened") -> None:
        try:
            await transaction.commit()
        except _AWAY as error:
            metrics.DATABASE_ERRORS.labels("unknown").inc()
            raise OutcomeUnknown from error

    @contextmanager
    def _as_unavailable(self) -> Iterator[None]:
        try:
            yield
        except OutcomeUnknown:
            raise
        except asyncpg.ReadOnlySQLTransactionError as error:
            # The old primary came back as a standby: asyncpg would keep its connections (asyncpg#253).
            self._expire()
            raise Unavailable("The database is read-only for now.") from error
        except _AWAY as error:
            metrics.DATABASE_ERRORS.labels("unavailable").inc()
            log.warning("database_away", error=type(error).__name__)
            raise Unavailable("The database is away for now; nothing was changed.") from error

    def _expire(self) -> None:
        task = asyncio.ensure_future(self._pool.expire_connections())
        task.add_done_callback(lambda done: done.exception())


class _Opened:
    """A transaction whose BEGIN brings its first statement along."""

    def __init__(self, connection: Connection, opening: str) -> None:
        self._connection = connection
        self._opening = opening

    async def start(self) -> None:
        await self._connection.execute(f"BEGIN; {self._opening}")

    async def rollback(self) -> None:
        await self._connection.execute("ROLLBACK")

    async def commit(self) -> None:
        if await self._connection.execute("COMMIT") != "COMMIT":  # PostgreSQL answers so if a statement had failed
            raise asyncpg.InFailedSQLTransactionError("rolled back instead of committed")


async def _tidy(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """What asyncpg does to a returned connection costs a round trip, and nothing here outlives its transaction."""
    if connection.is_in_transaction():
        await connection.reset()


@asynccontextmanager
async def connect(
    settings: DatabaseSettings, *, server_settings: Mapping[str, str] | None = None
) -> AsyncIterator[Database]:
    """Open the pool with the bounds of the settings; the pool fills as it is used, so a start needs no database.

    Timeouts: a statement is cancelled by the server after `database_timeout_s`; asyncpg gives up a little later
    and waits for that cancel, so the worst case a caller sees is twice the timeout.

    Args:
        server_settings: further settings of PostgreSQL for these connections.
    """
    timeout_ms = str(int(settings.database_timeout_s * 1000))
    pool = await asyncpg.create_pool(
        settings.database_url.get_secret_value(),
        min_size=0,
        max_size=settings.database_connections_max,
        command_timeout=settings.database_timeout_s * 1.5,
        timeout=settings.database_timeout_s,
        max_inactive_connection_lifetime=300,
        reset=_tidy,
        server_settings={
            "application_name": f"palio-{settings.service}",
            "statement_timeout": timeout_ms,
            "lock_timeout": "1000",
            "idle_in_transaction_session_timeout": "5000",
            "timezone": "UTC",
            **(server_settings or {}),
        },
    )
    try:
        yield Database(pool, acquire_timeout_s=settings.database_timeout_s)
    finally:
        try:
            await asyncio.wait_for(pool.close(), _CLOSE_TIMEOUT_S)
        except TimeoutError:
            pool.terminate()


@cache
def sql(package: str, name: str) -> str:
    """The statement in `<package>/sql/<name>.sql`."""
    return (resources.files(package) / "sql" / f"{name}.sql").read_text()
