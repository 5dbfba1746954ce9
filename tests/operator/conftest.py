"""The operator against a real API server, over the real tournament service and a real database.

The operator runs in this process, as from a laptop; its Jobs are created for real, and since their image may not be in
the cluster the tests settle as a Job's pod would. tests/e2e runs the same flows with charts and images.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import asyncpg
import kopf
import pytest
from kubernetes.aio import client, config

from palio_kit import postgres
from palio_kit.testing.issuer import Issuer
from palio_operator.settings import Settings
from palio_tournament.app import create_app
from palio_tournament.settings import Settings as TournamentSettings
from palio_tournament.settings import for_settlement
from palio_tournament.settlement import Settler
from support.cluster import Cluster, kubeconfig
from support.operator_stage import Stage, operating

Operate = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    found = Cluster(kubeconfig())
    found.install_resources()
    return found


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    with cluster.namespace() as name:
        yield name


@pytest.fixture
async def configuration(cluster: Cluster) -> client.Configuration:
    made = client.Configuration()
    await config.load_kube_config(str(cluster.config), client_configuration=made)  # type: ignore[no-untyped-call]
    return made


@pytest.fixture
def login(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> kopf.ConnectionInfo:
    monkeypatch.setenv("KUBECONFIG", str(cluster.config))
    found = kopf.login_with_kubeconfig(settings=kopf.OperatorSettings())
    assert found is not None
    return found


@pytest.fixture
def tournament_service(running: Any, make_settings: Any) -> Iterator[str]:
    """The tournament service as in a cluster: it settles nothing by itself. Its URL."""
    with running(create_app, make_settings(TournamentSettings, sweeper=False)) as server:
        yield server.url


@pytest.fixture
def operator_settings(
    tournament_service: str, namespace: str, tmp_path: Path, service_issuer: Issuer
) -> Callable[..., Settings]:
    identity = tmp_path / "identity" / "operator"
    service_issuer.write_identity(identity, "operator", ("tournament",))

    def make(**changes: Any) -> Settings:
        values: dict[str, Any] = {
            "namespaces": [namespace], "tournament_url": tournament_service, "identity_dir": identity, "resync_s": 2.0,
            "deletion_grace_s": 6.0, "audit_s": 1.0, "payout_image": "registry.invalid/palio-tournament:none",
            "payout_image_pull_policy": "Never", "payout_service_account": "default",
        }  # fmt: skip
        return Settings(**(values | changes))

    return make


@pytest.fixture
def operate(
    operator_settings: Callable[..., Settings], configuration: client.Configuration, login: kopf.ConnectionInfo
) -> Operate:
    """`async with operate():` an operator runs."""
    return lambda **changes: operating(operator_settings(**changes), configuration, login)


@pytest.fixture
async def stage(
    configuration: client.Configuration, namespace: str, owner_dsn: str, make_settings: Any, operate: Operate
) -> AsyncIterator[Stage]:
    """A namespace to play in; what was made in it is deleted while an operator lives to let it go."""
    owner = await asyncpg.connect(owner_dsn)
    async with (
        client.ApiClient(configuration) as api,
        postgres.connect(for_settlement(make_settings(TournamentSettings), 4)) as database,
    ):
        made = Stage(api, namespace, owner, Settler(database))
        yield made
        left = [name for name in made.made if await made.read(name) is not None]
        for name in left:
            await made.delete(name)
        if left:
            async with operate():
                for name in left:
                    await made.gone(name)
    await owner.close()
