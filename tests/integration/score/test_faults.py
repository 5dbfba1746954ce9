"""What is acked is never lost, whatever happens to Redis, PostgreSQL or the process; boards heal by themselves."""

import asyncio
import json
from typing import Any

import asyncpg
import msgspec
import pytest

from palio_kit.orderings import OrderingKeys
from palio_kit.testing.waiting import eventually
from palio_score.app import create_app
from palio_score.flushes import Flusher
from palio_score.settings import Settings


async def agreed(world: Any, board: str) -> Any:
    async def agree() -> Any:
        return await world.agreed(board)

    return await eventually(agree)


async def test_without_redis_scores_are_accepted_and_the_board_catches_up(
    service: Any, world: Any, redis_switch: Any
) -> None:
    game, ada = await world.game(counts=True), await world.player()
    await service.submit(ada, game, 1)
    redis_switch.away = True
    response = await service.submit(ada, game, 2)
    assert (response.status_code, response.json()["ranks"], response.json()["counted"]) == (201, None, True)
    assert (await service.client.get("/readyz")).json()["status"] == "degraded"
    redis_switch.away = False
    assert await agreed(world, f"game:{game}") == [(ada.user_id, 2)]
    await agreed(world, "global")

    async def forgotten() -> bool:
        return bool(await world.owner.fetchval("SELECT count(*) FROM score.pending_applies") == 0)

    await eventually(forgotten)


async def test_a_crash_between_commit_and_redis_is_healed_by_another_process(
    service: Any, world: Any, client_of: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, ada = await world.game(), await world.player()
    await service.submit(ada, game, 1)

    async def die(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(Flusher, "show", die)
        response = await service.submit(ada, game, 2)
        assert response.status_code == 503
    assert [row["score"] for row in await world.submissions(ada)] == [1, 2]
    async with client_of(create_app, settings):
        assert await agreed(world, f"game:{game}") == [(ada.user_id, 2)]


async def test_after_flushall_under_load_every_board_comes_back(service: Any, world: Any) -> None:
    games = [await world.game(counts=True), await world.game("asc", "sum")]
    players = [await world.player() for _ in range(6)]
    cup = await world.tournament(games[0], *players)
    loading = True

    async def load(number: int) -> None:
        score = number
        while loading:
            score += 1
            response = await service.submit(players[number], games[score % 2], score)
            assert response.status_code == 201

    writers = [asyncio.create_task(load(number)) for number in range(6)]
    for _ in range(3):
        await asyncio.sleep(0.2)
        await world.redis.flushall()
    await asyncio.sleep(0.2)
    loading = False
    await asyncio.gather(*writers)
    for board in ("global", f"tournament:{cup}", *(f"game:{game}" for game in games)):
        await agreed(world, board)


async def test_boards_nobody_plays_on_come_back_too(service: Any, world: Any) -> None:
    game, ada = await world.game(counts=True), await world.player()
    await service.submit(ada, game, 7)
    epoch = await world.redis.hget(OrderingKeys.of(f"game:{game}").meta, "epoch")
    await world.redis.flushall()
    assert await agreed(world, f"game:{game}") == [(ada.user_id, 7)]
    assert await world.redis.hget(OrderingKeys.of(f"game:{game}").meta, "epoch") != epoch


async def test_boards_made_in_another_redis_process_are_made_again(service: Any, world: Any) -> None:
    """A Redis that came back with an old snapshot looks ready and is not."""
    game, ada = await world.game(), await world.player()
    await service.submit(ada, game, 7)
    keys = OrderingKeys.of(f"game:{game}")
    await world.redis.zremrangebyrank(keys.order, 0, -1)
    await world.redis.delete(keys.players)
    await world.redis.hset(keys.meta, "run", "before-the-restart")
    assert await agreed(world, f"game:{game}") == [(ada.user_id, 7)]


async def test_after_a_long_outage_boards_are_rebuilt_instead(
    world: Any, client_of: Any, settings: Settings, service_issuer: Any
) -> None:
    game, ada = await world.game(), await world.player()
    async with client_of(create_app, settings) as client:
        headers = ada.headers
        body = json.dumps({"user_id": ada.user_id, "game_id": game, "score": 9})
        assert (await client.post("/api/v1/scores", content=body, headers=headers)).status_code == 201
    await world.redis.zremrangebyrank(OrderingKeys.of(f"game:{game}").order, 0, -1)
    await world.owner.execute(
        """
        INSERT INTO score.pending_applies (flush_id, created_at, boards, users)
        SELECT gen_random_uuid(), now() - interval '1 minute', ARRAY['game:' || $1], '{}' FROM generate_series(1, 6000)
        """,
        game,
    )
    async with client_of(create_app, settings):
        assert await agreed(world, f"game:{game}") == [(ada.user_id, 9)]
        assert await world.owner.fetchval("SELECT count(*) FROM score.pending_applies") == 0


async def test_losing_every_connection_is_a_503_and_loses_nothing_acked(service: Any, world: Any) -> None:
    game, players = await world.game("desc", "sum"), [await world.player() for _ in range(8)]
    acked = {player.user_id: 0 for player in players}
    loading = True
    statuses: set[int] = set()

    async def load(player: Any) -> None:
        number = 0
        while loading:
            number += 1
            response = await service.submit(player, game, 1, key=f"{player.user_id}-{number}")
            statuses.add(response.status_code)
            while response.status_code != 201:
                assert response.status_code in (503, 409), response.text
                assert "retry-after" in response.headers
                await asyncio.sleep(0.05)
                response = await service.submit(player, game, 1, key=f"{player.user_id}-{number}")
            acked[player.user_id] += 1

    writers = [asyncio.create_task(load(player)) for player in players]
    cuts = 0

    async def cut() -> bool:
        """Not each cut meets a connection at work."""
        nonlocal cuts
        cuts += 1
        await world.owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'palio-score'"
        )
        return cuts >= 5 and 503 in statuses

    await eventually(cut, within_s=30, every_s=0.2)
    loading = False
    await asyncio.gather(*writers)
    assert dict(await agreed(world, f"game:{game}")) == acked
    assert len(await world.submissions(*players)) == sum(acked.values())


async def test_without_postgres_nothing_is_taken_and_everything_says_so(
    client_of: Any, settings: Settings, issuer: Any, service_issuer: Any, world: Any
) -> None:
    ada = await world.player()
    nowhere = settings.model_copy(update={"database_url": type(settings.database_url)("postgresql://x@127.0.0.1:1/x")})
    async with client_of(create_app, nowhere) as client:
        body = json.dumps({"user_id": ada.user_id, "game_id": "space-race", "score": 1})
        response = await client.post("/api/v1/scores", content=body, headers=ada.headers)
        assert (response.status_code, response.json()["code"], response.headers["retry-after"]) == (
            503,
            "unavailable",
            "1",
        )
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unready")
        assert (await client.get("/livez")).status_code == 200


async def test_in_production_a_database_that_may_lose_scores_is_not_ready(
    client_of: Any, make_settings: Any, owner_dsn: str
) -> None:
    connection = await asyncpg.connect(owner_dsn)
    durable = await connection.fetchval("SELECT current_setting('fsync') = 'on'")
    await connection.close()
    async with client_of(create_app, make_settings(Settings, profile="production")) as client:
        ready = await client.get("/readyz")
        assert ready.json()["checks"]["durable"]["ok"] is durable
        assert ready.status_code == (200 if durable else 503)


async def test_what_waits_at_shutdown_is_still_recorded(
    client_of: Any, settings: Settings, service_issuer: Any, world: Any
) -> None:
    game, ada = await world.game("desc", "sum"), await world.player()
    body = json.dumps({"user_id": ada.user_id, "game_id": game, "score": 1})
    async with client_of(create_app, settings) as client:
        waiting = [
            asyncio.create_task(client.post("/api/v1/scores", content=body, headers=ada.headers)) for _ in range(50)
        ]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    answers = await asyncio.gather(*waiting)
    taken = sum(answer.status_code == 201 for answer in answers)
    assert taken == len(await world.submissions(ada)) > 0


async def test_events_tell_each_flush_with_its_boards(service: Any, world: Any) -> None:
    from palio_kit.events import CHANNEL

    game, ada = await world.game(), await world.player()
    async with world.redis.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        answer = (await service.submit(ada, game, 5)).json()

        async def told() -> Any:
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=1)
            envelope = msgspec.msgpack.decode(message["data"]) if message else [None] * 6
            return envelope[5] if envelope[2] == "scores" else None

        data = await eventually(told)
    [news] = data["submissions"]
    epoch, version = data["boards"][f"game:{game}"]
    assert (news["submission_id"], news["username"]) == (answer["submission_id"], ada.username)
    assert (news["rank"], news["previous_rank"], news["counted"]) == (1, None, True)
    assert epoch
    assert version >= 1
