"""Settings of the generator."""

from pathlib import Path

from pydantic import Field

from palio_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the generator makes, and how hard it may press the gateway."""

    service: str = Field("generator", description="this service's name")
    port: int = Field(23458, ge=0, le=65535, description="port to listen on")

    seed: int = Field(2026, ge=0, lt=2**31, description="decides the demo users, their skill and their past")
    population_users: int = Field(40, ge=2, le=1_000, description="demo users that populate registers")
    population_submissions: int = Field(
        2_000, ge=0, le=1_000_000, description="games played before, all games together"
    )
    writes_in_flight_max: int = Field(4, ge=1, le=32, description="requests of populate at the gateway at once")
    logins_in_flight_max: int = Field(4, ge=1, le=32, description="registrations and logins at once (argon2 is heavy)")
    patience_s: float = Field(30.0, gt=0, le=600, description="how long one request is tried again before giving up")

    engine: tuple[str, ...] | None = Field(None, description="program of a run of load, as a JSON list; ours if null")
    startup_deadline_s: int = Field(600, ge=5, le=1_800, description="how long a run may prepare its users")
    runs_kept_max: int = Field(200, ge=1, le=10_000, description="runs of load kept; the oldest are forgotten")
    runs_kept_days: int = Field(30, ge=1, le=3_650, description="how long they are kept")
    run_seconds_kept_max: int = Field(500_000, ge=3_600, description="seconds of all kept runs together")

    kubernetes: bool = Field(False, description="start and stop runs of load as resources of the cluster")
    kubernetes_url: str = Field("https://kubernetes.default.svc", description="the API server")
    kubernetes_namespace: str = Field("palio", description="where resources are created")
    kubernetes_credentials: Path = Field(
        Path("/var/run/secrets/kubernetes.io/serviceaccount"), description="folder with `token` and `ca.crt`"
    )
    kubernetes_wait_s: float = Field(2.0, ge=0, le=10, description="longest wait for the operator to write the run")

    @property
    def population(self) -> str:
        """The name under which progress is noted: another seed or size is another population."""
        return f"{self.seed}/{self.population_users}/{self.population_submissions}"
