"""The layers around every service: what they add, what they refuse, what they pass on."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from palio_kit import tracing
from palio_kit.asgi import App, ClientGone, HotHandler, Message, Receive, Scope, Send, body_of, respond
from palio_kit.middleware import Bodies, BodyRule, Hot, Telemetry
from palio_kit.problems import Conflict

Headers = Iterable[tuple[bytes, bytes]]


class Exchange:
    """One request to an app, and what came back."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def run(
        self, app: App, method: str = "GET", path: str = "/x", *, headers: Headers = (), body: bytes = b"", **more: Any
    ) -> "Exchange":
        messages: list[Message] = [
            {"type": "http.disconnect"},
            {"type": "http.request", "body": body, "more_body": False},
        ]

        async def receive() -> Message:
            return messages.pop()

        async def send(message: Message) -> None:
            self.sent.append(message)

        scope: Scope = {"type": "http", "method": method, "path": path, "headers": list(headers), **more}
        await app(scope, receive, send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def document(self) -> Any:
        return json.loads(self.sent[1]["body"])


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, 200, (await receive())["body"])


async def trace_id(_: Scope, __: Receive, send: Send) -> None:
    await respond(send, 200, tracing.current().trace_id.encode())


def requests_counted(**labels: str) -> float:
    return REGISTRY.get_sample_value("palio_http_requests_total", labels) or 0.0


async def test_a_trace_that_came_in_goes_on_and_comes_back() -> None:
    parent = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    exchange = await Exchange().run(Telemetry(trace_id, log_sample=0), headers=[(b"traceparent", parent)])
    assert exchange.sent[1]["body"] == b"a" * 32
    assert exchange.headers[b"server-timing"].startswith(b"traceparent;desc=00-" + b"a" * 32)
    assert exchange.headers[b"x-request-id"] == b"a" * 32


@given(st.binary(max_size=80))
def test_only_a_plain_request_id_comes_back(given_id: bytes) -> None:
    app = Telemetry(echo, log_sample=0)
    exchange = asyncio.run(Exchange().run(app, headers=[(b"x-request-id", given_id)]))
    answered = exchange.headers[b"x-request-id"]
    assert answered == given_id or (len(answered) == 32 and answered.isalnum())
    assert answered.replace(b"-", b"").replace(b"_", b"").isalnum()


async def test_the_layers_inside_see_the_request_id() -> None:
    seen: list[Scope] = []

    async def look(scope: Scope, _: Receive, send: Send) -> None:
        seen.append(scope)
        await respond(send, 204, b"")

    await Exchange().run(Telemetry(look, log_sample=0), headers=[(b"x-request-id", b"click-1")])
    assert seen[0]["palio.request_id"] == b"click-1"


async def test_requests_are_counted_by_template_never_by_path() -> None:
    async def routed(scope: Scope, _: Receive, send: Send) -> None:
        scope["palio.route"] = "/test-things/{id}"
        await respond(send, 200, b"")

    app = Telemetry(routed, log_sample=0)
    for number in range(3):
        await Exchange().run(app, path=f"/test-things/{number}")
    assert requests_counted(method="GET", route="/test-things/{id}", status="200") == 3
    assert requests_counted(method="GET", route="/test-things/1", status="200") == 0


async def test_an_invented_method_gets_no_label_of_its_own() -> None:
    async def routed(scope: Scope, _: Receive, send: Send) -> None:
        scope["palio.route"] = "/test-methods"
        await respond(send, 405, b"")

    app = Telemetry(routed, log_sample=0)
    for method in ("BREW", "STEEP"):
        await Exchange().run(app, method)
    assert requests_counted(method="OTHER", route="/test-methods", status="405") == 2
    assert requests_counted(method="BREW", route="/test-methods", status="405") == 0


async def test_a_client_that_left_is_counted_as_499() -> None:
    async def leaves(scope: Scope, _: Receive, __: Send) -> None:
        scope["palio.route"] = "/test-gone"
        raise ClientGone

    await Exchange().run(Telemetry(leaves, log_sample=0))
    assert requests_counted(method="GET", route="/test-gone", status="499") == 1


JSON_TYPE = (b"content-type", b"application/json")


@pytest.mark.parametrize("value", [b"application/json", b"application/json; charset=utf-8", b"Application/JSON"])
async def test_json_is_taken_however_it_is_spelled(value: bytes) -> None:
    exchange = await Exchange().run(Bodies(echo), "POST", headers=[(b"content-type", value)], body=b"{}")
    assert (exchange.status, exchange.sent[1]["body"]) == (200, b"{}")


@pytest.mark.parametrize(
    "headers",
    [[], [(b"content-type", b"text/plain")], [(b"content-type", b"")], [JSON_TYPE, (b"content-encoding", b"gzip")]],
    ids=["none", "text", "empty", "compressed"],
)
async def test_another_type_is_415(headers: Headers) -> None:
    exchange = await Exchange().run(Bodies(echo), "POST", headers=headers, body=b"{}")
    assert (exchange.status, exchange.document["code"]) == (415, "unsupported_media_type")


async def test_without_a_body_the_type_does_not_matter() -> None:
    assert (await Exchange().run(Bodies(echo), "POST")).status == 200


@pytest.mark.parametrize(("path", "taken"), [("/big", 10), ("/big/more", 10), ("/small", 4), ("*", 4)])
async def test_each_path_has_its_own_bound(path: str, taken: int) -> None:
    app = Bodies(echo, (BodyRule("/big", 10), BodyRule("/", 4)))
    fits = await Exchange().run(app, "POST", path, headers=[JSON_TYPE], body=b"x" * taken)
    over = await Exchange().run(app, "POST", path, headers=[JSON_TYPE], body=b"x" * (taken + 1))
    assert (fits.status, over.status) == (200, 413)
    assert over.document["code"] == "body_too_large"


async def test_hot_routes_find_the_body_without_awaiting_it() -> None:
    async def hot(scope: Scope, _: Receive, send: Send) -> None:
        await respond(send, 200, body_of(scope))

    exchange = await Exchange().run(Bodies(hot), "POST", headers=[JSON_TYPE], body=b'{"a":1}')
    assert exchange.sent[1]["body"] == b'{"a":1}'


def hot_for(path: str, handler: HotHandler) -> Any:
    return lambda scope: handler if scope["path"] == path else None


async def test_hot_paths_go_to_their_handler_and_the_rest_inside() -> None:
    app = Hot(echo, hot_for("/hot", trace_id))
    assert (await Exchange().run(app, path="/cold", body=b"cold")).sent[1]["body"] == b"cold"
    assert len((await Exchange().run(app, path="/hot")).sent[1]["body"]) == 32


async def test_a_problem_of_a_hot_route_is_told() -> None:
    async def conflicted(_: Scope, __: Receive, ___: Send) -> None:
        raise Conflict("taken")

    exchange = await Exchange().run(Hot(echo, hot_for("/x", conflicted)))
    assert (exchange.status, exchange.document["detail"]) == (409, "taken")


async def test_a_bug_in_a_hot_route_is_a_500_without_its_words() -> None:
    async def broken(_: Scope, __: Receive, ___: Send) -> None:
        raise KeyError("secret")

    exchange = await Exchange().run(Hot(echo, hot_for("/x", broken)))
    assert (exchange.status, exchange.document["code"]) == (500, "internal_error")
    assert b"secret" not in exchange.sent[1]["body"]
