"""The operator's settings: `PALIO_*`, read once at start. It has no database and no secret of its own."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from palio_operator.domain import Clockwork
from palio_operator.jobs import PayoutRun
from palio_operator.loadtests.domain import Terms
from palio_operator.loadtests.fence import Fence
from palio_operator.loadtests.jobs import RunnerPods


class Settings(BaseSettings):
    """What the operator can be told."""

    model_config = SettingsConfigDict(env_prefix="PALIO_", frozen=True, extra="forbid")

    service: Literal["operator"] = Field("operator", description="the name it shows to services")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    namespaces: list[str] = Field([], description="watched namespaces (JSON list), globs allowed; all if empty")
    liveness_port: int = Field(8080, ge=1, le=65535, description="/healthz")
    metrics_port: int = Field(8081, ge=0, le=65535, description="/metrics; 0 serves none")
    host: str = Field("0.0.0.0", description="address of both")  # noqa: S104 - the kubelet and Prometheus call the pod

    tournament_url: str = "http://127.0.0.1:23457"
    upstream_timeout_s: float = Field(3.0, gt=0, le=60, description="whole call to the tournament service")
    identity_dir: Path = Field(description="tokens shown to services, one file per callee")
    kubernetes_timeout_s: float = Field(10.0, gt=0, le=60, description="whole call to the API server")

    payout_namespace: str = Field(
        "", description="where prize Jobs run: the namespace of the database secret; the resource's own if empty"
    )
    payout_image: str = Field("palio-tournament:latest", description="image of the tournament service")
    payout_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    payout_database_secret: str = Field("palio-tournament-database", description="secret with the role's DSN")
    payout_database_key: str = Field("url", description="key of the DSN in that secret")
    payout_service_account: str = Field("palio-payout", description="an account without rights")
    payout_labels: dict[str, str] = Field({}, description="more labels of prize pods, for NetworkPolicies (JSON)")

    loadtests: bool = Field(True, description="whether LoadTest resources are looked after")
    generator_url: str = "http://127.0.0.1:23458"
    loadtest_concurrent_max: int = Field(1, ge=1, le=50, description="load tests at the same time; others wait")
    loadtest_gateway_url: str = Field("http://palio-gateway:23455", description="the gateway, as runners reach it")
    loadtest_live_url: str = Field(
        "ws://palio-websocket:23456/ws/main", description="the web socket, as runners reach it; the gateway's if empty"
    )
    loadtest_allowed_hosts: list[str] = Field([], description="other targets (JSON list): name, or name:port")
    loadtest_namespace: str = Field("", description="where runners run; beside their resource if empty")
    loadtest_image: str = Field("palio-generator:latest", description="image of the generator service")
    loadtest_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    loadtest_service_account: str = Field("palio-loadrunner", description="the account that the generator knows")
    loadtest_token_s: int = Field(3600, ge=600, le=86_400, description="lifetime of a runner's token")
    loadtest_resources: dict[str, dict[str, str]] = Field(
        {"requests": {"cpu": "200m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        description="of each runner (JSON)",
    )
    loadtest_poll_s: float = Field(1.0, gt=0, le=60, description="pause of the loop of a load test at work")
    loadtest_stop_grace_s: float = Field(30.0, ge=0, le=600, description="how long stopped runners may report")

    resync_s: float = Field(15.0, gt=0, le=300, description="longest pause of a living resource's loop")
    drift_s: float = Field(300.0, gt=0, le=3600, description="pause of a finished resource's loop")
    deletion_grace_s: float = Field(600.0, ge=0, le=86_400, description="longest wait for pods or a service")
    stalled_after_s: float = Field(180.0, gt=0, le=3600, description="a change unseen for so long means a dead watch")
    audit_s: float = Field(30.0, gt=0, le=600, description="pause between two looks for unseen changes")

    def clockwork(self) -> Clockwork:
        """The times that plans depend on."""
        return Clockwork(self.resync_s, self.drift_s, self.deletion_grace_s)

    def payout_run(self) -> PayoutRun:
        """How prize Jobs are run."""
        return PayoutRun(
            namespace=self.payout_namespace, image=self.payout_image, pull_policy=self.payout_image_pull_policy,
            database_secret=self.payout_database_secret, database_key=self.payout_database_key,
            service_account=self.payout_service_account, labels=tuple(sorted(self.payout_labels.items())),
        )  # fmt: skip

    def terms(self) -> Terms:
        """What load tests are held to."""
        namespace = self.loadtest_namespace or "default"
        allowed = tuple(self.loadtest_allowed_hosts)
        return Terms(
            Fence(self.loadtest_gateway_url, self.loadtest_live_url, namespace, allowed), self.loadtest_concurrent_max,
            self.loadtest_poll_s, self.resync_s, self.drift_s, self.loadtest_stop_grace_s, self.deletion_grace_s,
        )  # fmt: skip

    def runner_pods(self) -> RunnerPods:
        """How runners are run."""
        return RunnerPods(
            namespace=self.loadtest_namespace, image=self.loadtest_image, pull_policy=self.loadtest_image_pull_policy,
            service_account=self.loadtest_service_account, generator_url=self.generator_url,
            token_s=self.loadtest_token_s, resources=self.loadtest_resources,
        )  # fmt: skip
