"""The score service put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from palio_kit import events, postgres, redis, tasks
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.batching import Batcher
from palio_kit.callers import ServiceCallers, UserTokens
from palio_kit.erasures import Erasures
from palio_kit.health import Check, Health
from palio_kit.idempotency import Idempotency
from palio_kit.logs import logger
from palio_kit.problems import Unavailable
from palio_score import routes
from palio_score.boards import Boards
from palio_score.book import Book
from palio_score.flushes import Flusher
from palio_score.intake import Intake, Play
from palio_score.models import Reply
from palio_score.news import News
from palio_score.rebuilds import Rebuilds
from palio_score.service import Batches, History, Repairs, Submissions
from palio_score.settings import Settings
from palio_score.store import Store
from palio_score.upkeep import Healer, Watch

log = logger(__name__)

# Plans are made once a connection and kept: one made while a table was small must still be right when it is not.
_PLANS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}


def create_app(settings: Settings) -> App:
    """The score service's ASGI app."""
    user_tokens = UserTokens.of(settings)
    door = routes.Door()

    @asynccontextmanager
    async def open_context(app: FastAPI) -> AsyncIterator[Health]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(postgres.connect(settings, server_settings=_PLANS))
            cache = await stack.enter_async_context(redis.connect(settings))
            publisher = await stack.enter_async_context(events.publishing(cache))
            store, boards = Store(database), Boards(cache)
            book = Book(store)
            rebuilds = Rebuilds(store, boards, book, rows=settings.rebuild_rows, small_max=settings.small_board_max)
            news = News(publisher)
            stack.callback(news.send)
            flusher = Flusher(store, boards, rebuilds, news)
            healer, watch = Healer(store, boards, book, flusher, rebuilds), Watch(store, boards, rebuilds)
            idempotency = Idempotency(database, "score")
            looks = Erasures(database, user_tokens, book.forget, news.forget)
            await stack.enter_async_context(tasks.running("look-for-erasures", looks.step))
            await stack.enter_async_context(tasks.running("rebuild-boards", rebuilds.step))
            await stack.enter_async_context(tasks.running("heal-boards", healer.step))
            await stack.enter_async_context(tasks.running("watch-boards", watch.step))
            await stack.enter_async_context(tasks.running("sweep-idempotency-keys", idempotency.sweep))
            batcher = _batcher(flusher, settings)
            stack.push_async_callback(batcher.close)
            intake = Intake(user_tokens, book)
            door.submissions = app.state.submissions = Submissions(intake, batcher)
            app.state.batches = Batches(intake, flusher, idempotency)
            app.state.history = History(store, news)
            app.state.repairs = Repairs(book, rebuilds)
            # Redis only shows what PostgreSQL holds: without it scores are accepted, and ranks are null.
            yield Health(
                required={"postgres": database.ping, "durable": _durable(store, settings)},
                optional={"redis": cache.ping}, observe=database.observe,
            )  # fmt: skip

    return build_app(
        settings,
        title="palio score",
        open_context=open_context,
        routers=[routes.public, routes.internal],
        hot=routes.hot(door, ServiceCallers.of(settings)),
        user_tokens=user_tokens,
    )


def _batcher(flusher: Flusher, settings: Settings) -> Batcher[list[Play], list[Reply]]:
    return Batcher(
        "submissions",
        flusher.flush,
        items_max=settings.flush_rows_max,
        flushes_max=settings.flushes_max,
        age_max_s=settings.upstream_timeout_s,
        weigh=len,
    )


def _durable(store: Store, settings: Settings) -> Check:
    """Acked means committed and flushed: with these settings off it would not be true (asked until it was once)."""
    sound = False

    async def check() -> None:
        nonlocal sound
        if sound:
            return
        wrong = await store.undurable_settings()
        sound = not wrong or settings.is_demo
        if wrong:
            log.warning("acknowledged_scores_may_be_lost", settings=wrong)
        if not sound:
            raise Unavailable(f"PostgreSQL would lose acknowledged scores: {', '.join(wrong)}.")

    return check
