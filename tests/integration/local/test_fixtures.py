"""The fixtures every integration test stands on."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from redis.asyncio import Redis

from palio_kit import postgres
from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.callers import SignedIn, only
from palio_kit.health import Health
from palio_kit.ids import new_id
from palio_kit.settings import ServiceSettings
from palio_kit.testing.issuer import Issuer
from palio_kit.wire import StrictRoute


class Settings(ServiceSettings):
    service: str = "game"
    port: int = 23452


router = APIRouter(prefix="/api/v1", route_class=StrictRoute)


@router.get("/me")
async def me(caller: SignedIn) -> str:
    return caller.username


@router.get("/internal", dependencies=[only("gateway")])
async def internal() -> str:
    return "welcome"


@asynccontextmanager
async def open_context(app: FastAPI) -> AsyncIterator[Health]:
    async with postgres.connect(app.state.settings) as database:
        yield Health(required={"postgres": database.ping})


def create_app(settings: Settings) -> App:
    return build_app(settings, title="toy", open_context=open_context, routers=[router])


async def test_roles_can_log_in_to_the_modules_database(dsn_of: Callable[[str], str], database_name: str) -> None:
    connection = await asyncpg.connect(dsn_of("palio_score"))
    try:
        assert await connection.fetchval("SELECT current_database()") == database_name
        assert await connection.fetchval("SELECT current_user") == "palio_score"
    finally:
        await connection.close()


async def test_redis_answers_and_starts_empty(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        assert await client.dbsize() == 0


async def test_an_app_is_ready_and_knows_users_and_services(
    make_settings: Any, client_of: Any, issuer: Issuer, service_issuer: Issuer
) -> None:
    async with client_of(create_app, make_settings(Settings)) as client:
        assert (await client.get("/readyz")).json()["status"] == "ready"
        token = issuer.access_token(new_id(), "grace")
        assert (await client.get("/api/v1/me", headers={"authorization": f"Bearer {token}"})).json() == "grace"
        passport = {"palio-service-token": service_issuer.service_token("gateway", "game")}
        assert (await client.get("/api/v1/internal", headers=passport)).json() == "welcome"
        assert (await client.get("/api/v1/internal")).status_code == 401


async def test_a_running_app_listens(make_settings: Any, running: Any) -> None:
    with running(create_app, make_settings(Settings)) as server:
        async with httpx2.AsyncClient() as client:
            assert (await client.get(f"{server.url}/readyz")).status_code == 200


@pytest.mark.parametrize("attempt", [1, 2])
async def test_modules_share_one_database_and_get_no_others_rows(owner_dsn: str, attempt: int) -> None:
    connection = await asyncpg.connect(owner_dsn)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS public.visits (attempt int)")
        await connection.execute("INSERT INTO public.visits VALUES ($1)", attempt)
        assert await connection.fetchval("SELECT count(*) FROM public.visits") == attempt
    finally:
        await connection.close()
