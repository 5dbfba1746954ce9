"""A run of load started over REST is a LoadTest that a real API server takes, and its uid is the run's id."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from palio_generator.app import create_app
from palio_generator.runs.resources import Resources
from palio_generator.settings import Settings
from palio_kit import apiserver
from support.cluster import Cluster

STRESS = "/api/v1/demo/stress"
WISH = {
    "users": 200, "actions_per_second": 50, "duration_seconds": 10,
    "thresholds": [{"metric": "P99LatencyMs", "op": "AtMost", "value": 50}],
}  # fmt: skip


@pytest.fixture
def credentials(cluster: Cluster, namespace: str, tmp_path: Path) -> Path:
    """The service account of a generator: it may create and edit load tests, and nothing else."""
    at = ("-n", namespace)
    cluster.kubectl("create", "serviceaccount", "generator", *at)
    cluster.kubectl("create", "role", "generator", "--verb=create,patch", "--resource=loadtests.palio.gg", *at)
    cluster.kubectl(
        "create", "rolebinding", "generator", "--role=generator", f"--serviceaccount={namespace}:generator", *at
    )
    told = yaml.safe_load(cluster.config.read_text())["clusters"][0]["cluster"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(told["certificate-authority-data"]))
    (tmp_path / "token").write_text(cluster.kubectl("create", "token", "generator", *at))
    (tmp_path / "server").write_text(told["server"])
    return tmp_path


@pytest.fixture
async def rest(
    credentials: Path, namespace: str, client_of: Any, make_settings: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = make_settings(
        Settings, kubernetes=True, kubernetes_url=(credentials / "server").read_text(), kubernetes_wait_s=0,
        kubernetes_namespace=namespace, kubernetes_credentials=credentials,
    )  # fmt: skip
    async with client_of(create_app, settings) as opened:
        yield opened


async def test_rest_makes_a_load_test_that_may_be_stopped(
    cluster: Cluster, namespace: str, rest: httpx2.AsyncClient, credentials: Path
) -> None:
    answer = await rest.post(STRESS, json=WISH)
    assert answer.status_code == 202, answer.text
    run = answer.json()
    made = json.loads(cluster.kubectl("get", "ldt", run["name"], "-n", namespace, "-o", "json"))
    assert made["metadata"]["uid"] == run["id"]
    assert made["spec"]["load"] == {
        "parallelism": 1, "virtualUsers": 200, "requestsPerSecond": 50, "rampUpSeconds": 2, "durationSeconds": 10,
    }  # fmt: skip
    assert made["spec"]["thresholds"] == WISH["thresholds"]
    async with apiserver.connect((credentials / "server").read_text(), credentials) as server:
        for name in (run["name"], "gone"):
            await Resources(server, namespace).stop(namespace, name, UUID(run["id"]))
    stopped = json.loads(cluster.kubectl("get", "ldt", run["name"], "-n", namespace, "-o", "json"))
    assert stopped["spec"]["desiredState"] == "Stopped"


async def test_what_its_definition_refuses_is_told(rest: httpx2.AsyncClient) -> None:
    refused = await rest.post(STRESS, json=WISH | {"duration_seconds": 1})
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"] == "/spec/load/durationSeconds"
