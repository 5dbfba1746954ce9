"""The gateway's app: what it holds, and how requests get to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from palio_gateway.admission import Admission
from palio_gateway.boards import Boards
from palio_gateway.documents import Documents
from palio_gateway.edge import Edge
from palio_gateway.front import Context, Front
from palio_gateway.live import Relay
from palio_gateway.pages import Pages
from palio_gateway.proxy import Proxy, Upstream
from palio_gateway.routing import RouteMap
from palio_gateway.scores import Submissions
from palio_gateway.settings import Settings
from palio_kit import http
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.callers import UserTokens
from palio_kit.health import Check, Health
from palio_kit.middleware import BodyRule

_BODY_RULES = (BodyRule("/api/v1/scores/batch", 1024 * 1024), BodyRule("/", 64 * 1024))


def create_app(settings: Settings) -> App:
    """The gateway for these settings."""
    admission = Admission(settings)
    routes = RouteMap.of_profile(demo=settings.is_demo)
    front = Front(routes, Pages())
    relay = Relay(settings, admission)
    tokens = UserTokens.of(settings)

    @asynccontextmanager
    async def open_context(_: FastAPI) -> AsyncIterator[Health]:
        async with http.connect(settings) as peers, relay.opened():
            services = frozenset(route.service for route in routes.routes)
            proxy = Proxy(settings, peers, services, admission)
            submissions = Submissions(settings, peers.peer("score"), tokens, admission)
            boards = Boards(settings, peers.peer("leaderboard"))
            front.context = Context(submissions, boards, proxy, Documents(proxy.upstreams, routes.routes))
            yield Health(optional={name: _alive(upstream) for name, upstream in proxy.upstreams.items()})
            await submissions.close()
            await boards.close()

    return build_app(
        settings,
        title="palio gateway",
        open_context=open_context,
        routers=[],
        hot=front.pick,
        body_rules=_BODY_RULES,
        edge=lambda inner: Edge(inner, settings, admission, routes, relay),
        user_tokens=tokens,
    )


def _alive(upstream: Upstream) -> Check:
    async def check() -> None:
        await upstream.peer.send("GET", "/livez", safe_to_repeat=True)

    return check
