"""The outermost layer of the gateway's own: web sockets, header sanity, cross-origin rules, the address's allowance.

It stands before bodies are read, so that a refused request costs nothing; and around everything else, so that a page
of an allowed origin can read a refusal too.
"""

from collections.abc import Awaitable

from palio_gateway.admission import Admission
from palio_gateway.errors import MalformedToken, OriginNotAllowed, RepeatedHeader
from palio_gateway.live import Relay
from palio_gateway.routing import RouteMap
from palio_gateway.settings import Settings
from palio_kit.asgi import App, Message, Receive, Scope, Send, headers_of, respond_problem
from palio_kit.problems import Problem
from palio_kit.tokens import TOKEN_BYTES_MAX

BEARER = "palio.bearer"
"""Where a request's scope carries its token, if it has one."""

ALLOWED_HEADERS = b"authorization, content-type, idempotency-key, if-none-match, traceparent, x-request-id"
EXPOSED_HEADERS = (
    b"etag, retry-after, location, idempotency-replayed, ratelimit, ratelimit-policy, x-request-id, server-timing"
)
_MAX_AGE = b"600"
_SINGLE = frozenset({
    b"authorization", b"content-type", b"content-length", b"content-encoding", b"idempotency-key", b"host", b"origin",
    b"x-request-id", b"traceparent", b"if-none-match",
})  # fmt: skip
_UNCOUNTED = frozenset({"/livez", "/readyz", "/metrics", "/version"})
_VARY = (b"vary", b"origin")


class Edge:
    """See the module."""

    def __init__(self, app: App, settings: Settings, admission: Admission, routes: RouteMap, relay: Relay) -> None:
        self._app = app
        self._admission = admission
        self._origins = frozenset(origin.encode() for origin in settings.origins)
        self._routes = routes
        self._relay = relay

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Run one request or socket."""
        if scope["type"] == "http":
            return self._http(scope, receive, send)
        if scope["type"] == "websocket":
            return self._relay(scope, receive, send)
        return self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = headers_of(scope)
        origin = given.get(b"origin")
        if origin is not None:
            send = self._sharing(origin, send)
        try:
            if len(given) != len(scope["headers"]):
                _check_repeated(scope)
            authorization = given.get(b"authorization")
            if authorization is not None:
                scope[BEARER] = _token(authorization)
            if scope["path"] not in _UNCOUNTED:
                self._admission.request(scope)
            if origin is not None and scope["method"] == "OPTIONS":
                await self._preflight(scope, send, origin)
                return
        except Problem as problem:
            await respond_problem(send, problem)
        else:
            await self._app(scope, receive, send)

    def _sharing(self, origin: bytes, send: Send) -> Send:
        """A `send` that lets pages of an allowed origin read the answer."""
        allowed = origin in self._origins
        extra = [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", EXPOSED_HEADERS)]

        def shared(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _VARY, *(extra if allowed else ())]
            return send(message)

        return shared

    async def _preflight(self, scope: Scope, send: Send, origin: bytes) -> None:
        if origin not in self._origins:
            raise OriginNotAllowed
        methods = ", ".join(self._routes.at(scope["path"]))
        headers = [
            (b"access-control-allow-methods", methods.encode()),
            (b"access-control-allow-headers", ALLOWED_HEADERS),
            (b"access-control-max-age", _MAX_AGE),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _check_repeated(scope: Scope) -> None:
    names = [name for name, _ in scope["headers"] if name in _SINGLE]
    if len(names) != len(set(names)):
        raise RepeatedHeader


def _token(value: bytes) -> str:
    """A token of the right outer shape; whether it is valid is decided where it is used."""
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"bearer" or token.count(b".") != 2 or len(token) > TOKEN_BYTES_MAX:  # noqa: PLR2004 - JWS
        raise MalformedToken
    return token.decode("latin-1")
