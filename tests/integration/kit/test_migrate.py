"""Migrations run once, in order, and refuse a changed past."""

import asyncio
import sys
from pathlib import Path

import asyncpg
import pytest

from palio_kit.migrate import MigrationChanged, migrate, pending

PACKAGE = "migrated_sample"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / PACKAGE / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder / "0001_sample.sql").write_text("CREATE SCHEMA IF NOT EXISTS sample; CREATE TABLE sample.one (n int);")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    return folder


@pytest.fixture(autouse=True)
async def clean(owner_dsn: str) -> None:
    connection = await asyncpg.connect(owner_dsn)
    await connection.execute("DROP SCHEMA IF EXISTS sample CASCADE")
    await connection.execute("DELETE FROM migrations.applied WHERE package = $1", PACKAGE)
    await connection.close()


async def test_a_second_run_does_nothing(owner_dsn: str, package: Path) -> None:
    assert await migrate(owner_dsn, roles={}, packages=[PACKAGE]) == [f"{PACKAGE}/0001_sample.sql"]
    assert await migrate(owner_dsn, roles={}, packages=[PACKAGE]) == []


async def test_concurrent_runs_apply_each_file_once(owner_dsn: str, package: Path) -> None:
    runs = await asyncio.gather(*(migrate(owner_dsn, roles={}, packages=[PACKAGE]) for _ in range(4)))
    assert sorted(map(len, runs)) == [0, 0, 0, 1]


async def test_an_edited_file_is_refused(owner_dsn: str, package: Path) -> None:
    await migrate(owner_dsn, roles={}, packages=[PACKAGE])
    (package / "0001_sample.sql").write_text("SELECT 1")
    with pytest.raises(MigrationChanged):
        await migrate(owner_dsn, roles={}, packages=[PACKAGE])


async def test_a_failing_file_leaves_nothing(owner_dsn: str, package: Path) -> None:
    (package / "0002_broken.sql").write_text("CREATE TABLE sample.two (n int); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(owner_dsn, roles={}, packages=[PACKAGE])
    connection = await asyncpg.connect(owner_dsn)
    assert await connection.fetchval("SELECT to_regclass('sample.two')") is None
    assert await pending(connection, PACKAGE) == ["0002_broken.sql"]
    await connection.close()
