"""What the user service needs besides what every service needs."""

from pathlib import Path

from pydantic import Field

from palio_kit.settings import DatabaseSettings, ServiceSettings


class Settings(ServiceSettings):
    """Read from `PALIO_*`."""

    service: str = "user"
    port: int = Field(23451, ge=0, le=65535, description="port to listen on")
    signing_keys: Path = Field(
        description='JSON {"keys": [private Ed25519 JWK with kid, ...]}: the first one signs, all are published. '
        "To rotate, add the new key at the end, restart, move it to the front, restart"
    )
    hash_threads: int = Field(2, ge=1, le=16, description="password hashes at once, 46 MiB each")
    hash_queue_max: int = Field(64, ge=0, le=1000, description="password hashes waiting; one more is refused with 503")


class GrantSettings(DatabaseSettings):
    """What `python -m palio_user grant` needs."""

    service: str = "user"
