"""Single scores: batched, verified, limited, and never a 500 whatever happens behind the gateway."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from palio_kit.ids import new_id
from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually
from support.apps import Running
from support.broken import Treatment, broken_service, closed_port, hangs, resets, stops_halfway, talks_nonsense

SCORES = "/api/v1/scores"
KEY = "k" * 16
Post = Callable[..., Awaitable[httpx2.Response]]


@pytest.fixture
def token(issuer: Issuer) -> str:
    return issuer.access_token(new_id())


@pytest.fixture
def post(client: httpx2.AsyncClient, token: str) -> Post:
    async def submit(body: bytes = b"{}", **headers: str | bytes) -> httpx2.Response:
        given = {b"authorization": f"Bearer {token}".encode(), b"content-type": b"application/json"}
        named = {
            name.replace("_", "-").encode(): value if isinstance(value, bytes) else value.encode()
            for name, value in headers.items()
        }
        return await client.post(SCORES, content=body, headers=given | named)

    return submit


async def test_concurrent_posts_become_few_calls_and_each_gets_its_own_answer(upstream: Any, post: Post) -> None:
    await post()  # the key set is fetched, connections are open
    upstream.batches.clear()
    upstream.delay_s = 0.05
    bodies = [json.dumps({"score": number}).encode() for number in range(100)]
    answers = await asyncio.gather(*(post(body) for body in bodies))
    assert [answer.content for answer in answers] == bodies
    assert {answer.status_code for answer in answers} == {201}
    assert sum(map(len, upstream.batches)) == 100
    assert len(upstream.batches) <= 10


async def test_what_the_score_service_gets_is_the_contract(upstream: Any, post: Post, token: str) -> None:
    body = b'{"user_id": "x",   "score": 1}'
    await post(body, idempotency_key=KEY, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    [[sent_token, sent_body, key, traceparent]] = upstream.batches[-1]
    assert (sent_token, sent_body, key) == (token, body, KEY)
    assert traceparent.startswith(f"00-{'a' * 32}-")
    request = upstream.requests[-1]
    assert (request.method, request.path) == ("POST", "/internal/v1/submissions")
    subject = jwt.decode(request.headers["palio-service-token"], options={"verify_signature": False})["sub"]
    assert subject == "system:serviceaccount:palio:palio-gateway"


async def test_the_answer_is_told_as_it_came(upstream: Any, post: Post) -> None:
    upstream.answers = lambda batch: [[409, b'{"code":"idempotency_key_in_flight"}', 7, False]]
    refused = await post()
    assert (refused.status_code, refused.headers["retry-after"]) == (409, "7")
    assert refused.headers["content-type"] == "application/problem+json"
    upstream.answers = lambda batch: [[201, b'{"replayed":true}', 0, True]]
    replayed = await post(idempotency_key=KEY)
    assert replayed.headers["idempotency-replayed"] == "true"
    assert "retry-after" not in replayed.headers


async def test_the_players_allowance_is_told(post: Post) -> None:
    first, second = await post(), await post()
    assert first.headers["ratelimit-policy"] == '"player";q=100;w=5'
    assert [first.headers["ratelimit"][:14], second.headers["ratelimit"][:14]] == ['"player";r=99;', '"player";r=98;']


async def test_beyond_the_allowance_it_is_429_and_says_when(gateway_of: Any, upstream: Any, issuer: Issuer) -> None:
    server = gateway_of(player_per_second=0.5, player_burst=2)
    mine, other = issuer.access_token(new_id()), issuer.access_token(new_id())
    server_token = issuer.access_token(new_id(), roles=("server",))
    async with httpx2.AsyncClient(base_url=server.url) as client:

        async def submit(token: str) -> httpx2.Response:
            return await client.post(SCORES, json={}, headers={"authorization": f"Bearer {token}"})

        assert [(await submit(mine)).status_code for _ in range(3)] == [201, 201, 429]
        refused = await submit(mine)
        assert refused.json()["code"] == "too_many_requests"
        assert refused.headers["retry-after"] == "2"
        assert refused.headers["ratelimit"].startswith('"player";r=0;')
        assert (await submit(other)).status_code == 201
        assert {(await submit(server_token)).status_code for _ in range(5)} == {201}


async def test_without_limits_nothing_is_refused_or_told(gateway_of: Any, issuer: Issuer) -> None:
    server = gateway_of(limits="off", player_burst=1, address_burst=1)
    headers = {"authorization": f"Bearer {issuer.access_token(new_id())}"}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers) as client:
        answers = [await client.post(SCORES, json={}) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {201}
    assert "ratelimit" not in answers[0].headers


def unsigned(user_id: Any) -> str:
    def part(document: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()

    now = int(time.time())
    claims = {"iss": "palio", "aud": "palio-players", "sub": str(user_id), "iat": now, "exp": now + 900, "jti": "x"}
    return f"{part({'alg': 'none', 'typ': 'at+jwt', 'kid': 'test-1'})}.{part(claims)}."


@pytest.mark.parametrize(
    "make",
    [
        lambda issuer: issuer.access_token(new_id(), valid_s=-60),
        lambda issuer: issuer.access_token(new_id(), iss="somebody"),
        lambda issuer: issuer.access_token(new_id(), iss="palio2"),
        lambda issuer: issuer.access_token(new_id(), aud="palio-score"),
        lambda issuer: issuer.access_token(new_id(), jti=None),
        lambda issuer: issuer.access_token(new_id(), exp=None),
        lambda issuer: issuer.access_token(new_id(), exp="9999999999"),
        lambda issuer: issuer.access_token(new_id(), sub="me"),
        lambda issuer: issuer.service_token("score", "gateway"),
        lambda _: Issuer().access_token(new_id()),
        lambda _: Issuer("ES256", "test-1").access_token(new_id()),
        lambda _: unsigned(new_id()),
        lambda issuer: issuer.access_token(new_id())[:-8] + "AAAAAAAA",
        lambda _: "a.b.c",
        lambda _: "..",
        lambda _: "x" * 5000,
        lambda _: "not-a-token",
    ],
    ids=[
        "expired", "other issuer", "issuer prefix", "other audience", "no jti", "no expiry", "expiry as text",
        "odd subject", "service token", "foreign key", "other algorithm", "alg none", "broken signature", "letters",
        "dots", "long", "no jws",
    ],
)  # fmt: skip
async def test_a_bad_token_is_401(post: Post, upstream: Any, issuer: Issuer, make: Callable[[Issuer], str]) -> None:
    answer = await post(authorization=f"Bearer {make(issuer)}")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert upstream.batches == []


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer  a.b.c", "Basic YTpi", "bearer", "Token a.b.c"])
async def test_another_authorization_is_401(post: Post, value: str) -> None:
    assert (await post(authorization=value)).status_code == 401


async def test_no_token_is_401(client: httpx2.AsyncClient) -> None:
    answer = await client.post(SCORES, json={})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("key", ["short", "k" * 65, "with space 012345", "\u00fcmlaut-0123456789", "", "a.b" * 8])
async def test_a_malformed_key_is_400(post: Post, key: str) -> None:
    answer = await post(idempotency_key=key.encode())
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")


async def test_a_key_sent_twice_is_400(client: httpx2.AsyncClient, token: str) -> None:
    headers = [("authorization", f"Bearer {token}"), ("idempotency-key", KEY), ("idempotency-key", KEY)]
    answer = await client.post(SCORES, content=b"", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "repeated_header")


async def test_a_body_over_64_kib_is_413(post: Post, upstream: Any) -> None:
    assert (await post(b" " * 65_536)).status_code == 201
    answer = await post(b" " * 65_537)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert len(upstream.batches) == 1


async def test_an_endless_chunked_body_is_413(client: httpx2.AsyncClient, token: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1024

    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    assert (await client.post(SCORES, content=chunks(), headers=headers)).status_code == 413


async def test_another_content_type_is_415(post: Post) -> None:
    for wrong in ({"content_type": "text/plain"}, {"content_encoding": "gzip"}):
        answer = await post(b"{}", **wrong)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


# what is behind the gateway fails


async def submit_to(server: Running, issuer: Issuer) -> httpx2.Response:
    headers = {"authorization": f"Bearer {issuer.access_token(new_id())}"}
    async with httpx2.AsyncClient(base_url=server.url, timeout=10) as client:
        return await client.post(SCORES, json={}, headers=headers)


def assert_unavailable(answer: httpx2.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_score_service_that_is_down_is_503(gateway_of: Any, issuer: Issuer) -> None:
    assert_unavailable(await submit_to(gateway_of(score_url=closed_port()), issuer), "unavailable")


@pytest.mark.parametrize("treat", [resets, hangs, talks_nonsense, stops_halfway])
async def test_an_answer_that_is_lost_is_an_unknown_outcome(gateway_of: Any, issuer: Issuer, treat: Treatment) -> None:
    async with broken_service(treat) as url:
        assert_unavailable(await submit_to(gateway_of(score_url=url, batch_timeout_s=0.5), issuer), "outcome_unknown")


@pytest.mark.parametrize(("status", "code"), [(401, "unavailable"), (403, "unavailable"), (500, "outcome_unknown")])
async def test_a_refused_call_is_not_the_clients_fault(upstream: Any, post: Post, status: int, code: str) -> None:
    upstream.status = status
    assert_unavailable(await post(), code)


async def test_keys_that_cannot_be_fetched_are_503(gateway_of: Any, issuer: Issuer) -> None:
    assert_unavailable(await submit_to(gateway_of(user_url=closed_port()), issuer), "unavailable")


async def test_a_gateway_without_identity_is_503(gateway_of: Any, issuer: Issuer, tmp_path: Path) -> None:
    assert_unavailable(await submit_to(gateway_of(identity_dir=tmp_path / "empty"), issuer), "unavailable")


async def test_clients_that_leave_take_nothing_with_them(
    gateway: Running, client: httpx2.AsyncClient, post: Post, upstream: Any, token: str
) -> None:
    await post()
    files = Path("/proc/self/fd")
    before = len(list(files.iterdir()))
    upstream.delay_s = 0.02
    request = (
        f"POST {SCORES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
        "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    ).encode()

    async def leave(number: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(request[: len(request) - number % 2])  # each second one leaves within its body
        await writer.drain()
        writer.transport.abort()

    for _ in range(20):
        await asyncio.gather(*(leave(number) for number in range(50)))

    async def nothing_is_left() -> bool:
        metrics = (await client.get("/metrics")).text
        return (
            'palio_batch_queue_items{batch="submissions"} 0.0' in metrics and len(list(files.iterdir())) < before + 16
        )

    assert await eventually(nothing_is_left)
    assert (await post()).status_code in (201, 429)
