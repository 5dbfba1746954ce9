"""The stores of a test session: PostgreSQL and Valkey in a temporary place, or those of DATABASE_URL and REDIS_URL."""

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources, util
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from palio_kit.migrate import migrate
from palio_local.ports import free_port
from palio_local.postgres import Postgres
from palio_local.valkey import Valkey

T = TypeVar("T")

ROLES = ("user", "game", "leaderboard", "score", "gateway", "websocket", "tournament", "generator")
MIGRATED = ("palio_user", "palio_game", "palio_tournament", "palio_score", "palio_generator")
TEMPLATE = f"palio_template_{os.getpid()}"

_SMALL = {"shared_buffers": "32MB", "max_wal_size": "256MB", "min_wal_size": "64MB"}


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from a plain fixture, away from the loop of the tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@contextmanager
def reachable_directory() -> Iterator[Path]:
    """A temporary directory that `nobody` may walk through; pytest's own are closed to others."""
    directory = Path(tempfile.mkdtemp(prefix="palio-tests-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def postgres_server(directory: Path) -> Iterator[str]:
    """A running server; yields the owner's DSN of a database that is never used itself."""
    if "DATABASE_URL" in os.environ:
        yield os.environ["DATABASE_URL"]
        return
    server = Postgres(directory / "postgres", free_port(), secrets.token_urlsafe(16), durable=False, options=_SMALL)
    server.ensure_initialised()
    server.start()
    try:
        server.wait_until_ready()
        yield server.dsn(database="postgres")
    finally:
        server.stop()


@contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """A running server's URL."""
    if "REDIS_URL" in os.environ:
        yield os.environ["REDIS_URL"]
        return
    server = Valkey(directory / "valkey", free_port(), secrets.token_urlsafe(16))
    server.start()
    try:
        server.wait_until_ready()
        yield server.url
    finally:
        server.stop()


def in_database(dsn: str, name: str, *, user: str | None = None, password: str = "") -> str:
    """The DSN with another database, and another user if given."""
    parts = urlsplit(dsn)
    place = parts.netloc if user is None else f"{user}:{quote(password)}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=place, path=f"/{name}"))


@dataclass(frozen=True)
class Databases:
    """Makes one database per test module out of a template that was migrated once."""

    owner_dsn: str
    passwords: dict[str, str]
    _numbers: "count[int]"

    @classmethod
    @contextmanager
    def prepared(cls, owner_dsn: str) -> "Iterator[Databases]":
        """Migrate the template; drop it at the end (the server may be somebody else's)."""
        passwords = {f"palio_{role}": secrets.token_urlsafe(12) for role in ROLES}
        wait_for(_recreate(owner_dsn, TEMPLATE))
        try:
            wait_for(migrate(in_database(owner_dsn, TEMPLATE), roles=passwords, packages=packages_with_migrations()))
            yield cls(owner_dsn, passwords, count())
        finally:
            wait_for(_drop(owner_dsn, TEMPLATE))

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """A new database; yields its name."""
        name = f"palio_test_{os.getpid()}_{next(self._numbers)}"
        wait_for(_execute(self.owner_dsn, f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"'))
        try:
            yield name
        finally:
            wait_for(_drop(self.owner_dsn, name))

    def dsn(self, database: str, role: str | None = None) -> str:
        """Of the owner, or of a service's role (`score` and `palio_score` name the same)."""
        if role is None:
            return in_database(self.owner_dsn, database)
        name = role if role.startswith("palio_") else f"palio_{role}"
        return in_database(self.owner_dsn, database, user=name, password=self.passwords[name])


def packages_with_migrations() -> list[str]:
    """Those that have any, in the order they must run."""
    return [package for package in MIGRATED if _has_migrations(package)]


def _has_migrations(package: str) -> bool:
    if util.find_spec(package) is None:
        return False
    folder = resources.files(package) / "migrations"
    return folder.is_dir() and any(file.name.endswith(".sql") for file in folder.iterdir())


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _recreate(dsn: str, name: str) -> None:
    await _execute(dsn, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')


async def _drop(dsn: str, name: str) -> None:
    with contextlib.suppress(asyncpg.InvalidCatalogNameError):
        await _execute(dsn, f'DROP DATABASE "{name}" WITH (FORCE)')
