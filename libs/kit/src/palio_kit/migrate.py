"""Plain numbered SQL, forward only, under one advisory lock; each file is one transaction and its checksum is kept.

Run as the database's owner. Services run as their own role and are granted exactly what each file says.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import asyncpg

_LOCK = 7461_0
_SETTINGS = "SET LOCAL lock_timeout = '4s'; SET LOCAL statement_timeout = '300s';"
_BOOKKEEPING = """
CREATE SCHEMA IF NOT EXISTS migrations;
CREATE TABLE IF NOT EXISTS migrations.applied (
    package    text        NOT NULL,
    number     integer     NOT NULL,
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, number)
);
GRANT USAGE ON SCHEMA migrations TO PUBLIC;
GRANT SELECT ON migrations.applied TO PUBLIC;
"""


class MigrationChanged(RuntimeError):
    """A file that was applied before has other content now; write a new file instead."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    package: str
    number: int
    name: str
    statements: str

    @property
    def checksum(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.statements.encode()).hexdigest()


def migrations_of(package: str) -> list[Migration]:
    """The files of `<package>/migrations/NNNN_name.sql`, in order."""
    folder = resources.files(package) / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [Migration(package, int(file.name[:4]), file.name, file.read_text()) for file in files]


async def migrate(owner_dsn: str, *, roles: Mapping[str, str], packages: Sequence[str]) -> list[str]:
    """Create roles and bring every package's schema up to date; answers what was applied.

    Args:
        roles: role name → password; created or given that password.
        packages: in the order their files must run.

    Raises:
        MigrationChanged: an applied file was edited.
    """
    connection = await asyncpg.connect(owner_dsn, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _ensure_roles(connection, roles)
        await connection.execute(_BOOKKEEPING)
        return [
            f"{package}/{migration.name}"
            for package in packages
            for migration in migrations_of(package)
            if await _apply(connection, migration)
        ]
    finally:
        await connection.close()


async def pending(connection: "asyncpg.Connection[asyncpg.Record] | object", package: str) -> list[str]:
    """Files of the package that the database has not seen (for readiness and `db migrate --check`)."""
    assert isinstance(connection, asyncpg.Connection) or hasattr(connection, "fetch")
    rows = await connection.fetch("SELECT number FROM migrations.applied WHERE package = $1", package)
    seen = {row["number"] for row in rows}
    return [migration.name for migration in migrations_of(package) if migration.number not in seen]


async def _ensure_roles(connection: "asyncpg.Connection[asyncpg.Record]", roles: Mapping[str, str]) -> None:
    for role, password in roles.items():
        exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
        verb = "ALTER" if exists else "CREATE"
        statement = await connection.fetchval(
            f"SELECT format('{verb} ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)", role, password
        )
        await connection.execute(statement)


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> bool:
    checksum = await connection.fetchval(
        "SELECT checksum FROM migrations.applied WHERE package = $1 AND number = $2",
        migration.package,
        migration.number,
    )
    if checksum == migration.checksum:
        return False
    if checksum is not None:
        raise MigrationChanged(f"{migration.package}/{migration.name}")
    async with connection.transaction():
        await connection.execute(_SETTINGS)
        await connection.execute(migration.statements)
        await connection.execute(
            "INSERT INTO migrations.applied (package, number, name, checksum) VALUES ($1, $2, $3, $4)",
            migration.package, migration.number, migration.name, migration.checksum,
        )  # fmt: skip
    return True
