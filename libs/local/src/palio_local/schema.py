"""The database of a stack: made once, then brought up to date by every package's migrations."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from palio_kit.migrate import migrate, pending
from palio_local.postgres import OWNER
from palio_local.services import migrated_packages

_MAINTENANCE = "postgres"


def bring_up_to_date(owner_dsn: str, passwords: Mapping[str, str]) -> list[str]:
    """Make the database and its roles if they are missing, and run what has not run; answers what ran."""
    return asyncio.run(_bring_up_to_date(owner_dsn, passwords))


def what_is_pending(owner_dsn: str) -> list[str]:
    """Migrations that the database has not seen."""
    return asyncio.run(_what_is_pending(owner_dsn))


async def _bring_up_to_date(owner_dsn: str, passwords: Mapping[str, str]) -> list[str]:
    try:
        return await migrate(owner_dsn, roles=passwords, packages=migrated_packages())
    except asyncpg.InvalidCatalogNameError:
        await _create_database(owner_dsn)
        return await migrate(owner_dsn, roles=passwords, packages=migrated_packages())


async def _create_database(owner_dsn: str) -> None:
    parts = urlsplit(owner_dsn)
    connection = await asyncpg.connect(urlunsplit(parts._replace(path=f"/{_MAINTENANCE}")), timeout=10)
    try:
        name = parts.path.lstrip("/") or OWNER
        await connection.execute(await connection.fetchval("SELECT format('CREATE DATABASE %I', $1::text)", name))
    finally:
        await connection.close()


async def _what_is_pending(owner_dsn: str) -> list[str]:
    connection = await asyncpg.connect(owner_dsn, timeout=10)
    try:
        return [f"{package}/{name}" for package in migrated_packages() for name in await pending(connection, package)]
    finally:
        await connection.close()
