"""Everything that is not hot: one request in, one call to the service that owns the path, its answer out.

Headers pass by list, in both directions: what is not named here neither reaches a service nor comes back from one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from palio_gateway import metrics
from palio_gateway.admission import Admission
from palio_gateway.domain import check_path
from palio_gateway.errors import MalformedQuery
from palio_gateway.routing import Route
from palio_gateway.settings import Settings
from palio_kit.asgi import HotHandler, Receive, Scope, Send, body_of, headers_of
from palio_kit.http import Peer, Peers
from palio_kit.problems import Unavailable

REQUEST_HEADERS = (b"authorization", b"content-type", b"accept", b"idempotency-key", b"if-none-match")
RESPONSE_HEADERS = (
    "content-type", "content-disposition", "etag", "cache-control", "location", "retry-after", "idempotency-replayed",
    "www-authenticate",
)  # fmt: skip

_QUERY_BYTES_MAX = 2048
_READS = frozenset({"GET", "HEAD"})
_NO_CONTENT = frozenset({204, 304})


class Upstream:
    """One service behind the gateway, with a bound on the calls it gets at once (a slow one must not take us along)."""

    def __init__(self, name: str, peer: Peer, calls_max: int) -> None:
        self.name = name
        self.peer = peer
        self._calls_max = calls_max
        self._calls = 0

    @contextmanager
    def call(self) -> Iterator[Peer]:
        """A place for one call.

        Raises:
            Unavailable: all are taken.
        """
        if self._calls >= self._calls_max:
            metrics.BULKHEAD_FULL.labels(self.name).inc()
            raise Unavailable(f"The {self.name} service has enough to do for now.")
        self._calls += 1
        try:
            yield self.peer
        finally:
            self._calls -= 1


class Proxy:
    """Forwards requests of the route list."""

    def __init__(self, settings: Settings, peers: Peers, services: frozenset[str], admission: Admission) -> None:
        self._timeout_s = settings.upstream_timeout_s
        self._admission = admission
        self.upstreams = {name: Upstream(name, peers.peer(name), settings.upstream_calls_max) for name in services}

    def handler(self, route: Route) -> HotHandler:
        """What answers requests of a route."""

        async def handle(scope: Scope, _: Receive, send: Send) -> None:
            scope["palio.route"] = route.template
            check_path(scope["raw_path"])
            await self._forward(route, scope, send)

        return handle

    async def _forward(self, route: Route, scope: Scope, send: Send) -> None:
        limits = self._admission.sign_in(scope) if route.signs_in else []
        query: bytes = scope["query_string"]
        if len(query) > _QUERY_BYTES_MAX:
            raise MalformedQuery("The query is too long.")
        given = headers_of(scope)
        repeatable = route.method in _READS or (route.method == "POST" and b"idempotency-key" in given)
        with self.upstreams[route.service].call() as peer:
            reply = await peer.send(
                route.method,
                scope["path"] + (f"?{query.decode('latin-1')}" if query else ""),
                body=body_of(scope) or None,
                headers=_onwards(given, scope["palio.request_id"]),
                safe_to_repeat=repeatable,
                within_s=self._timeout_s,
            )
        headers = [*_back(reply.headers), *limits]
        if reply.status not in _NO_CONTENT:
            headers.append((b"content-length", str(len(reply.body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


def _onwards(given: dict[bytes, bytes], request_id: bytes) -> dict[str, str]:
    passed = {name.decode(): given[name].decode("latin-1") for name in REQUEST_HEADERS if name in given}
    return passed | {"x-request-id": request_id.decode()}


def _back(given: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), given[name].encode("latin-1")) for name in RESPONSE_HEADERS if name in given]
