"""A token issuer for tests: signs access tokens and service tokens like the user service and the cluster do."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from palio_kit.ids import new_id


@dataclass
class Issuer:
    """One key pair and what can be signed with it."""

    algorithm: str = "EdDSA"
    key_id: str = "test-1"
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = (
            ed25519.Ed25519PrivateKey.generate()
            if self.algorithm == "EdDSA"
            else ec.generate_private_key(ec.SECP256R1())
        )

    def jwks(self) -> bytes:
        """The public key set."""
        kind = jwt.get_algorithm_by_name(self.algorithm)
        public = json.loads(kind.to_jwk(self.key.public_key()))
        return json.dumps({"keys": [public | {"kid": self.key_id, "use": "sig", "alg": self.algorithm}]}).encode()

    async def load(self) -> bytes:
        """As a `jwks.Loader`."""
        return self.jwks()

    def access_token(
        self,
        user_id: UUID,
        username: str = "ada",
        *,
        roles: tuple[str, ...] | None = ("player",),
        valid_s: int = 900,
        **changes: object,
    ) -> str:
        """A user's access token; `changes` replace or (None) remove claims."""
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": "palio", "aud": "palio-players", "sub": str(user_id), "iat": now, "exp": now + valid_s,
            "jti": str(new_id()), "username": username, "roles": None if roles is None else list(roles),
        } | changes  # fmt: skip
        return self._sign({name: value for name, value in claims.items() if value is not None}, {"typ": "at+jwt"})

    def service_token(self, caller: str, callee: str, *, issuer: str = "palio-test", valid_s: int = 3600) -> str:
        """A service's token for one callee."""
        now = int(time.time())
        subject = f"system:serviceaccount:palio:palio-{caller}"
        return self._sign(
            {"iss": issuer, "aud": [f"palio-{callee}"], "sub": subject, "iat": now, "exp": now + valid_s}, {}
        )

    def write_identity(self, directory: Path, caller: str, callees: tuple[str, ...]) -> None:
        """Write `caller`'s token files and the key set (`jwks.json`) into `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "jwks.json").write_bytes(self.jwks())
        for callee in callees:
            (directory / callee).write_text(self.service_token(caller, callee))

    def _sign(self, claims: dict[str, object], headers: dict[str, str]) -> str:
        return jwt.encode(claims, self.key, algorithm=self.algorithm, headers={"kid": self.key_id, **headers})
