"""The generator put together. Outside the demo profile its public paths are not mounted at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from palio_generator import gateway, routes, run_routes
from palio_generator.population import Tools
from palio_generator.roster import Roster
from palio_generator.runs.local import LocalRuns
from palio_generator.runs.players import Players
from palio_generator.runs.resources import Resources
from palio_generator.runs.service import Runs
from palio_generator.runs.stress import Stress
from palio_generator.service import Populate, Simulating
from palio_generator.sessions import ServerPass
from palio_generator.settings import Settings
from palio_generator.store import Store
from palio_kit import apiserver, events, http, postgres, redis
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.health import Health
from palio_kit.middleware import DEFAULT_BODY_RULES, BodyRule
from palio_kit.tasks import running

_SWEEP_S = 2.0
_BODIES = (BodyRule("/internal/v1/loadtests/", run_routes.REPORT_BYTES_MAX), *DEFAULT_BODY_RULES)


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
            cache = await stack.enter_async_context(redis.connect(settings))
            runs = Runs(database, await stack.enter_async_context(events.publishing(cache)))
            app.state.players = Players(runs, peers.peer("user"), settings.gateway_url)
            await _open_runs(app, stack, settings, runs)
            optional = {"gateway": public.alive, "redis": cache.ping}
            yield Health(required={"postgres": database.ping}, optional=optional, observe=database.observe)

    public_routers = [routes.router, routes.stress] if settings.is_demo else []
    return build_app(
        settings, title="palio generator", open_context=open_context, body_rules=_BODIES,
        routers=[*public_routers, run_routes.operator, run_routes.runner],
    )  # fmt: skip


async def _cluster(stack: AsyncExitStack, settings: Settings) -> Resources | None:
    if not settings.kubernetes:
        return None
    opened = apiserver.connect(settings.kubernetes_url, settings.kubernetes_credentials)
    return Resources(await stack.enter_async_context(opened), settings.kubernetes_namespace)


async def _open_runs(app: FastAPI, stack: AsyncExitStack, settings: Settings, runs: Runs) -> None:
    """The run store, with what ends and forgets runs."""
    local = LocalRuns(runs, settings)
    runs.is_alive = local.is_alive
    app.state.runs = runs
    app.state.stress = Stress(runs, local, settings, await _cluster(stack, settings))

    async def sweep() -> float:
        await runs.sweep(
            runs_max=settings.runs_kept_max, seconds_max=settings.run_seconds_kept_max,
            days_max=settings.runs_kept_days,
        )  # fmt: skip
        return _SWEEP_S

    await stack.enter_async_context(running("runs", sweep))
    stack.push_async_callback(local.close)
