"""`/openapi.json` and `/docs` over HTTP: made at first use, completed when a missing service is back."""

import httpx2
import pytest

DOCUMENT = {
    "paths": {
        "/api/v1/games": {"get": {"summary": "Games", "responses": {"200": {"description": "ok"}}}},
        "/api/v1/games/{game_id}": {"get": {"summary": "<Game>", "responses": {"200": {"description": "ok"}}}},
        "/internal/v1/x": {"post": {"responses": {}}},
    },
    "components": {"schemas": {}},
}


async def test_a_missing_part_is_asked_for_again(client: httpx2.AsyncClient, upstream: object) -> None:
    before = (await client.get("/openapi.json")).json()
    assert before["paths"] == {}
    upstream.document = DOCUMENT  # type: ignore[attr-defined]
    after = (await client.get("/openapi.json")).json()
    assert set(after["paths"]) == {"/api/v1/games", "/api/v1/games/{game_id}"}


async def test_the_page_lists_paths_without_anything_of_others(client: httpx2.AsyncClient, upstream: object) -> None:
    upstream.document = DOCUMENT  # type: ignore[attr-defined]
    page = await client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "&lt;Game&gt;" in page.text
    assert "/internal" not in page.text
    assert not [tag for tag in ("<script", "<style", "style=", "http://", "https://") if tag in page.text]
    assert (await client.get("/docs.css")).headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/docs.css"])
async def test_pages_answer_head(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.head(path)
    assert (answer.status_code, answer.content) in ((200, b""), (503, b""))
