"""A store is away, a board is being built, the stores disagree: what readers see, and who is asked to mend it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI

from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.callers import only
from palio_kit.health import Health
from palio_kit.orderings import OrderingKeys
from palio_kit.settings import ServiceSettings
from palio_kit.testing.waiting import eventually
from palio_leaderboard.app import create_app
from palio_leaderboard.settings import Settings
from palio_local.ports import free_port
from support.erasing import erase

BOARDS = "/api/v1/leaderboard"


class ScoreSettings(ServiceSettings):
    service: str = "score"
    port: int = 0


class Score:
    """Notes which boards it is asked to rebuild."""

    def __init__(self) -> None:
        self.rebuilt: list[str] = []

    def create_app(self, settings: ScoreSettings) -> App:
        router = APIRouter(prefix="/internal/v1")

        @router.post("/boards/rebuild", status_code=202, dependencies=[only("leaderboard")])
        async def rebuild(body: dict[str, str]) -> None:
            self.rebuilt.append(body["board"])

        @asynccontextmanager
        async def open_context(_: FastAPI) -> AsyncIterator[Health]:
            yield Health()

        return build_app(settings, title="score", open_context=open_context, routers=[router])


@pytest.fixture
def score(make_settings: Any, running: Any) -> Iterator[tuple[Score, str]]:
    service = Score()
    with running(service.create_app, make_settings(ScoreSettings)) as server:
        yield service, server.url


@pytest.fixture
def nowhere() -> str:
    return f"127.0.0.1:{free_port()}"


def rows_of(world: Any) -> Any:
    return world.players([3, 2, 1])


async def page(client: httpx2.AsyncClient, board: str = "global") -> Any:
    answer = await client.get(f"{BOARDS}/{board}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_without_redis_everything_is_answered_from_sql(
    make_settings: Any, client_of: Any, world: Any, nowhere: str
) -> None:
    rows = rows_of(world)
    await world.put("global", rows)
    async with client_of(create_app, make_settings(Settings, redis_url=f"redis://{nowhere}")) as client:
        shown = await page(client)
        assert (shown["epoch"], [item["score"] for item in shown["items"]]) == ("sql", [3, 2, 1])
        for view in ("rank", "around"):
            assert (await client.get(f"{BOARDS}/global/{view}/{rows[1].user_id}")).status_code == 200
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")


async def test_without_postgres_boards_seen_before_are_answered_and_others_are_503(
    make_settings: Any, client_of: Any, world: Any, nowhere: str
) -> None:
    await world.put("global", rows_of(world))
    settings = make_settings(Settings, database_url=f"postgresql://palio@{nowhere}/palio")
    async with client_of(create_app, settings) as client:
        shown = await page(client)
        assert [item["username"] for item in shown["items"]] == ["Unknown player"] * 3
        unknown = await client.get(f"{BOARDS}/game/space-race")
        assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "1")
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")


async def test_without_both_it_is_unready_and_says_503(make_settings: Any, client_of: Any, nowhere: str) -> None:
    settings = make_settings(
        Settings, database_url=f"postgresql://palio@{nowhere}/palio", redis_url=f"redis://{nowhere}"
    )
    async with client_of(create_app, settings) as client:
        assert (await client.get("/readyz")).status_code == 503
        answer = await client.get(f"{BOARDS}/global")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_board_redis_lacks_is_answered_from_sql_and_its_rebuild_is_asked_for_once(
    make_settings: Any, client_of: Any, world: Any, score: tuple[Score, str]
) -> None:
    service, url = score
    await world.put("global", rows_of(world), cached=False)
    async with client_of(create_app, make_settings(Settings, score_url=url)) as client:
        for _ in range(3):
            assert (await page(client))["epoch"] == "sql"
        await eventually(lambda: asked(service, 1))
        await world.redis.hset(OrderingKeys.of("global").meta, mapping={"state": "building", "epoch": "e1"})
        assert (await page(client))["epoch"] == "sql"
        await world.cache("global", rows_of(world))
        assert (await page(client))["epoch"] == "e1"
    assert service.rebuilt == ["global"]


async def test_a_script_redis_forgot_is_given_to_it_again(make_settings: Any, client_of: Any, world: Any) -> None:
    await world.put("global", rows_of(world))
    async with client_of(create_app, make_settings(Settings)) as client:
        assert (await page(client))["epoch"] == "e1"
        await world.redis.script_flush()
        user = rows_of(world)[0].user_id
        assert (await client.get(f"{BOARDS}/global/rank/{user}")).json()["epoch"] == "e1"


async def test_a_standing_that_redis_keeps_wrong_is_found_and_mended(
    make_settings: Any, client_of: Any, world: Any, score: tuple[Score, str]
) -> None:
    service, url = score
    rows = rows_of(world)
    await world.put("global", rows)
    await world.cache("global", rows[:2])
    settings = make_settings(Settings, score_url=url, audit_every_s=0.05)
    async with client_of(create_app, settings) as client:
        await eventually(lambda: asked(service, 1))
        assert service.rebuilt[0] == "global"

        async def is_measured() -> bool:
            return 'palio_rank_drift{family="global"} 1.0' in (await client.get("/metrics")).text

        await eventually(is_measured)


async def asked(service: Score, times: int) -> bool:
    return len(service.rebuilt) >= times


async def test_a_new_name_is_shown_and_a_deleted_player_keeps_his_place(
    make_settings: Any, client_of: Any, world: Any
) -> None:
    rows = rows_of(world)
    await world.put("global", rows)
    await world.users(rows)
    async with client_of(create_app, make_settings(Settings, username_fresh_s=0)) as client:
        first = await client.get(f"{BOARDS}/global")
        assert [item["username"] for item in first.json()["items"]] == ["player-0", "player-1", "player-2"]
        await world.owner.execute("UPDATE users.accounts SET username = 'ada' WHERE user_id = $1", rows[0].user_id)
        await world.owner.execute(
            "UPDATE users.accounts SET deleted_at = now(), username = NULL, email = NULL, password_hash = NULL"
            " WHERE user_id = $1",
            rows[1].user_id,
        )
        known = {"if-none-match": first.headers["etag"]}
        second = await client.get(f"{BOARDS}/global", headers=known)
        assert [item["username"] for item in second.json()["items"]] == ["ada", "Deleted player", "player-2"]


async def test_an_erased_name_leaves_the_board_long_before_a_kept_one_is_asked_again(
    make_settings: Any, client_of: Any, world: Any
) -> None:
    rows = rows_of(world)
    await world.put("global", rows)
    await world.users(rows, "canary")
    async with client_of(create_app, make_settings(Settings, username_fresh_s=3600)) as client:
        before = [item["username"] for item in (await client.get(f"{BOARDS}/global")).json()["items"]]
        await erase(world.owner, rows[2].user_id)

        async def gone() -> bool:
            pages = [
                await client.get(f"{BOARDS}/global"),
                await client.get(f"{BOARDS}/global/around/{rows[2].user_id}"),
            ]
            return not any(before[2] in page.text for page in pages)

        await eventually(gone, within_s=3)
        after = [item["username"] for item in (await client.get(f"{BOARDS}/global")).json()["items"]]
        assert after == [*before[:2], "Deleted player"]
