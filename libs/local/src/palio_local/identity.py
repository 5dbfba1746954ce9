"""Who a service is to the others: tokens minted as a cluster projects them, one file per callee.

The key pair lives in the launcher's memory only; a new start is a new issuer, and every service reads its key set.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from palio_kit.ids import new_id

ISSUER = "https://palio.local"
REFRESH_S = 20 * 60

_VALID_S = 60 * 60
_NAMESPACE = "palio"


@dataclass(frozen=True)
class Identities:
    """Token files below `directory`: `<caller>/<callee>`, and `jwks.json`."""

    directory: Path
    names: Sequence[str]
    _key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False
    )
    _key_id: str = field(default_factory=lambda: str(new_id()))

    @property
    def jwks(self) -> Path:
        """The public key set."""
        return self.directory / "jwks.json"

    def of(self, name: str) -> Path:
        """One service's token directory."""
        return self.directory / name

    def write(self) -> None:
        """Write all tokens anew; readers see the old file or the new one, never half of one."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(self.jwks, json.dumps({"keys": [self._public_key()]}))
        for caller in self.names:
            self.of(caller).mkdir(mode=0o700, exist_ok=True)
            for callee in self.names:
                _replace(self.of(caller) / callee, self._token(caller, callee))

    def _token(self, caller: str, callee: str) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER, "aud": [f"palio-{callee}"], "sub": f"system:serviceaccount:{_NAMESPACE}:palio-{caller}",
            "iat": now, "nbf": now, "exp": now + _VALID_S, "jti": str(new_id()),
        }  # fmt: skip
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})

    def _public_key(self) -> dict[str, str]:
        public: dict[str, str] = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(self._key.public_key()))
        return public | {"kid": self._key_id, "use": "sig", "alg": "ES256"}


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.rename(path)
