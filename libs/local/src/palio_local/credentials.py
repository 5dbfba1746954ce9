"""Secrets of one data directory: made once, readable by us only. There is no default password anywhere."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from palio_local.services import ROLES

_PASSWORD_BYTES = 24


@dataclass(frozen=True)
class Credentials:
    """Passwords of the stores; `signing_keys` is the file of the user service's private keys."""

    owner: str = field(repr=False)
    redis: str = field(repr=False)
    roles: dict[str, str] = field(repr=False)
    signing_keys: Path

    @classmethod
    def kept_in(cls, directory: Path) -> "Credentials":
        """Those made before, else new ones."""
        passwords, keys = directory / "passwords.json", directory / "signing-keys.json"
        if not passwords.exists():
            _write(passwords, {name: secrets.token_urlsafe(_PASSWORD_BYTES) for name in ("owner", "redis", *ROLES)})
        if not keys.exists():
            _write(keys, {"keys": [_signing_key() for _ in range(2)]})
        known: dict[str, str] = json.loads(passwords.read_text())
        return cls(known["owner"], known["redis"], {role: known[role] for role in ROLES}, keys)


def _signing_key() -> dict[str, str]:
    """A private Ed25519 key (RFC 8037). Two are made: the second is published ahead of its first use."""
    key: dict[str, str] = json.loads(jwt.get_algorithm_by_name("EdDSA").to_jwk(Ed25519PrivateKey.generate()))
    return key | {"kid": secrets.token_hex(8), "use": "sig", "alg": "EdDSA"}


def _write(path: Path, document: object) -> None:
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(document))
    unfinished.rename(path)
