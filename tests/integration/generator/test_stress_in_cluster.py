"""Where the platform runs in a cluster, a run of load is a LoadTest: REST makes it, the operator does the rest."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from palio_generator.app import create_app
from palio_generator.settings import Settings
from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually

STRESS = "/api/v1/demo/stress"
WISH = {"users": 500, "actions_per_second": 9_000, "duration_seconds": 30}
WANTED = {
    "scenario": "Mixed", "virtual_users": 500, "requests_per_second": 9_000, "ramp_up_s": 5, "duration_s": 30,
    "base_url": "http://gateway:23455", "runners": 3,
}  # fmt: skip


@dataclass
class ApiStub:
    """LoadTests of one namespace; `answers` are given instead, one a request."""

    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    patches: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def app(self) -> Starlette:
        base = "/apis/palio.gg/v1alpha1/namespaces/games/loadtests"
        return Starlette(
            routes=[
                Route(base, self.create, methods=["POST"]),
                Route(base + "/{name}", self.patch, methods=["PATCH"]),
            ]
        )

    async def create(self, request: Request) -> Response:
        self.tokens.add(request.headers["authorization"])
        if self.answers:
            status, document = self.answers.pop(0)
            return JSONResponse(document, status)
        body = await request.json()
        body["metadata"]["uid"] = str(uuid4())
        self.made[body["metadata"]["name"]] = body
        return JSONResponse(body, 201)

    async def patch(self, request: Request) -> Response:
        assert request.headers["content-type"] == "application/merge-patch+json"
        self.patches.append((request.path_params["name"], json.loads(await request.body())))
        return JSONResponse({}, 200)


@pytest.fixture
def api() -> ApiStub:
    return ApiStub()


@pytest.fixture
def cluster_settings(api: ApiStub, running: Any, make_settings: Any, tmp_path: Path) -> Iterator[Settings]:
    (tmp_path / "token").write_text("the pod's")
    with running(lambda _: api.app(), make_settings(Settings)) as server:
        yield make_settings(
            Settings, kubernetes=True, kubernetes_url=server.url, kubernetes_namespace="games",
            kubernetes_credentials=tmp_path, kubernetes_wait_s=1,
        )  # fmt: skip


@pytest.fixture
async def rest(client_of: Any, cluster_settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(create_app, cluster_settings) as client:
        yield client


async def operator_writes(rest: httpx2.AsyncClient, api: ApiStub, issuer: Issuer) -> None:
    """The operator sees a LoadTest and writes its run."""

    async def seen() -> dict[str, Any]:
        return api.made

    [(name, made)] = (await eventually(seen, every_s=0.01)).items()
    answer = await rest.put(
        f"/internal/v1/loadtests/{made['metadata']['uid']}", json={"name": name, "namespace": "games", **WANTED},
        headers={"palio-service-token": issuer.service_token("operator", "generator")},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text


async def test_a_run_becomes_a_resource_whose_uid_is_its_id(
    rest: httpx2.AsyncClient, api: ApiStub, service_issuer: Issuer
) -> None:
    writing = asyncio.create_task(operator_writes(rest, api, service_issuer))
    answer = await rest.post(STRESS, json=WISH)
    await writing
    assert answer.status_code == 202, answer.text
    run, [(name, made)] = answer.json(), api.made.items()
    assert (run["id"], run["name"], run["phase"]) == (made["metadata"]["uid"], name, "waiting")
    assert run["runners"]["wanted"] == made["spec"]["load"]["parallelism"] == 3
    assert api.tokens == {"Bearer the pod's"}
    assert (await rest.get(f"{STRESS}/{run['id']}")).json()["id"] == run["id"]


async def test_a_slow_operator_is_not_waited_for_longer_than_allowed(rest: httpx2.AsyncClient, api: ApiStub) -> None:
    run = (await rest.post(STRESS, json=WISH)).json()
    [made] = api.made.values()
    assert (run["id"], run["phase"], run["users"]) == (made["metadata"]["uid"], "waiting", 500)
    assert (await rest.get(f"{STRESS}/{run['id']}")).status_code == 404


async def test_stopping_sets_what_the_resource_wants(
    rest: httpx2.AsyncClient, api: ApiStub, service_issuer: Issuer
) -> None:
    writing = asyncio.create_task(operator_writes(rest, api, service_issuer))
    run = (await rest.post(STRESS, json=WISH)).json()
    await writing
    assert (await rest.delete(f"{STRESS}/{run['id']}")).status_code == 202
    wanted = {"metadata": {"uid": run["id"]}, "spec": {"desiredState": "Stopped"}}
    assert api.patches == [(run["name"], wanted)]


async def test_what_the_cluster_refuses_is_told(rest: httpx2.AsyncClient, api: ApiStub) -> None:
    causes = [{"field": "spec.load.durationSeconds", "message": "should be at least 5"}]
    api.answers = [(422, {"details": {"causes": causes}}), (403, {"reason": "Forbidden"})]
    refused = await rest.post(STRESS, json=WISH)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"pointer": "/spec/load/durationSeconds", "detail": "should be at least 5"}]
    assert (await rest.post(STRESS, json=WISH)).status_code == 503
