"""The document the gateway makes of its services' real ones: valid, complete, and of public paths only."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from schemathesis.core.result import Err

from palio_gateway.documents import merge
from palio_gateway.routing import ROUTES

SERVICES = ("user", "game", "leaderboard", "score", "tournament", "generator")

WITHOUT_SCHEMA = {
    ("GET", "/.well-known/jwks.json"),  # RFC 7517 says what it is
}


@pytest.fixture
async def merged(make_settings: Callable[..., Any]) -> dict[str, Any]:
    parts = {}
    for service in SERVICES:
        app = importlib.import_module(f"palio_{service}.app").create_app(
            make_settings(importlib.import_module(f"palio_{service}.settings").Settings)
        )
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as client:
            parts[service] = (await client.get("/openapi.json")).json()
    return merge(parts, ROUTES)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


async def test_it_is_the_list_of_public_routes(merged: dict[str, Any]) -> None:
    assert set(operations(merged)) == {(route.method, route.template) for route in ROUTES}


async def test_it_is_valid_and_every_operation_can_be_read(merged: dict[str, Any]) -> None:
    schema = schemathesis.openapi.from_dict(merged)
    schema.validate()
    found = list(schema.get_all_operations())
    assert [result for result in found if isinstance(result, Err)] == []
    assert len(found) == len(ROUTES)


async def test_every_reference_leads_somewhere(merged: dict[str, Any]) -> None:
    schemas = merged["components"]["schemas"]
    assert [ref for ref in references(merged) if ref.removeprefix("#/components/schemas/") not in schemas] == []


async def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(merged: dict[str, Any]) -> None:
    told = operations(merged)
    names = [operation["operationId"] for operation in told.values()]
    assert len(names) == len(set(names))
    assert [key for key, operation in told.items() if not operation.get("description")] == []


async def test_every_body_and_every_good_answer_has_a_schema(merged: dict[str, Any]) -> None:
    for key, operation in operations(merged).items():
        good = [answer for status, answer in operation["responses"].items() if status in ("200", "201", "202")]
        for said in [operation.get("requestBody"), *good]:
            if said is not None and key not in WITHOUT_SCHEMA:
                as_file = key == ("GET", "/api/v1/demo/stress/{run_id}/report")
                assert all(media["schema"] for media in said["content"].values()), key
                assert as_file or list(said["content"]) == ["application/json"], key


async def test_nothing_internal_is_told(merged: dict[str, Any]) -> None:
    assert [path for path in merged["paths"] if "internal" in path] == []
    assert "palio-service-token" not in str(merged)
