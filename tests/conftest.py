"""What every tier shares: stores started once per session, a fresh database per test module, issuers, apps under test.

Nothing starts before a test asks for it, so the unit tier stays without servers; there sockets are forbidden.
"""

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import jwt
import pytest
import redis
from cryptography.hazmat.primitives.asymmetric import ed25519

from palio_kit.settings import ServiceSettings
from palio_kit.testing.issuer import Issuer
from support import apps
from support.keys import serving_keys
from support.stores import ROLES, Databases, postgres_server, reachable_directory, redis_server

S = TypeVar("S", bound=ServiceSettings)

SERVICE_ISSUER = "palio-test"

# A deadline would measure the machine. In CI hypothesis's own profile holds: the same examples each time, no deadline.
hypothesis.settings.register_profile("palio", deadline=None)
if not os.environ.get("CI"):
    hypothesis.settings.load_profile("palio")


@pytest.fixture(autouse=True)
def no_sockets_in_unit_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that reaches for the network fails at once."""
    if "tests/unit" not in request.path.as_posix():
        return

    def refuse(self: socket.socket, address: object) -> None:
        raise AssertionError(f"a unit test tried to connect to {address!r}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    with reachable_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def postgres_dsn(server_directory: Path) -> Iterator[str]:
    """The owner's DSN of the session's server; use `owner_dsn` for a database."""
    with postgres_server(server_directory) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def databases(postgres_dsn: str) -> Iterator[Databases]:
    with Databases.prepared(postgres_dsn) as prepared:
        yield prepared


@pytest.fixture(scope="module")
def database_name(databases: Databases) -> Iterator[str]:
    with databases.fresh() as name:
        yield name


@pytest.fixture(scope="module")
def owner_dsn(databases: Databases, database_name: str) -> str:
    """A migrated database of this test module's own, as its owner."""
    return databases.dsn(database_name)


@pytest.fixture(scope="module")
def dsn_of(databases: Databases, database_name: str) -> Callable[[str], str]:
    """The module's database as the role of a service: `dsn_of("score")`."""
    return lambda role: databases.dsn(database_name, role)


@pytest.fixture(scope="session")
def redis_server_url(server_directory: Path) -> Iterator[str]:
    with redis_server(server_directory) as url:
        yield url


@pytest.fixture(scope="module")
def redis_url(redis_server_url: str) -> str:
    """The session's Redis, empty when the module starts."""
    with redis.Redis.from_url(redis_server_url) as client:
        client.flushdb()
    return redis_server_url


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    """Signs users' access tokens."""
    return Issuer()


@pytest.fixture(scope="session")
def service_issuer() -> Issuer:
    """Signs service tokens, as a cluster would."""
    return Issuer("ES256", "cluster-1")


@pytest.fixture(scope="session")
def user_keys_url(issuer: Issuer) -> Iterator[str]:
    """Where `issuer`'s public keys are served."""
    with serving_keys(issuer.jwks()) as url:
        yield url


@pytest.fixture
def identity_directory(tmp_path: Path, service_issuer: Issuer) -> Callable[[str], Path]:
    """A service's token files, one per callee, and `jwks.json`."""

    def make(service: str) -> Path:
        directory = tmp_path / "identity" / service
        service_issuer.write_identity(directory, service, ROLES)
        return directory

    return make


@pytest.fixture
def signing_keys(tmp_path: Path) -> Path:
    """The user service's private keys: the first signs, all are published."""
    keys = [
        json.loads(jwt.get_algorithm_by_name("EdDSA").to_jwk(ed25519.Ed25519PrivateKey.generate()))
        | {"kid": f"user-{number}", "use": "sig", "alg": "EdDSA"}
        for number in (1, 2)
    ]
    path = tmp_path / "signing-keys.json"
    path.write_text(json.dumps({"keys": keys}))
    return path


@pytest.fixture
def make_settings(
    dsn_of: Callable[[str], str],
    redis_url: str,
    user_keys_url: str,
    identity_directory: Callable[[str], Path],
    signing_keys: Path,
) -> Callable[..., Any]:
    """Settings wired to this module's stores: `make_settings(Settings, port=0)`; demo profile unless said otherwise."""

    def make(kind: type[S], **overrides: Any) -> S:
        service = str(overrides.get("service") or kind.model_fields["service"].default)
        identity = identity_directory(service)
        values: dict[str, Any] = {
            "profile": "demo", "database_url": dsn_of(service), "redis_url": redis_url, "user_url": user_keys_url,
            "identity_dir": identity, "identity_jwks": str(identity / "jwks.json"), "identity_issuer": SERVICE_ISSUER,
        }  # fmt: skip
        if "signing_keys" in kind.model_fields:
            values["signing_keys"] = signing_keys
        return kind(**(values | overrides))

    return make


@pytest.fixture
def client_of() -> Any:
    """`async with client_of(create_app, settings) as client:` an httpx2 client of the app, its lifespan running."""
    return apps.client_of


@pytest.fixture
def running() -> Any:
    """`with running(create_app, settings) as server:` a really listening app; `server.url`, `server.port`."""
    return apps.running
