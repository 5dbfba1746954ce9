"""Apps under test: in this process over ASGI with their lifespan, or really listening in a thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from palio_kit import serve
from palio_kit.asgi import App, Message
from palio_kit.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)

_START_TIMEOUT_S = 20
_STOP_TIMEOUT_S = 20


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[None]:
    """Run an app's startup, then the block, then its shutdown.

    Raises:
        RuntimeError: the app said that one of them failed.
    """
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    from_app: asyncio.Queue[Message] = asyncio.Queue()
    scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}

    async def live() -> None:
        await app(scope, to_app.get, from_app.put)

    task = asyncio.create_task(live())
    await _phase("startup", task, to_app, from_app)
    try:
        yield
    finally:
        await _phase("shutdown", task, to_app, from_app)
        await task


async def _phase(
    name: str, task: "asyncio.Task[None]", to_app: "asyncio.Queue[Message]", from_app: "asyncio.Queue[Message]"
) -> None:
    await to_app.put({"type": f"lifespan.{name}"})
    answer = asyncio.create_task(from_app.get())
    await asyncio.wait({answer, task}, return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        answer.cancel()
        await task  # raises what ended it
        raise RuntimeError(f"the app left its lifespan during {name}")
    message = answer.result()
    if message["type"] != f"lifespan.{name}.complete":
        raise RuntimeError(message.get("message", message["type"]))


@asynccontextmanager
async def client_of(create_app: Callable[[S], App], settings: S) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the app, in this process."""
    app = create_app(settings)
    async with lifespan(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


@dataclass(frozen=True)
class Running:
    """A listening app."""

    url: str
    port: int

    @property
    def websocket_url(self) -> str:
        """For `ws://` clients."""
        return self.url.replace("http", "ws", 1)


@contextmanager
def running(create_app: Callable[[S], App], settings: S, **options: Any) -> Iterator[Running]:
    """A real server on a free port, in a thread of this process; ready inside the block."""
    listening = serve.listen("127.0.0.1", 0)
    port = int(listening.getsockname()[1])
    server = serve.server(create_app, settings, graceful_s=1, **options)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name=f"uvicorn-{settings.service}")
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield Running(f"http://127.0.0.1:{port}", port)
    finally:
        server.should_exit = True
        thread.join(_STOP_TIMEOUT_S)
        listening.close()


def _wait_until_started(server: Any, thread: threading.Thread) -> None:
    pause = threading.Event()
    for _ in range(_START_TIMEOUT_S * 50):
        if server.started:
            return
        if not thread.is_alive():
            break
        pause.wait(0.02)
    raise AssertionError("the app did not start; its log says why")
