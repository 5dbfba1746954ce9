"""The websocket service put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from palio_kit import http, tasks
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.callers import UserTokens
from palio_kit.events import Envelope, Subscriber
from palio_kit.health import Check, Health
from palio_kit.http import Peer, Peers
from palio_websocket import routes
from palio_websocket.boards import Boards
from palio_websocket.domain import Patience
from palio_websocket.entrance import Entrance, Opened
from palio_websocket.epochs import Epochs
from palio_websocket.feeds import Feeds
from palio_websocket.hub import Hub
from palio_websocket.service import Live
from palio_websocket.settings import Settings
from palio_websocket.sockets import Sockets


def create_app(settings: Settings) -> App:
    """The websocket service's ASGI app. It needs `protocol.LiveProtocol` under it."""
    user_tokens = UserTokens.of(settings)
    entrances: list[Entrance] = []

    def entrance(inner: App) -> App:
        entrances.append(Entrance(inner, settings))
        return entrances[0]

    @asynccontextmanager
    async def open_context(app: FastAPI) -> AsyncIterator[Health]:
        async with AsyncExitStack() as stack:
            peers = await stack.enter_async_context(http.connect(settings))
            hub = Hub(settings.channels_max)
            sockets = Sockets(hub, Patience(settings.slow_bytes_max, settings.slow_s))
            live = Live(settings, hub, sockets, user_tokens)
            boards, feeds = _sources(settings, live, peers)
            subscriber = _subscriber(settings, boards, feeds)
            for name, step in (
                ("tell-boards", boards.step), ("tell-feeds", feeds.tell_step), ("refill-feeds", feeds.refill_step),
                ("upkeep", live.upkeep), ("events", subscriber.step),
            ):  # fmt: skip
                await stack.enter_async_context(tasks.running(name, step))
            # Fails open: without Redis boards come a second late and feeds stand still; without leaderboard they wait.
            health = Health(
                optional={"events": _listening(subscriber), "leaderboard": _alive(peers.peer("leaderboard"))}
            )
            app.state.live = live
            entrances[0].opened = Opened(live, health)
            yield health

    return build_app(
        settings,
        title="palio websocket",
        open_context=open_context,
        routers=[routes.internal],
        edge=entrance,
        user_tokens=user_tokens,
    )


def _sources(settings: Settings, live: Live, peers: Peers) -> tuple[Boards, Feeds]:
    interval_s = settings.frame_interval_ms / 1000
    boards = Boards(
        live.hub,
        live.sockets,
        peers.peer("leaderboard"),
        interval_s=interval_s,
        poll_s=settings.poll_interval_ms / 1000,
    )
    feeds = Feeds(live.hub, live.sockets, Epochs(), peers.peer("score"), peers.peer("tournament"), interval_s)
    live.hub.connect({
        "leaderboard": boards, "score": feeds, "tournament": feeds, "game": feeds, "player": feeds, "loadtest": feeds,
    })  # fmt: skip
    return boards, feeds


def _subscriber(settings: Settings, boards: Boards, feeds: Feeds) -> Subscriber:
    def happened(envelope: Envelope) -> None:
        feeds.happened(envelope)
        if envelope.kind == "scores":
            boards.noticed(envelope.data["boards"], envelope.time)
        elif envelope.kind == "account":
            boards.forget(set(envelope.data["user_ids"]))

    async def lost() -> None:
        feeds.lost()
        boards.mark_all()

    return Subscriber(settings, happened, lost)


def _listening(subscriber: Subscriber) -> Check:
    async def check() -> None:
        if not subscriber.connected:
            raise RuntimeError("not connected to Redis")

    return check


def _alive(peer: Peer) -> Check:
    async def check() -> None:
        await peer.send("GET", "/livez", safe_to_repeat=True)

    return check
