"""What each service is told about the world: its `PALIO_*` variables, and only those meant for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palio_local import identity
from palio_local.identity import Identities
from palio_local.stores import Stores

_DRAIN_S = "1"  # a demo is ended by a person who waits for it


@dataclass(frozen=True)
class Surroundings:
    """What all services of one stack have in common."""

    stores: Stores
    identities: Identities
    signing_keys: Path
    urls: Mapping[str, str]
    ui_port: int
    limits: bool = True

    def of(self, service: str, port: int) -> dict[str, str]:
        """The environment of one service."""
        common = {
            "PALIO_PROFILE": "demo",
            "PALIO_HOST": "127.0.0.1",
            "PALIO_PORT": str(port),
            "PALIO_LOG_FORMAT": "json",
            "PALIO_DATABASE_URL": self.stores.dsn_of(f"palio_{service}"),
            "PALIO_REDIS_URL": self.stores.redis_url,
            "PALIO_IDENTITY_DIR": str(self.identities.of(service)),
            "PALIO_IDENTITY_JWKS": str(self.identities.jwks),
            "PALIO_IDENTITY_ISSUER": identity.ISSUER,
        }
        peers = {f"PALIO_{name.upper()}_URL": url for name, url in self.urls.items()}
        return common | peers | self._own(service)

    def _own(self, service: str) -> dict[str, str]:
        match service:
            case "user":
                return {"PALIO_SIGNING_KEYS": str(self.signing_keys)}
            case "gateway":
                return {"PALIO_UI_PORT": str(self.ui_port), "PALIO_LIMITS": "on" if self.limits else "off"}
            case "websocket":
                gateway_port = self.urls["gateway"].rpartition(":")[2]
                ports = {"PALIO_UI_PORT": str(self.ui_port), "PALIO_GATEWAY_PORT": gateway_port}
                return ports | {"PALIO_DRAIN_S": _DRAIN_S}
            case _:
                return {}
