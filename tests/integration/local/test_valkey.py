from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from palio_local.ports import free_port
from palio_local.valkey import Valkey, ValkeyFailed


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey", free_port(), "secret-of-the-test")
    server.start()
    server.wait_until_ready()
    yield server
    server.stop()


def test_it_wants_its_password(server: Valkey) -> None:
    with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()


def test_the_password_is_not_on_the_command_line(server: Valkey) -> None:
    assert server.pid is not None
    assert server.password not in " ".join(psutil.Process(server.pid).cmdline())


def test_it_keeps_nothing(server: Valkey) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "no")
    server.stop()
    assert [path.name for path in server.directory.iterdir()] == ["server.log"]
    server.start()
    server.wait_until_ready()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") is None


def test_a_taken_port_is_said(server: Valkey, tmp_path: Path) -> None:
    second = Valkey(tmp_path / "second", server.port, "other")
    second.start()
    with pytest.raises(ValkeyFailed, match="in use"):
        second.wait_until_ready()
    second.stop()
