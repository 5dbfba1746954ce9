"""The generator put together. Outside the demo profile it has no paths of its own: they are not mounted at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from palio_generator import gateway, routes
from palio_generator.population import Tools
from palio_generator.roster import Roster
from palio_generator.service import Populate, Simulating
from palio_generator.sessions import ServerPass
from palio_generator.settings import Settings
from palio_generator.store import Store
from palio_kit import http, postgres
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.health import Health


def create_app(settings: Settings) -> App:
    """The generator's ASGI app."""

    @asynccontextmanager
    async def open_context(app: FastAPI) -> AsyncIterator[Health]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(postgres.connect(settings))
            peers = await stack.enter_async_context(http.connect(settings))
            public = await stack.enter_async_context(gateway.connect(settings, patience_s=settings.patience_s))
            gate = asyncio.Semaphore(settings.logins_in_flight_max)
            store = Store(database, settings.population)
            roster = Roster(public, store, settings.seed, gate)
            tools = Tools(settings, public, store, roster, ServerPass(peers.peer("user")), gate)
            app.state.populate = Populate(tools)
            app.state.simulating = Simulating(tools)
            stack.push_async_callback(app.state.populate.close)
            stack.push_async_callback(app.state.simulating.close)
            yield Health(
                required={"postgres": database.ping}, optional={"gateway": public.alive}, observe=database.observe
            )

    routers = [routes.router] if settings.is_demo else []
    return build_app(settings, title="palio generator", open_context=open_context, routers=routers)
