"""What services are told, where things are kept, and what is advised."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
import typer

from palio_local.environment import Surroundings
from palio_local.identity import Identities
from palio_local.layout import Layout
from palio_local.part import suggestion
from palio_local.services import MIGRATION_ORDER, ROLES, SERVICES
from palio_local.stores import Stores
from palio_local.tournaments import duration
from palio_local.unprivileged import Account


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    passwords = {role: f"secret/of {role}" for role in ROLES}
    stores = Stores("postgresql://palio:x@127.0.0.1:1/palio", "redis://:y@127.0.0.1:2/0", passwords, None, None)
    urls = {service.name: f"http://127.0.0.1:{service.port}" for service in SERVICES}
    return Surroundings(stores, Identities(tmp_path, []), tmp_path / "keys.json", urls, 3001, limits=False)


def test_each_service_gets_its_own_role_and_everyones_address(surroundings: Surroundings) -> None:
    told = surroundings.of("score", 23454)
    assert told["PALIO_DATABASE_URL"] == "postgresql://palio_score:secret%2Fof%20palio_score@127.0.0.1:1/palio"
    assert told["PALIO_PORT"] == "23454"
    assert {told[f"PALIO_{service.name.upper()}_URL"] for service in SERVICES} == set(surroundings.urls.values())


def test_signing_keys_and_limits_are_told_only_to_whom_they_concern(surroundings: Surroundings) -> None:
    told = {service.name: surroundings.of(service.name, service.port) for service in SERVICES}
    assert [name for name in told if "PALIO_SIGNING_KEYS" in told[name]] == ["user"]
    assert [name for name in told if told[name].get("PALIO_LIMITS") == "off"] == ["gateway"]
    assert told["gateway"]["PALIO_UI_PORT"] == "3001"


def test_the_eight_services_have_their_documented_ports() -> None:
    assert {service.name: service.port for service in SERVICES} == {
        "user": 23451, "game": 23452, "leaderboard": 23453, "score": 23454,
        "gateway": 23455, "websocket": 23456, "tournament": 23457, "generator": 23458,
    }  # fmt: skip
    assert set(MIGRATION_ORDER) == {service.name for service in SERVICES if service.migrates}


def test_postgres_stays_in_the_data_directory_unless_its_account_cannot_get_there(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stranger = Account(os.getuid() + 4321, os.getgid() + 4321)
    layout = Layout.of(closed / "data")
    assert layout.postgres(None) == closed / "data" / "postgres"
    elsewhere = layout.postgres(stranger)
    assert not elsewhere.is_relative_to(tmp_path)
    assert elsewhere == Layout.of(closed / "data").postgres(stranger)
    assert elsewhere != Layout.of(closed / "other").postgres(stranger)


def test_wiping_removes_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    layout.prepare()
    (layout.secrets / "passwords.json").touch()
    (tmp_path / "thesis.tex").write_text("irreplaceable")
    layout.wipe()
    assert not layout.secrets.exists()
    assert (tmp_path / "thesis.tex").read_text() == "irreplaceable"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("FATAL: could not write: No space left on device", "disk"),
        ("palio_kit.migrate.MigrationChanged: palio_user/0001_users.sql", "--fresh"),
        ("ModuleNotFoundError: No module named 'x'", "make setup"),
        ("something never seen", "palio logs score"),
    ],
)
def test_one_thing_to_try_is_suggested(said: str, word: str) -> None:
    assert word in suggestion(["earlier", said], "score")


@pytest.mark.parametrize(("text", "length"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400)])
def test_durations_have_a_unit(text: str, length: int) -> None:
    assert duration(text) == timedelta(seconds=length)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5 m", "1e3s", "99999999d"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration(text)
