"""The leaderboard service put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from palio_kit import erasures, events, http, postgres, redis, tasks
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.callers import ServiceCallers
from palio_kit.erasures import Erasures
from palio_kit.health import Health
from palio_kit.postgres import Database
from palio_kit.redis import Cache, RedisAway
from palio_leaderboard import routes
from palio_leaderboard.audit import Audit
from palio_leaderboard.fallback import Fallback
from palio_leaderboard.finding import Finder, Rebuilds
from palio_leaderboard.names import Boards, Usernames
from palio_leaderboard.routes import HotCalls
from palio_leaderboard.service import Reads
from palio_leaderboard.settings import Settings
from palio_leaderboard.store import Catalogue, RedisBoards, SqlBoards


def create_app(settings: Settings) -> App:
    """The leaderboard service's ASGI app."""
    hot = HotCalls(ServiceCallers.of(settings))

    @asynccontextmanager
    async def open_context(app: FastAPI) -> AsyncIterator[Health]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(postgres.connect(settings))
            cache = await stack.enter_async_context(redis.connect(settings))
            publisher = await stack.enter_async_context(events.publishing(cache))
            peers = await stack.enter_async_context(http.connect(settings))
            rebuilds = Rebuilds(peers.peer("score"))
            stack.push_async_callback(rebuilds.close)
            fallback = _fallback(settings, SqlBoards(database))
            stack.push_async_callback(fallback.close)
            reads, audit = _wire(settings, database, cache, rebuilds, fallback)
            app.state.reads = hot.reads = reads
            looks = Erasures(
                database, app.state.user_tokens, lambda erased: erasures.tell(publisher, reads.forget(erased))
            )
            await stack.enter_async_context(tasks.running("look-for-erasures", looks.step))
            await stack.enter_async_context(tasks.running("drift-audit", audit.step))
            yield _health(database, cache)

    return build_app(
        settings,
        title="palio leaderboard",
        open_context=open_context,
        routers=[routes.public, routes.internal],
        hot=hot,
    )


def _fallback(settings: Settings, stored: SqlBoards) -> Fallback:
    return Fallback(
        stored,
        statements_max=settings.fallback_statements_max,
        waiting_max=settings.fallback_waiting_max,
        wait_s=settings.fallback_wait_s,
    )


def _wire(
    settings: Settings, database: Database, cache: Cache, rebuilds: Rebuilds, fallback: Fallback
) -> tuple[Reads, Audit]:
    cached, stored, catalogue = RedisBoards(cache), SqlBoards(database), Catalogue(database)
    boards = Boards(catalogue)
    usernames = Usernames(catalogue, entries_max=settings.usernames_max, fresh_s=settings.username_fresh_s)
    audit = Audit(
        boards, cached, stored, rebuilds, every_s=settings.audit_every_s, players=settings.audit_players
    )  # fmt: skip
    return Reads(boards, usernames, Finder(cached, fallback, rebuilds)), audit


def _health(database: Database, cache: Cache) -> Health:
    """Either store alone is enough to answer, so each is optional and one of them required."""

    async def one_store() -> None:
        try:
            await cache.ping()
        except RedisAway:
            await database.ping()

    return Health(
        required={"one_store": one_store},
        optional={"redis": cache.ping, "postgres": database.ping},
        observe=database.observe,
    )
