"""The pure ASGI layers around every service: telemetry outside, then bodies, then hot routes, then FastAPI.

Pure ASGI only: Starlette's BaseHTTPMiddleware costs a factor of three (fastapi#2696).
"""

import random
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Histogram

from palio_kit import metrics, tracing
from palio_kit.asgi import (
    App,
    ClientGone,
    HotRoutes,
    Message,
    Receive,
    Scope,
    Send,
    headers_of,
    read_body,
    respond_problem,
)
from palio_kit.logs import logger
from palio_kit.problems import Problem, UnsupportedMediaType

log = logger("palio_kit.access")

_SLOW_S = 1.0
_ERROR_STATUS = 500
_CLIENT_GONE_STATUS = 499
_REQUEST_ID_MAX = 64
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_QUIET = frozenset({"/livez", "/readyz", "/metrics", "/version"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Telemetry:
    """Trace context, request id, metrics and access log of each request.

    The request id is the client's, or else the trace id; layers inside find it as `scope["palio.request_id"]`.
    """

    def __init__(self, app: App, *, log_sample: float) -> None:
        self._app = app
        self._log_sample = log_sample
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = headers_of(scope)
        trace = tracing.enter(tracing.continue_or_start(given.get(b"traceparent")))
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0
        request_id = scope["palio.request_id"] = _request_id(given.get(b"x-request-id"), trace)

        def observed(message: Message) -> Awaitable[None]:  # no coroutine of its own: it runs for each message
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                timing = (b"server-timing", b"traceparent;desc=" + trace.traceparent.encode())
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id), timing]
            return send(message)

        try:
            await self._app(scope, receive, observed)
        except ClientGone:
            status = _CLIENT_GONE_STATUS
        finally:
            self._record(scope, status or _ERROR_STATUS, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("palio.route") or getattr(scope.get("route"), "path", None) or "unmatched"
        children = self._children.get((scope["method"], route, status))
        if children is None:
            children = self._children_of(scope["method"], route, status)
        children[0].inc()
        children[1].observe(seconds)
        if (status >= _ERROR_STATUS or seconds > _SLOW_S or random.random() < self._log_sample) and route not in _QUIET:  # noqa: S311
            log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 2))

    def _children_of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        if method not in _METHODS:
            method = "OTHER"
        children = metrics.REQUESTS.labels(method, route, str(status)), metrics.REQUEST_SECONDS.labels(method, route)
        if method != "OTHER":
            self._children[method, route, status] = children
        return children


def _request_id(given: bytes | None, trace: tracing.Trace) -> bytes:
    if given and len(given) <= _REQUEST_ID_MAX and given.replace(b"-", b"").replace(b"_", b"").isalnum():
        return given
    return trace.trace_id.encode()


@dataclass(frozen=True, slots=True)
class BodyRule:
    """What bodies the paths under `prefix` take."""

    prefix: str
    bytes_max: int
    content_type: str = "application/json"


DEFAULT_BODY_RULES = (
    BodyRule("/internal/", 4 * 1024 * 1024, "application/msgpack"),
    BodyRule("/api/v1/scores/batch", 1024 * 1024),
    BodyRule("/", 64 * 1024),
)


class Bodies:
    """Reads each body whole, within its bounds, before anything else sees it."""

    def __init__(self, app: App, rules: Sequence[BodyRule] = DEFAULT_BODY_RULES) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http" or scope["method"] not in _WITH_BODY:
            await self._app(scope, receive, send)
            return
        try:
            body = scope["palio.body"] = await self._read(scope, receive)
        except Problem as problem:
            await respond_problem(send, problem)
            return
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        rule = self._rule(scope["path"])
        body = await read_body(scope, receive, bytes_max=rule.bytes_max)
        if body:
            given = headers_of(scope)
            if given.get(b"content-type") != b"application/json" or b"content-encoding" in given:
                _check_media(given, rule)
        return body

    def _rule(self, path: str) -> BodyRule:
        for rule in self._rules:
            if path.startswith(rule.prefix):
                return rule
        return self._rules[-1]


def _check_media(given: dict[bytes, bytes], rule: BodyRule) -> None:
    if given.get(b"content-encoding") not in (None, b"identity"):
        raise UnsupportedMediaType("Compressed bodies are not taken.")
    media, _, parameters = given.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    if "charset" in parameters and "utf-8" not in parameters:
        raise UnsupportedMediaType("Bodies are taken in UTF-8 only.")
    if media.strip() not in (rule.content_type, "application/json"):
        raise UnsupportedMediaType(f"The body must be {rule.content_type}.")


class Hot:
    """Hands hot paths to raw handlers, everything else to FastAPI."""

    def __init__(self, app: App, routes: HotRoutes) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        handler = self._routes(scope) if scope["type"] == "http" else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        try:
            await handler(scope, receive, send)
        except Problem as problem:
            await respond_problem(send, problem)
        except ClientGone:
            raise
        except Exception:
            log.exception("hot_route_failed", route=scope.get("palio.route"))
            await respond_problem(send, Problem())
