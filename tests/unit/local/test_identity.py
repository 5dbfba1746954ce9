import json
import stat
from pathlib import Path

import pytest

from palio_kit import jwks
from palio_kit.problems import Unauthorized
from palio_kit.tokens import IDENTITY_ALGORITHMS, Verifier
from palio_local import identity
from palio_local.credentials import Credentials
from palio_local.identity import Identities
from palio_local.services import ROLES


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    made = Identities(tmp_path / "identity", ["gateway", "score"])
    made.write()
    return made


def _verifier(identities: Identities, service: str) -> Verifier:
    keys = jwks.KeySet(jwks.from_location(str(identities.jwks)))
    return Verifier(
        "service", keys, issuer=identity.ISSUER, audience=f"palio-{service}",
        algorithms=IDENTITY_ALGORITHMS, header_type=None,
    )  # fmt: skip


async def test_a_service_shows_its_token_to_the_callee_it_is_for(identities: Identities) -> None:
    claims = await _verifier(identities, "score").verify((identities.of("gateway") / "score").read_text())
    assert claims.subject == "system:serviceaccount:palio:palio-gateway"
    with pytest.raises(Unauthorized):
        await _verifier(identities, "gateway").verify((identities.of("gateway") / "score").read_text())


async def test_tokens_of_another_launcher_are_refused(identities: Identities, tmp_path: Path) -> None:
    stranger = Identities(tmp_path / "stranger", ["gateway", "score"])
    stranger.write()
    with pytest.raises(Unauthorized):
        await _verifier(identities, "score").verify((stranger.of("gateway") / "score").read_text())


def test_token_files_are_ours_only_and_refreshing_leaves_nothing_else(identities: Identities) -> None:
    before = (identities.of("gateway") / "score").read_text()
    identities.write()
    assert (identities.of("gateway") / "score").read_text() != before
    assert sorted(path.name for path in identities.of("gateway").iterdir()) == ["gateway", "score"]
    assert stat.S_IMODE(identities.of("gateway").stat().st_mode) == 0o700
    assert stat.S_IMODE((identities.of("gateway") / "score").stat().st_mode) == 0o600


def test_credentials_are_made_once_and_ours_only(tmp_path: Path) -> None:
    first, second = Credentials.kept_in(tmp_path), Credentials.kept_in(tmp_path)
    assert first == second
    assert set(first.roles) == set(ROLES)
    assert len({first.owner, first.redis, *first.roles.values()}) == len(ROLES) + 2
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
    assert first.owner not in repr(first)


def test_signing_keys_are_private_ed25519_with_ids(tmp_path: Path) -> None:
    keys = json.loads(Credentials.kept_in(tmp_path).signing_keys.read_text())["keys"]
    assert all(key["kty"] == "OKP" and key["crv"] == "Ed25519" and key["d"] and key["kid"] for key in keys)
    assert keys[0]["kid"] != keys[1]["kid"]
