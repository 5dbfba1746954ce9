"""The real API server as judge of manifests."""

from collections.abc import AsyncIterator, Iterator

import pytest
from kubernetes.aio import client, config

from support.cluster import Cluster, kubeconfig


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    found = Cluster(kubeconfig())
    found.install_resources()
    return found


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    with cluster.namespace() as name:
        yield name


@pytest.fixture
async def resources(cluster: Cluster) -> AsyncIterator[client.CustomObjectsApi]:
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.config), client_configuration=configuration)  # type: ignore[no-untyped-call]  # its own lack
    async with client.ApiClient(configuration) as api:
        yield client.CustomObjectsApi(api)
