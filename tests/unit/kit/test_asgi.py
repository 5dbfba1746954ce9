"""Raw ASGI parts: bounded bodies however they arrive, headers collected once, whole answers."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_kit import asgi
from palio_kit.asgi import ClientGone, Message, Receive, Scope
from palio_kit.problems import BodyTooLarge, RequestTimeout, TooManyRequests, Unauthorized


def scope_with(*headers: tuple[bytes, bytes]) -> Scope:
    return {"type": "http", "headers": list(headers)}


def arriving(*chunks: bytes, gone: bool = False) -> Receive:
    last: list[Message] = [{"type": "http.disconnect"}] if gone else []
    bodies: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": gone or number < len(chunks)}
        for number, chunk in enumerate(chunks, start=1)
    ]
    messages = iter([*bodies, *last])

    async def receive() -> Message:
        return next(messages)

    return receive


async def answer_of(sending: Any) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await sending(send)
    return sent


@given(chunks=st.lists(st.binary(max_size=40), min_size=1, max_size=8))
def test_a_body_is_whole_however_it_was_cut(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    body = asyncio.run(asgi.read_body(scope_with(), arriving(*chunks), bytes_max=len(whole)))
    assert body == whole


@given(chunks=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8))
def test_one_byte_too_many_is_refused_however_it_was_cut(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    with pytest.raises(BodyTooLarge):
        asyncio.run(asgi.read_body(scope_with(), arriving(*chunks), bytes_max=len(whole) - 1))


async def test_an_announced_length_is_refused_before_anything_is_read() -> None:
    with pytest.raises(BodyTooLarge):
        await asgi.read_body(scope_with((b"content-length", b"11")), arriving(), bytes_max=10)


@pytest.mark.parametrize("parts", [0, 1])
async def test_a_body_that_stops_arriving_times_out(parts: int) -> None:
    async def receive() -> Message:
        if first:
            return first.pop()
        await asyncio.Event().wait()
        raise AssertionError

    first: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}] * parts
    with pytest.raises(RequestTimeout):
        await asgi.read_body(scope_with(), receive, bytes_max=10, timeout_s=0.01)


@given(chunks=st.lists(st.binary(max_size=9), min_size=1, max_size=6), waits=st.lists(st.integers(0, 3), min_size=6))
def test_a_body_is_whole_whenever_its_parts_arrive(chunks: list[bytes], waits: list[int]) -> None:
    arrive = arriving(*chunks)
    pauses = iter(waits)

    async def receive() -> Message:
        for _ in range(next(pauses)):
            await asyncio.sleep(0.00001)
        return await arrive()

    body = asyncio.run(asgi.read_body(scope_with(), receive, bytes_max=100))
    assert body == b"".join(chunks)


async def test_a_cancelled_reader_cancels_what_it_waits_for() -> None:
    heard: list[str] = []
    waiting = asyncio.Event()

    async def receive() -> Message:
        waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise
        raise AssertionError

    reading = asyncio.create_task(asgi.read_body(scope_with(), receive, bytes_max=10))
    await waiting.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert heard == ["cancelled"]


async def test_an_error_of_the_server_comes_through() -> None:
    async def receive() -> Message:
        await asyncio.sleep(0)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await asgi.read_body(scope_with(), receive, bytes_max=10)


async def test_any_awaitable_may_bring_the_body() -> None:
    def receive() -> "asyncio.Future[Message]":
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        future.set_result({"type": "http.request", "body": b"{}"})
        return future

    assert await asgi.read_body(scope_with(), receive, bytes_max=10) == b"{}"


@pytest.mark.parametrize("chunks", [(), (b"{",)], ids=["before", "within"])
async def test_a_client_that_leaves_is_noticed(chunks: Sequence[bytes]) -> None:
    with pytest.raises(ClientGone):
        await asgi.read_body(scope_with(), arriving(*chunks, gone=True), bytes_max=10)


def test_the_first_of_a_repeated_header_counts() -> None:
    scope = scope_with((b"accept", b"one"), (b"host", b"x"), (b"accept", b"two"))
    assert asgi.header(scope, b"accept") == b"one"
    assert asgi.headers_of(scope) == {b"accept": b"one", b"host": b"x"}
    assert asgi.header(scope, b"origin") is None


def test_headers_are_collected_once() -> None:
    scope = scope_with((b"host", b"x"))
    assert asgi.headers_of(scope) is asgi.headers_of(scope)


async def test_an_answer_names_its_length() -> None:
    start, body = await answer_of(lambda send: asgi.respond(send, 201, b"{}", headers=[(b"etag", b'"1"')]))
    assert start["status"] == 201
    assert dict(start["headers"]) == {
        b"content-type": b"application/json", b"content-length": b"2", b"etag": b'"1"',
    }  # fmt: skip
    assert body["body"] == b"{}"


async def test_a_problem_carries_the_headers_it_needs_and_those_it_brings() -> None:
    problem = TooManyRequests(retry_after_s=3)
    problem.headers = {"ratelimit": "r=0"}
    start, body = await answer_of(lambda send: asgi.respond_problem(send, problem))
    headers = dict(start["headers"])
    assert (headers[b"retry-after"], headers[b"ratelimit"], headers[b"cache-control"]) == (b"3", b"r=0", b"no-store")
    assert headers[b"content-type"] == b"application/problem+json"
    assert json.loads(body["body"])["code"] == "too_many_requests"


async def test_a_401_tells_the_scheme() -> None:
    start, _ = await answer_of(lambda send: asgi.respond_problem(send, Unauthorized()))
    assert dict(start["headers"])[b"www-authenticate"] == b"Bearer"
