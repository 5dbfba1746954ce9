"""A player whose account was erased while an access token was still valid."""

import asyncio
from typing import Any
from uuid import UUID

from palio_kit.testing.waiting import eventually
from support.erasing import erase

SOON_S = 3.0


async def test_the_old_token_is_refused_soon_and_others_go_on(service: Any, world: Any) -> None:
    game, ada, bob = await world.game(), await world.player(), await world.player()
    for player in (ada, bob):
        assert (await service.submit(player, game, 1)).status_code == 201
    await erase(world.owner, UUID(ada.user_id))

    async def refused() -> bool:
        answer = await service.submit(ada, game, 2)
        return (answer.status_code, answer.json().get("code")) == (401, "unauthorized")

    await eventually(refused, within_s=SOON_S)
    taken = len(await world.submissions(ada))
    assert (await service.submit(ada, game, 3)).status_code == 401
    assert (await service.batch(ada, [])).status_code == 401
    assert (await service.submit(bob, game, 3)).status_code == 201
    assert len(await world.submissions(ada)) == taken


async def test_a_token_seen_for_the_first_time_is_refused_too(service: Any, world: Any) -> None:
    game, ada, bob = await world.game(), await world.player(), await world.player()
    await erase(world.owner, UUID(ada.user_id))

    async def looked() -> bool:  # another player's erasure, later than this one, is known
        return bool((await service.submit(bob, game, 2)).status_code == 401)

    assert (await service.submit(bob, game, 1)).status_code == 201
    await erase(world.owner, UUID(bob.user_id))
    await eventually(looked, within_s=SOON_S)
    assert (await service.submit(ada, game, 1)).status_code == 401
    assert await world.submissions(ada) == []


async def test_the_name_is_told_no_more(service: Any, world: Any) -> None:
    game, ada, server = await world.game(), await world.player(), await world.player("server")
    assert (await service.submit(ada, game, 1)).status_code == 201
    assert (await service.submit(server, game, 2, user_id=ada.user_id)).status_code == 201
    assert await told(service, ada) == {ada.username}
    subscription = world.redis.pubsub()
    await erase(world.owner, UUID(ada.user_id))

    async def forgotten() -> bool:
        return await told(service, ada) == {"Deleted player"}

    await eventually(forgotten, within_s=SOON_S)
    async with subscription:
        await subscription.subscribe("palio:events")
        answer = await service.submit(server, game, 3, user_id=ada.user_id)
        assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
        assert (await service.submit(ada, game, 4)).status_code == 401
        await service.submit(server, game, 5)
        heard = b""
        async with asyncio.timeout(5):
            while server.username.encode() not in heard:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=1)
                heard += message["data"] if message else b""
    assert ada.username.encode() not in heard


async def told(service: Any, player: Any) -> set[str]:
    answer = await service.client.get("/internal/v1/recent?limit=100", headers=service.headers_as("websocket"))
    return {item["username"] for item in answer.json()["items"] if item["user_id"] == player.user_id}
