"""The platform as `make up` installs it, in the cluster of the test run. tools/tiers.py installs it beforehand."""

import json

import pytest

from support.cluster import Cluster, hack, kubeconfig, missing
from support.deployed import NAMESPACE, Deployed, Player

GATEWAY = "30455"


@pytest.fixture(scope="session")
def palio() -> Deployed:
    cluster = Cluster(kubeconfig())
    ask = ("-n", NAMESPACE, "get", "deployment", "palio-operator", "palio-gateway", "--ignore-not-found", "-o", "name")
    if len(cluster.kubectl(*ask).split()) != 2:
        missing("palio is not installed: `python tools/cluster.py up --private --name palio-test` installs it")
    return Deployed(cluster, f"http://127.0.0.1:{json.loads(hack('ports'))[GATEWAY]}")


@pytest.fixture
def players(palio: Deployed) -> list[Player]:
    """Three new players with empty wallets."""
    return palio.players(3)
