"""How the tournament service is put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from palio_kit import apiserver, events, postgres, redis
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.erasures import Erasures
from palio_kit.health import Health
from palio_kit.idempotency import Idempotency
from palio_kit.postgres import Database
from palio_kit.tasks import running
from palio_tournament import record_routes, routes
from palio_tournament.announcer import Announcer
from palio_tournament.records import Records
from palio_tournament.resources import Resources
from palio_tournament.service import Tournaments
from palio_tournament.settings import Settings, for_settlement
from palio_tournament.settlement import Settler
from palio_tournament.sweeper import Sweeper


def create_app(settings: Settings) -> App:
    """The service's ASGI app."""

    @asynccontextmanager
    async def open_context(api: FastAPI) -> AsyncIterator[Health]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(postgres.connect(settings))
            settling = await stack.enter_async_context(
                postgres.connect(for_settlement(settings, settings.settle_workers))
            )
            cache = await stack.enter_async_context(redis.connect(settings))
            announcer = Announcer(database, await stack.enter_async_context(events.publishing(cache)))
            idempotency = Idempotency(database, "tournament")
            cluster = await _cluster(settings, stack)
            api.state.tournaments = Tournaments(
                database, idempotency, announcer, cluster=cluster, record_wait_s=settings.kubernetes_wait_s
            )
            api.state.records = Records(database, announcer, settings.kubernetes_namespace)
            sweeper = _sweeper(settings, database, announcer, Settler(settling))
            await stack.enter_async_context(running("sweeper", sweeper.step))
            await stack.enter_async_context(running("joined", announcer.tell_joined))
            await stack.enter_async_context(running("idempotency-keys", idempotency.sweep))
            looks = Erasures(database, api.state.user_tokens)
            await stack.enter_async_context(running("erasures", looks.step))
            yield Health({"postgres": database.ping}, {"redis": cache.ping}, database.observe)

    routers = [routes.router, record_routes.router]
    return build_app(settings, title="palio tournaments", open_context=open_context, routers=routers)


async def _cluster(settings: Settings, stack: AsyncExitStack) -> Resources | None:
    if not settings.kubernetes:
        return None
    opened = apiserver.connect(settings.kubernetes_url, settings.kubernetes_credentials)
    return Resources(await stack.enter_async_context(opened), settings.kubernetes_namespace)


def _sweeper(settings: Settings, database: Database, announcer: Announcer, settler: Settler) -> Sweeper:
    return Sweeper(
        database, announcer, settler, settles=settings.sweeper, workers=settings.settle_workers,
        batch=settings.settle_batch, attempts_max=settings.settle_attempts_max,
    )  # fmt: skip
