"""Board reads: batched, equal ones asked once, nobody shown a board from before he asked."""

import asyncio
from typing import Any

import httpx2
import pytest

from palio_kit.testing.waiting import eventually
from support.broken import Treatment, broken_service, closed_port, hangs, resets, stops_halfway, talks_nonsense

ADA = "0190a0a0-0000-7000-8000-000000000001"
GLOBAL = "/api/v1/leaderboard/global"


async def test_what_the_leaderboard_gets_is_the_contract(client: httpx2.AsyncClient, upstream: Any) -> None:
    for path, item in (
        ("global", ["page", "global", None, 50, None, None]),
        ("game/space-race?limit=7&cursor=abc", ["page", "game:space-race", None, 7, "abc", None]),
        (f"tournament/{ADA}/rank/{ADA}", ["rank", f"tournament:{ADA}", ADA, 0, None, None]),
        (f"global/around/{ADA}?radius=3", ["around", "global", ADA, 3, None, None]),
    ):
        answer = await client.get(f"/api/v1/leaderboard/{path}")
        assert upstream.batches[-1] == [item]
        assert (answer.status_code, answer.json()["asked"]) == (200, item[:5])
        assert (answer.headers["etag"], answer.headers["cache-control"]) == ('"v1"', "no-cache")


async def test_equal_reads_of_one_batch_are_asked_once(client: httpx2.AsyncClient, upstream: Any) -> None:
    await client.get(GLOBAL)
    upstream.batches.clear()
    upstream.delay_s = 0.05
    answers = await asyncio.gather(
        *(client.get(GLOBAL) for _ in range(40)), *(client.get(f"{GLOBAL}?limit=3") for _ in range(40))
    )
    assert [answer.json()["asked"][3] for answer in answers] == [50] * 40 + [3] * 40
    assert len(upstream.batches) <= 8
    assert all(len(batch) <= 2 for batch in upstream.batches)


async def test_a_read_during_a_call_goes_with_the_next_one(client: httpx2.AsyncClient, upstream: Any) -> None:
    upstream.delay_s = 0.3
    first = asyncio.create_task(client.get(GLOBAL))

    async def called() -> bool:
        return len(upstream.batches) == 1

    assert await eventually(called, every_s=0.005)
    second = asyncio.create_task(client.get(GLOBAL))
    await asyncio.gather(first, second)
    assert [len(batch) for batch in upstream.batches] == [1, 1]


async def test_what_the_client_knows_is_not_sent_again(client: httpx2.AsyncClient) -> None:
    answer = await client.get(GLOBAL, headers={"if-none-match": '"v1"'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"v1"')
    assert (await client.get(GLOBAL, headers={"if-none-match": '"v0"'})).status_code == 200
    assert (await client.get(GLOBAL, headers={"if-none-match": '"' + "x" * 600 + '"'})).status_code == 200


async def test_the_leaderboards_refusal_is_told(client: httpx2.AsyncClient, upstream: Any) -> None:
    upstream.answers = lambda batch: [[404, b'{"code":"board_not_found"}', ""]]
    answer = await client.get("/api/v1/leaderboard/game/none")
    assert (answer.status_code, answer.json()["code"]) == (404, "board_not_found")
    assert answer.headers["content-type"] == "application/problem+json"
    upstream.answers = lambda batch: [[503, b'{"code":"unavailable"}', ""]]
    answer = await client.get(GLOBAL)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("global?limit=0", 422, "invalid"), ("global?limit=101", 422, "invalid"),
        ("global?limit=1&limit=1", 400, "malformed_query"),
        ("global?cursor=%00", 400, "bad_cursor"), ("global?x=1", 422, "invalid"), ("game/Nope", 422, "invalid"),
        ("global/rank/ada", 422, "invalid"), ("global/nope", 404, "not_found"), ("%67lobal", 400, "malformed_path"),
        ("game/..%2fglobal", 400, "malformed_path"), (f"global/around/{ADA}?radius=51", 422, "invalid"),
        (f"global/rank/{ADA.upper()}", 422, "invalid"), ("game/%00", 400, "malformed_path"),
    ],
)  # fmt: skip
async def test_a_bad_read_never_leaves_the_gateway(
    client: httpx2.AsyncClient, upstream: Any, path: str, status: int, code: str
) -> None:
    answer = await client.get(f"/api/v1/leaderboard/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert upstream.batches == []


async def test_a_leaderboard_that_is_down_is_503(gateway_of: Any) -> None:
    async with httpx2.AsyncClient(base_url=gateway_of(leaderboard_url=closed_port()).url) as client:
        answer = await client.get(GLOBAL)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")


@pytest.mark.parametrize("treat", [resets, hangs, talks_nonsense, stops_halfway])
async def test_a_leaderboard_that_fails_is_503(gateway_of: Any, treat: Treatment) -> None:
    async with broken_service(treat) as url:
        server = gateway_of(leaderboard_url=url, batch_timeout_s=0.5)
        async with httpx2.AsyncClient(base_url=server.url) as client:
            answer = await client.get(GLOBAL)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")


async def test_reads_count_against_the_address(gateway_of: Any) -> None:
    server = gateway_of(address_per_second=0.1, address_burst=2)
    async with httpx2.AsyncClient(base_url=server.url) as client:
        assert [(await client.get(GLOBAL)).status_code for _ in range(3)] == [200, 200, 429]
        refused = await client.get(GLOBAL)
        assert refused.headers["ratelimit-policy"] == '"address";q=2;w=20'
        assert int(refused.headers["retry-after"]) in (9, 10)
        assert (await client.get("/livez")).status_code == 200
