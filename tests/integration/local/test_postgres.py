import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from palio_kit.testing.waiting import eventually
from palio_local.ports import free_port
from palio_local.postgres import Postgres, PostgresFailed
from support.stores import reachable_directory

DATABASE = "postgres"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with reachable_directory() as directory:
        yield directory


@pytest.fixture
def server(place: Path) -> Iterator[Postgres]:
    """A durable server; its data stays for the next test of this module."""
    server = Postgres(place / "postgres", free_port(), "p@ss/word")
    server.ensure_initialised()
    server.start()
    server.wait_until_ready()
    yield server
    server.stop()


async def _fetch(server: Postgres, query: str) -> object:
    connection = await asyncpg.connect(server.dsn(database=DATABASE), timeout=5)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_it_is_durable_and_listens_on_loopback_only(server: Postgres) -> None:
    settings = {
        name: await _fetch(server, f"SHOW {name}")
        for name in ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "unix_socket_directories")
    }
    assert settings == {
        "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
        "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
    }  # fmt: skip


async def test_a_wrong_password_is_refused(server: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn(password="guess", database=DATABASE), timeout=5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
async def test_root_runs_it_as_nobody_and_keeps_the_data_closed(server: Postgres) -> None:
    assert server.pid is not None
    assert psutil.Process(server.pid).username() == "nobody"
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


async def test_commits_outlive_a_crash(server: Postgres) -> None:
    await _fetch(server, "CREATE TABLE crashes AS SELECT 42 AS answer")
    port = server.port
    server.restart_at_once()
    assert server.port == port
    assert await _fetch(server, "SELECT answer FROM crashes") == 42


async def test_it_starts_again_after_kill_9_with_its_pid_file_left(server: Postgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)

    async def ended() -> bool:
        return server.exit_status is not None

    await eventually(ended)
    assert (server.data / "postmaster.pid").exists()
    await eventually(lambda: _started_again(server))
    assert await _fetch(server, "SELECT 1") == 1


async def _started_again(server: Postgres) -> bool:
    """Backends of the dead server may need a moment to notice; until then the data is theirs."""
    try:
        server.start()
        server.wait_until_ready()
    except PostgresFailed as error:
        raise AssertionError(str(error)) from error
    return True


async def test_a_pid_file_that_names_somebody_else_is_no_obstacle(server: Postgres) -> None:
    server.stop()
    stale = f"{os.getpid()}\n{server.data}\n1\n{server.port}\n\n127.0.0.1\n"
    (server.data / "postmaster.pid").write_text(stale)
    server.start()
    server.wait_until_ready()
    assert await _fetch(server, "SELECT 1") == 1
    psutil.Process(os.getpid())  # and we are still here


async def test_an_orphan_in_the_same_directory_is_ended_first(server: Postgres) -> None:
    orphan_pid = server.pid
    assert orphan_pid is not None
    heir = Postgres(server.directory, free_port(), server.password)
    heir.start()
    try:
        heir.wait_until_ready()
        assert await _fetch(heir, "SELECT 1") == 1
        assert server.exit_status is not None
    finally:
        heir.stop()


def test_an_interrupted_initialisation_is_thrown_away(place: Path) -> None:
    server = Postgres(place / "second", free_port(), "password")
    (server.directory / "unfinished" / "base").mkdir(parents=True)
    server.ensure_initialised()
    assert (server.data / "PG_VERSION").exists()
    assert sorted(path.name for path in server.directory.iterdir()) == ["data"]


def test_a_server_that_cannot_start_says_why(place: Path) -> None:
    server = Postgres(place / "third", free_port(), "password", options={"shared_buffers": "a lot"})
    server.ensure_initialised()
    server.start()
    with pytest.raises(PostgresFailed, match="shared_buffers"):
        server.wait_until_ready()
    server.stop()
