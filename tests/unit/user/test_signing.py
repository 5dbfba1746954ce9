import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from palio_user.signing import BadSigningKeys, read_keys


def private_jwk(key_id: str | None = "one") -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads(jwt.get_algorithm_by_name("EdDSA").to_jwk(ed25519.Ed25519PrivateKey.generate()))
    return jwk if key_id is None else jwk | {"kid": key_id}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(*keys: dict[str, Any]) -> Path:
        path = tmp_path / "keys.json"
        path.write_text(json.dumps({"keys": keys}))
        return path

    return write


def test_the_first_key_signs_and_all_are_published_without_their_secrets(write: Callable[..., Path]) -> None:
    signer = read_keys(write(private_jwk("one"), private_jwk("two")))
    published = json.loads(signer.jwks)["keys"]
    assert [(key["kid"], key["alg"], key["use"], key["crv"]) for key in published] == [
        ("one", "EdDSA", "sig", "Ed25519"),
        ("two", "EdDSA", "sig", "Ed25519"),
    ]
    assert all("d" not in key for key in published)
    token = signer.sign({"sub": "ada"})
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": "one", "typ": "at+jwt"}
    assert jwt.decode(token, jwt.PyJWK(published[0]), algorithms=["EdDSA"]) == {"sub": "ada"}


def test_a_secret_is_the_same_for_one_purpose_and_key_only(write: Callable[..., Path]) -> None:
    one, two = private_jwk("one"), private_jwk("two")
    signer = read_keys(write(one))
    assert signer.secret_for("a") == read_keys(write(one, two)).secret_for("a")
    assert signer.secret_for("a") != signer.secret_for("b")
    assert signer.secret_for("a") != read_keys(write(two)).secret_for("a")


def test_a_signer_does_not_show_its_key(write: Callable[..., Path]) -> None:
    jwk = private_jwk()
    assert jwk["d"] not in repr(read_keys(write(jwk)))


def public_only() -> dict[str, Any]:
    return {name: value for name, value in private_jwk().items() if name != "d"}


def elliptic() -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(ec.generate_private_key(ec.SECP256R1())))
    return jwk | {"kid": "e"}


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [public_only()],
        [elliptic()],
        [private_jwk(None)],
        [private_jwk("one"), private_jwk("one")],
        [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}],
        ["text"],
    ],
    ids=["none", "public", "another curve", "no id", "one id twice", "symmetric", "not a key"],
)
def test_unusable_keys_are_refused_at_start(keys: list[Any], write: Callable[..., Path]) -> None:
    with pytest.raises(BadSigningKeys):
        read_keys(write(*keys))


def test_a_file_that_is_not_json_is_refused_at_start(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("secret")
    with pytest.raises(BadSigningKeys) as refused:
        read_keys(path)
    assert "secret" not in str(refused.value)
