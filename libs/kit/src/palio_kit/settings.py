"""Settings that every service has. One frozen object per process, read from `PALIO_*` once, at start.

Secrets have no default: a service that needs one and does not get it refuses to start.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Profile = Literal["demo", "production"]


class DatabaseSettings(BaseSettings):
    """What it takes to reach a service's own database: all that an administrator's command needs."""

    model_config = SettingsConfigDict(env_prefix="PALIO_", frozen=True, extra="forbid")

    service: str = Field(description="this service's name, as in services/<name>")
    database_url: SecretStr = Field(description="this service's own role")
    database_connections_max: int = Field(4, ge=1, le=64)
    database_timeout_s: float = Field(2.0, gt=0, le=60, description="per statement, on both sides")


class ServiceSettings(DatabaseSettings):
    """What each service knows about itself and where it finds the others."""

    profile: Profile = Field("production", description="demo opens populate, simulation and free organiser rights")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(ge=0, le=65535, description="port to listen on")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    connections_max: int = Field(10_000, ge=1, description="open HTTP connections of a process; one more gets 503")
    leave_s: float = Field(
        0.0, ge=0, le=60,
        description="how long it goes on answering after SIGTERM, asking clients to connect anew: to another process",
    )  # fmt: skip

    redis_url: SecretStr = Field(description="rebuildable state and live events")
    redis_timeout_s: float = Field(0.3, gt=0, le=5)

    user_url: str = "http://127.0.0.1:23451"
    game_url: str = "http://127.0.0.1:23452"
    leaderboard_url: str = "http://127.0.0.1:23453"
    score_url: str = "http://127.0.0.1:23454"
    gateway_url: str = "http://127.0.0.1:23455"
    websocket_url: str = "http://127.0.0.1:23456"
    tournament_url: str = "http://127.0.0.1:23457"
    generator_url: str = "http://127.0.0.1:23458"
    upstream_timeout_s: float = Field(3.0, gt=0, le=60, description="whole call to another service")

    token_issuer: str = "palio"  # noqa: S105 - a name
    token_audience: str = "palio-players"  # noqa: S105 - a name
    identity_dir: Path = Field(
        description="tokens this service shows to others, one file per audience, named after the callee"
    )
    identity_jwks: str = Field(description="path or URL of the key set that verifies other services' tokens")
    identity_issuer: str = Field(description="issuer of service tokens: the cluster, or the local launcher")
    identity_namespace: str = "palio"

    access_log_sample: float = Field(0.01, ge=0, le=1, description="share of good, fast requests that are logged")

    @property
    def is_demo(self) -> bool:
        """Whether the open demo endpoints and rights are on."""
        return self.profile == "demo"
