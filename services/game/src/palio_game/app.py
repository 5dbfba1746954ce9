"""The game service put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from palio_game import routes
from palio_game.service import Catalogue
from palio_game.settings import Settings
from palio_game.store import Store
from palio_kit import events, postgres, redis, tasks
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.erasures import Erasures
from palio_kit.health import Health
from palio_kit.idempotency import Idempotency


def create_app(settings: Settings) -> App:
    """The game service's ASGI app."""

    @asynccontextmanager
    async def open_context(app: FastAPI) -> AsyncIterator[Health]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(postgres.connect(settings))
            cache = await stack.enter_async_context(redis.connect(settings))
            publisher = await stack.enter_async_context(events.publishing(cache))
            idempotency = Idempotency(database, "game")
            await stack.enter_async_context(tasks.running("sweep-idempotency-keys", idempotency.sweep))
            looks = Erasures(database, app.state.user_tokens)
            await stack.enter_async_context(tasks.running("look-for-erasures", looks.step))
            app.state.catalogue = Catalogue(Store(database), idempotency, publisher)
            # Redis carries only the news of a new game: without it the catalogue goes on.
            yield Health(required={"postgres": database.ping}, optional={"redis": cache.ping}, observe=database.observe)

    return build_app(settings, title="palio game", open_context=open_context, routers=[routes.router])
