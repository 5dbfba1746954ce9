"""Running an app: uvicorn with the bounds every service shares, and how it leaves.

The decision worth knowing: after SIGTERM a process that is one of several goes on answering for `leave_s`. Uvicorn
alone would close at once what looks idle, with requests on their way that it has not read, and refuse connections that
proxies still send here because they have not heard yet.
"""

import asyncio
import gc
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import uvicorn
from typing_extensions import override

from palio_kit import logs
from palio_kit.asgi import App
from palio_kit.door import Door
from palio_kit.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)

_BACKLOG = 2048
_KEEP_ALIVE_S = 75  # longer than any of our clients keeps an idle connection
_GRACEFUL_S = 20
_TICK_S = 0.1
_WS_BYTES_MAX = 65536
_COLLECT_EVERY = 20_000  # objects, instead of 700: at 10,000 requests a second it would run 500 times a second


def run(
    create_app: Callable[[S], App],
    settings: S,
    *,
    sockets: Sequence[socket.socket] | None = None,
    ws: type[asyncio.Protocol] | str = "websockets-sansio",
) -> None:
    """Serve until SIGTERM or SIGINT, and `leave_s` longer; then open requests get 20 s to finish.

    Args:
        sockets: listening sockets to use instead of `host:port` (the launcher binds them before it forks).
        ws: uvicorn's web socket protocol, or a class of one's own.
    """
    logs.configure(settings.service, level=settings.log_level, style=settings.log_format)
    prepared = server(create_app, settings, ws=ws)
    _spare_the_collector()
    prepared.run(sockets=list(sockets) if sockets else None)


def _spare_the_collector() -> None:
    """What was made until now lives as long as the process, and what requests make dies by itself: look rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 20, 50)


class Server(uvicorn.Server):
    """Uvicorn's server, which takes its leave before it shuts down."""

    def __init__(self, config: uvicorn.Config, door: Door, leave_s: float) -> None:
        super().__init__(config)
        self._door = door
        self._leave_s = leave_s

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._door.leave()
        ends_at = time.monotonic() + self._leave_s
        while time.monotonic() < ends_at and not self.force_exit:  # noqa: ASYNC110 - uvicorn's flag is no event
            await asyncio.sleep(_TICK_S)
        await super().shutdown(sockets)


def server(
    create_app: Callable[[S], App],
    settings: S,
    *,
    ws: type[asyncio.Protocol] | str = "websockets-sansio",
    graceful_s: int = _GRACEFUL_S,
) -> Server:
    """The server that `run` runs, for those who start and stop it by hand (tests)."""
    door = Door(settings.connections_max)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=cast("Any", door),  # uvicorn asks for a class and only ever calls it
        ws=ws,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=graceful_s,
        ws_max_size=_WS_BYTES_MAX,
        ws_per_message_deflate=False,
        proxy_headers=False,
    )
    return Server(config, door, settings.leave_s)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes any free one.

    Raises:
        OSError: the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.set_inheritable(True)
    return listening
