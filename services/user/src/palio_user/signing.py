"""Signing access tokens: EdDSA keys from one file. The first signs, all are published: rotation breaks nothing."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from palio_kit.callers import ACCESS_TOKEN_TYPE
from palio_kit.tokens import ACCESS_ALGORITHMS

_ALGORITHM = ACCESS_ALGORITHMS[0]


class BadSigningKeys(RuntimeError):
    """The file does not hold private Ed25519 keys with distinct ids; the service refuses to start."""


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that signs, and the published set."""

    key_id: str
    key: Ed25519PrivateKey = field(repr=False)
    jwks: bytes

    def sign(self, claims: dict[str, Any]) -> str:
        """A signed access token."""
        headers = {"kid": self.key_id, "typ": ACCESS_TOKEN_TYPE}
        return jwt.encode(claims, self.key, algorithm=_ALGORITHM, headers=headers)

    def secret_for(self, purpose: str) -> bytes:
        """A secret for something else than signing, the same as long as the key is."""
        raw = self.key.private_bytes(
            serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
        )
        return hmac.new(raw, purpose.encode(), hashlib.sha256).digest()


def read_keys(path: Path) -> Signer:
    """The signer whose keys are in the file.

    Raises:
        BadSigningKeys: it does not hold what it must.
        OSError: it cannot be read.
    """
    try:
        keys = [_key(jwk) for jwk in json.loads(path.read_bytes())["keys"]]
        key_id, key = keys[0]
    except (ValueError, KeyError, TypeError, IndexError, jwt.PyJWTError) as error:
        raise BadSigningKeys(f"{path}: no usable keys") from error
    if len(dict(keys)) != len(keys):
        raise BadSigningKeys(f"{path}: two keys with one id")
    return Signer(key_id, key, json.dumps({"keys": [_public(*pair) for pair in keys]}).encode())


def _key(jwk: dict[str, Any]) -> tuple[str, Ed25519PrivateKey]:
    key = jwt.PyJWK(dict(jwk), algorithm=_ALGORITHM).key
    if not isinstance(key, Ed25519PrivateKey) or not isinstance(jwk["kid"], str):
        raise TypeError("not a private Ed25519 key with an id")
    return jwk["kid"], key


def _public(key_id: str, key: Ed25519PrivateKey) -> dict[str, str]:
    public: dict[str, str] = jwt.get_algorithm_by_name(_ALGORITHM).to_jwk(key.public_key(), as_dict=True)
    return public | {"kid": key_id, "use": "sig", "alg": _ALGORITHM}
