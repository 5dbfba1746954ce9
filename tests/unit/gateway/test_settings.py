"""What the gateway assumes when it is told little."""

from pathlib import Path
from typing import Any

import pytest

from palio_gateway.settings import Settings


def settings(**more: Any) -> Settings:
    return Settings(identity_dir=Path("/nowhere"), identity_jwks="/nowhere/jwks.json", identity_issuer="test", **more)


def test_it_needs_no_database_and_no_redis() -> None:
    assert settings().database_url.get_secret_value() == ""


@pytest.mark.parametrize(("profile", "rate"), [("demo", 20), ("production", 1)])
def test_sign_ins_are_rarer_outside_the_demo(profile: str, rate: float) -> None:
    assert settings(profile=profile).sign_ins_per_second == rate
    assert settings(profile=profile, sign_in_per_second=5).sign_ins_per_second == 5


def test_the_own_two_ports_may_call_by_default() -> None:
    assert settings(port=1, ui_port=2).origins == {
        "http://localhost:1", "http://localhost:2", "http://127.0.0.1:1", "http://127.0.0.1:2",
    }  # fmt: skip
    assert settings(cors_origins=("https://play.example",)).origins == {"https://play.example"}


def test_lists_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIO_TRUSTED_PROXIES", '["10.0.0.0/8","fd00::/8"]')
    monkeypatch.setenv("PALIO_CORS_ORIGINS", '["https://play.example"]')
    monkeypatch.setenv("PALIO_LIMITS", "off")
    read = settings()
    assert [str(network) for network in read.trusted_proxies] == ["10.0.0.0/8", "fd00::/8"]
    assert read.origins == frozenset({"https://play.example"})
    assert read.limits == "off"


def test_a_batch_is_waited_for_longer_than_its_service_waits_for_the_database() -> None:
    """Twice its timeout (palio_kit.postgres): whoever gave up earlier would call unknown what is about to be known."""
    assert settings().batch_timeout_s > 2 * settings().database_timeout_s
    assert settings().batch_timeout_s < settings().upstream_timeout_s
