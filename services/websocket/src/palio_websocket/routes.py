"""The service's only path besides `/ws/main`: what its own host tells it before it ends."""

from fastapi import APIRouter, Request

from palio_kit.health import Health
from palio_kit.problems import documented
from palio_kit.wire import Answer, StrictRoute
from palio_websocket.errors import NotLocal
from palio_websocket.service import Live

internal = APIRouter(prefix="/internal/v1", route_class=StrictRoute, include_in_schema=False)

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


class Drained(Answer):
    """How many sockets were told to move."""

    closed: int


@internal.post("/drain", responses=documented(NotLocal))
async def drain(request: Request) -> Drained:
    """Take no more sockets and close those there are, in batches; answers when that is done (a preStop hook)."""
    if request.client is None or request.client.host not in _LOOPBACK:
        raise NotLocal
    health: Health = request.app.state.health
    live: Live = request.app.state.live
    health.draining = True
    return Drained(closed=await live.drain())
