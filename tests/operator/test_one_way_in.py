"""A tournament made over REST appears as a resource and the other way round, with one id."""

import base64
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually
from palio_tournament.app import create_app
from palio_tournament.settings import Settings as TournamentSettings
from support.cluster import Cluster
from support.operator_stage import Stage


@pytest.fixture
def credentials(cluster: Cluster, namespace: str, tmp_path: Path) -> Path:
    """The service account of a tournament service: it may create, read and edit resources, and nothing else."""
    at = ("-n", namespace)
    cluster.kubectl("create", "serviceaccount", "tournament", *at)
    cluster.kubectl("create", "role", "tournament", "--verb=create,get,patch", "--resource=tournaments.palio.gg", *at)
    cluster.kubectl(
        "create", "rolebinding", "tournament", "--role=tournament", f"--serviceaccount={namespace}:tournament", *at
    )
    told = yaml.safe_load(cluster.config.read_text())["clusters"][0]["cluster"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(told["certificate-authority-data"]))
    (tmp_path / "token").write_text(cluster.kubectl("create", "token", "tournament", *at))
    (tmp_path / "server").write_text(told["server"])
    return tmp_path


@pytest.fixture
async def rest(
    credentials: Path, namespace: str, client_of: Any, make_settings: Any, issuer: Issuer
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = make_settings(
        TournamentSettings, sweeper=False, kubernetes=True, kubernetes_url=(credentials / "server").read_text(),
        kubernetes_namespace=namespace, kubernetes_credentials=credentials,
    )  # fmt: skip
    async with client_of(create_app, settings) as opened:
        token = issuer.access_token(uuid4(), "ada", roles=("player", "organiser"))
        opened.headers["authorization"] = f"Bearer {token}"
        yield opened


def body(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "name": "Friday Cup", "game_id": "space-race", "max_participants": 10, "prize_pool": 100,
        "start_time": (now - timedelta(seconds=1)).isoformat(), "end_time": (now + timedelta(hours=1)).isoformat(),
    } | changes  # fmt: skip


async def test_rest_makes_a_resource_and_its_record_has_the_same_id(
    stage: Stage, operate: Callable[..., Any], rest: httpx2.AsyncClient
) -> None:
    async with operate():
        answer = await rest.post("/api/v1/tournaments", json=body())
        assert answer.status_code == 201, answer.text
        made = answer.json()
        read = (await rest.get(f"/api/v1/tournaments/{made['id']}")).json()
        assert {key: read[key] for key in read if key != "created_at"} == {
            key: made[key] for key in made if key != "created_at"
        }
        listed: Any = await stage.resources.list_namespaced_custom_object(
            "palio.gg", "v1alpha1", stage.namespace, "tournaments"
        )
        (resource,) = listed["items"]
        assert resource["metadata"]["uid"] == made["id"]
        name = resource["metadata"]["name"]
        stage.made.append(name)
        await stage.wait_for(name, phase="Active", RecordSynced="True/Synced")
        cancelled = await rest.post(f"/api/v1/tournaments/{made['id']}/cancel")
        assert cancelled.json()["phase"] == "Cancelled"
        await stage.wait_for(name, phase="Cancelled", Succeeded="False/Cancelled")


async def test_kubectl_makes_a_tournament_that_rest_shows(
    stage: Stage, operate: Callable[..., Any], rest: httpx2.AsyncClient
) -> None:
    async with operate():
        tournament_id = await stage.apply("kubectl-cup", displayName="Kubectl Cup")

        async def is_shown() -> bool:
            items = (await rest.get("/api/v1/tournaments", params={"limit": 100})).json()["items"]
            return (tournament_id, "Kubectl Cup") in {(item["id"], item["name"]) for item in items}

        await eventually(is_shown)


async def test_the_same_key_makes_one_resource(
    stage: Stage, operate: Callable[..., Any], rest: httpx2.AsyncClient
) -> None:
    async with operate():
        key, request = {"idempotency-key": "a-key-of-16-letters"}, body(prizes=[
            {"key": "gold", "rank_first": 1, "rank_last": 1, "amount": 60}
        ])  # fmt: skip
        answers = [await rest.post("/api/v1/tournaments", json=request, headers=key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].content == answers[1].content
        made = answers[0].json()
        listed: Any = await stage.resources.list_namespaced_custom_object(
            "palio.gg", "v1alpha1", stage.namespace, "tournaments"
        )
        stage.made += [item["metadata"]["name"] for item in listed["items"]]
        assert len(stage.made) == 1
        read = (await rest.get(f"/api/v1/tournaments/{made['id']}")).json()
        assert (read["prize_pool"], read["prizes"][0]["key"]) == (100, "gold")
        await stage.wait_for(stage.made[0], Accepted="True/Valid", RecordSynced="True/Synced")


async def test_what_only_the_cluster_refuses_is_told_by_field(rest: httpx2.AsyncClient, stage: Stage) -> None:
    now = datetime.now(UTC)
    refused = await rest.post("/api/v1/tournaments", json=body(end_time=(now + timedelta(seconds=2)).isoformat()))
    assert refused.status_code == 422, refused.text
    assert "10 seconds" in refused.text
