"""The user service put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from palio_kit import http, postgres, tasks
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.callers import UserTokens
from palio_kit.health import Health
from palio_kit.idempotency import Idempotency
from palio_user import routes, signing
from palio_user.passwords import Passwords
from palio_user.service import AccessTokens, Accounts, Sessions
from palio_user.settings import Settings
from palio_user.store import Store


def create_app(settings: Settings) -> App:
    """The user service's ASGI app.

    Raises:
        BadSigningKeys, OSError: the signing keys cannot be used.
    """
    signer = signing.read_keys(settings.signing_keys)
    access = AccessTokens(signer, settings.token_issuer, settings.token_audience, settings.is_demo)

    async def own_keys() -> bytes:
        return signer.jwks

    @asynccontextmanager
    async def open_context(app: FastAPI) -> AsyncIterator[Health]:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(postgres.connect(settings))
            peers = await stack.enter_async_context(http.connect(settings))
            passwords = Passwords(threads=settings.hash_threads, queue_max=settings.hash_queue_max)
            stack.callback(passwords.close)
            store = Store(database)
            idempotency = Idempotency(database, "users")
            # A body with a password in it must not be guessable from its fingerprint. Rotating the signing key
            # changes the secret: a retry across a rotation is answered with 409 instead of the first answer.
            app.state.fingerprint_secret = signer.secret_for("idempotency-fingerprint")
            app.state.accounts = Accounts(store, passwords, access, idempotency, peers.peer("leaderboard"))
            app.state.sessions = Sessions(store, passwords, access)
            await stack.enter_async_context(tasks.running("sweep-sessions", store.sweep))
            await stack.enter_async_context(tasks.running("sweep-idempotency-keys", idempotency.sweep))
            yield Health(required={"postgres": database.ping}, observe=database.observe)

    virtual = [routes.virtual] if settings.is_demo else []
    return build_app(
        settings,
        title="palio user",
        open_context=open_context,
        routers=[routes.public, routes.internal, routes.keys, *virtual],
        user_tokens=UserTokens.of(settings, own_keys),
    )
