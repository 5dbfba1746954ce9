"""The platform as `make up` installs it, in the cluster of the test run. tools/tiers.py installs it beforehand."""

import json

import pytest

from support.cluster import Cluster, hack, kubeconfig, missing
from support.deployed import NAMESPACE, Deployed, Player

UI, GATEWAY, WEBSOCKET = "30300", "30455", "30456"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster(kubeconfig())


@pytest.fixture(scope="session")
def ports(cluster: Cluster) -> dict[str, int]:
    """Ports of the node → where they are on this machine."""
    return dict(json.loads(hack("ports")))


@pytest.fixture(scope="session")
def ui(ports: dict[str, int]) -> str:
    return f"http://127.0.0.1:{ports[UI]}"


@pytest.fixture(scope="session")
def palio(cluster: Cluster, ports: dict[str, int]) -> Deployed:
    ask = ("-n", NAMESPACE, "get", "deployment", "palio-operator", "palio-gateway", "--ignore-not-found", "-o", "name")
    if len(cluster.kubectl(*ask).split()) != 2:
        missing("palio is not installed: `python tools/cluster.py up --private --name palio-test` installs it")
    return Deployed(cluster, f"http://127.0.0.1:{ports[GATEWAY]}", f"ws://127.0.0.1:{ports[WEBSOCKET]}/ws/main")


@pytest.fixture
def players(palio: Deployed) -> list[Player]:
    """Three new players with empty wallets."""
    return palio.players(3)
