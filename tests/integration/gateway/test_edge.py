"""The border: cross-origin rules, paths that must not exist, framing that must not be believed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from palio_gateway.routing import ROUTES
from support.apps import Running

OURS = "http://localhost:3000"
FOREIGN = [
    "http://evil.example", "null", "http://localhost:3000.evil.example", "https://localhost:3000", "http://localhost",
]  # fmt: skip
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


@pytest.mark.parametrize("path", ["/api/v1/games", "/api/v1/scores", "/api/v1/leaderboard/global", "/nowhere", "/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_our_pages_may_read_every_answer(client: httpx2.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, path, headers={"origin": OURS})
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["vary"] == "origin"
    assert "retry-after" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", FOREIGN)
async def test_other_pages_may_not(client: httpx2.AsyncClient, origin: str) -> None:
    answer = await client.get("/api/v1/games", headers={"origin": origin})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    refused = await client.options("/api/v1/games", headers={"origin": origin} | PREFLIGHT)
    assert (refused.status_code, refused.json()["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in refused.headers


async def test_without_an_origin_nothing_is_shared(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/games")
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_preflight_names_the_paths_methods_and_our_headers(client: httpx2.AsyncClient, upstream: Any) -> None:
    answer = await client.options("/api/v1/users/me", headers={"origin": OURS} | PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == OURS
    assert answer.headers["access-control-allow-methods"] == "GET, PATCH, DELETE"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "idempotency-key" in answer.headers["access-control-allow-headers"]
    assert upstream.requests == []


async def test_a_body_over_the_limit_is_readable_for_our_pages_too(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/games", content=b"x" * 70_000, headers={"origin": OURS})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (413, OURS)


async def test_other_origins_can_be_configured(gateway_of: Any) -> None:
    async with httpx2.AsyncClient(base_url=gateway_of(cors_origins=("https://play.example",)).url) as client:
        there = await client.get("/api/v1/games", headers={"origin": "https://play.example"})
        here = await client.get("/api/v1/games", headers={"origin": OURS})
    assert there.headers["access-control-allow-origin"] == "https://play.example"
    assert "access-control-allow-origin" not in here.headers


INTERNAL = [
    "/internal/v1/submissions", "/internal/v1/reads", "/internal/v1/recent", "/internal/v1/tops", "/internal/v1/ranks",
    "/internal/v1/server-tokens", "/internal/drain", "/internal", "/api/internal/v1/reads", "/api/v1/internal/reads",
    "/redoc", "/docs/oauth2-redirect", "/api", "/api/v1", "/api/v0/games", "/v1/scores", "/admin", "/debug", "/.env",
    "/.git/config", "/assets/", "/ui/index.html", "/index.html", "/favicon.ico", "/robots.txt", "/server-status", "/ws",
    "/ws/main", "/ws/other", "/api/v1/users", "/api/v1/tournaments/x/y/z", "/api/v1/scores/1/2", "/api/v1/games/",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_paths_that_are_not_listed_do_not_exist(client: httpx2.AsyncClient, upstream: Any, method: str) -> None:
    for path in INTERNAL:
        answer = await client.request(method, path)
        assert (path, answer.status_code, answer.json()["code"]) == (path, 404, "not_found")
    assert upstream.requests == []


async def test_operations_are_the_gateways_own(client: httpx2.AsyncClient, upstream: Any) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/version"):
        assert (await client.get(path)).status_code == 200
    assert (await client.get("/version")).json()["service"] == "gateway"
    assert {request.path for request in upstream.requests} <= {"/livez"}  # how its readiness looks at the others


async def test_demo_paths_are_absent_outside_the_demo(gateway_of: Any, upstream: Any) -> None:
    async with httpx2.AsyncClient(base_url=gateway_of(profile="production").url) as client:
        for method in ("GET", "POST", "DELETE"):
            answer = await client.request(method, "/api/v1/demo/populate")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert upstream.requests == []


async def test_another_method_is_405_and_names_the_right_ones(client: httpx2.AsyncClient) -> None:
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    for template in {route.template for route in ROUTES}:
        path = template.replace("{", "").replace("}", "")
        allowed = {route.method for route in ROUTES if route.template == template}
        if path == "/api/v1/users/user_id":
            path = "/api/v1/users/somebody"
        for method in methods - allowed:
            answer = await client.request(method, path)
            assert (path, answer.status_code, answer.json()["code"]) == (path, 405, "method_not_allowed")
            assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path",
    ["/api/v1//games", "/api/v1/../v1/games", "/api/v1/games/%2e%2e", "/api/v1/games%2fx", "/%69nternal/v1/reads",
     "/api/v1/users/me;x", "/api/v1/users/%6de", "/api/./v1/games", "//api/v1/games", "/api/v1/games/a%00b",
     "/assets/..%2f..%2fapp.py", "/assets/../../app.py", "/api/v1/scores%3f", "/api\\v1\\games"],
)  # fmt: skip
async def test_tricky_paths_are_400_and_go_nowhere(raw: "Raw", upstream: Any, path: str) -> None:
    assert (await raw(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"))[0] == 400
    assert upstream.requests == []


Raw = Callable[[str], Awaitable[tuple[int, bytes]]]


@pytest.fixture
def raw(gateway: Running) -> Raw:
    """Send text as it is; the status of the first answer, and what came with it."""

    async def exchange(text: str) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(text.encode("latin-1"))
        answer = await reader.read(65_536)
        writer.close()
        await writer.wait_closed()
        return (int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0), answer

    return exchange


SMUGGLED = "GET /api/v1/games/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
POST = "POST /api/v1/games HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{POST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
        f"{POST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n{SMUGGLED}",
        f"{POST}content-length: 0\r\ncontent-length: 49\r\n\r\n{SMUGGLED}",
        f"{POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
        f"{POST}transfer-encoding : chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
        f"{POST}content-length: +3\r\n\r\n{{}}{SMUGGLED}",
        f"{POST}content-length: 3 3\r\n\r\n{{}}{SMUGGLED}",
        f"{POST}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n",
        f"{POST}bad header: 1\r\n\r\n",
        f"{POST}x-a: 1\r\n folded\r\ncontent-length: 0\r\n\r\n",
        "GET /api/v1/games HTTP/9.9\r\nhost: x\r\n\r\n",
        "GET /api/v1/games\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=[
        "length and chunked", "chunked and length", "two lengths", "odd coding", "space before colon", "signed length",
        "two numbers", "bad chunk", "space in name", "folded", "odd version", "zero byte",
    ],
)  # fmt: skip
async def test_ambiguous_framing_never_reaches_a_service(raw: Raw, upstream: Any, text: str) -> None:
    status, _ = await raw(text)
    assert status == 400
    assert [request.path for request in upstream.requests if "smuggled" in request.path] == []


@pytest.mark.parametrize("header", ["authorization: Bearer a.b.c", "host: x", "content-type: a/b", "origin: a"])
async def test_a_header_that_may_stand_once_does(raw: Raw, upstream: Any, header: str) -> None:
    status, answer = await raw(f"GET /api/v1/games HTTP/1.1\r\nhost: x\r\n{header}\r\n{header}\r\n\r\n")
    assert status == 400
    assert b"repeated_header" in answer
    assert upstream.requests == []


async def test_many_harmless_repeats_are_fine(raw: Raw) -> None:
    repeated = "".join(f"accept-language: l{number}\r\n" for number in range(50))
    assert (await raw(f"GET /api/v1/games HTTP/1.1\r\nhost: x\r\n{repeated}\r\n"))[0] == 200
