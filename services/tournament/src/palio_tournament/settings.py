"""The tournament service's settings."""

from pathlib import Path

from pydantic import Field

from palio_kit.settings import DatabaseSettings, ServiceSettings

SETTLEMENT_TIMEOUT_S = 60.0


class Settings(ServiceSettings):
    """What the service can be told."""

    service: str = Field("tournament", description="this service's name")
    port: int = Field(23457, ge=0, le=65535, description="port to listen on")
    sweeper: bool = Field(True, description="settle tournaments from here; off where an operator creates payout jobs")
    settle_workers: int = Field(2, ge=1, le=8, description="settlement transactions at once")
    settle_batch: int = Field(50, ge=1, le=500, description="tournaments in one settlement transaction")
    settle_attempts_max: int = Field(8, ge=1, le=20, description="failures after which a tournament is failed")
    kubernetes: bool = Field(False, description="create and cancel tournaments as resources of the cluster")
    kubernetes_url: str = Field("https://kubernetes.default.svc", description="the API server")
    kubernetes_namespace: str = Field("palio", description="where resources are created")
    kubernetes_credentials: Path = Field(
        Path("/var/run/secrets/kubernetes.io/serviceaccount"), description="folder with `token` and `ca.crt`"
    )
    kubernetes_wait_s: float = Field(3.0, ge=0, le=10, description="longest wait for the operator to write the record")


class CommandSettings(DatabaseSettings):
    """What the commands can be told."""

    service: str = Field("tournament", description="this service's name")
    patience_s: float = Field(0.0, ge=0, le=86_400, description="how long to try again while the database is away")


def for_settlement(settings: DatabaseSettings, connections: int) -> DatabaseSettings:
    """The same database, with time for transactions over a million standings."""
    return settings.model_copy(
        update={"database_timeout_s": SETTLEMENT_TIMEOUT_S, "database_connections_max": connections}
    )
