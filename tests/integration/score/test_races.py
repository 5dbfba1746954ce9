"""Many writers at once, at two replicas: nothing is lost, nothing is counted twice, nobody waits for ever."""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from palio_kit.testing.waiting import eventually
from palio_score.app import create_app
from palio_score.settings import Settings

WRITERS = 64
Acked = dict[tuple[str, str], list[int]]


def entry(player: Any, game: str, score: int) -> list[Any]:
    body = json.dumps({"user_id": player.user_id, "game_id": game, "score": score}).encode()
    return [player.token, body, None, None]


async def test_sixty_four_writers_at_two_replicas_lose_nothing(
    service: Any, world: Any, client_of: Any, make_settings: Any, service_issuer: Any
) -> None:
    chance = random.Random(64)
    games = [await world.game(counts=True), await world.game(counts=True), await world.game("desc", "sum")]
    players = [await world.player() for _ in range(12)]
    cup = await world.tournament(games[0], *players[:6], keep="sum")
    acked: Acked = defaultdict(list)

    async def write(at: Any) -> None:
        for _ in range(4):
            plays = [(chance.choice(players), chance.choice(games), chance.randrange(1000)) for _ in range(5)]
            replies = msgspec.msgpack.decode((await at.internal([entry(*play) for play in plays])).content)
            for (player, game, score), (status, body, *_) in zip(plays, replies, strict=True):
                assert status == 201, body
                acked[player.user_id, game].append(score)

    async with client_of(create_app, make_settings(Settings)) as client:
        other = type(service)(client, service_issuer)
        await asyncio.gather(*(write(service if number % 2 else other) for number in range(WRITERS)))

        async def agree() -> bool:
            for board in ("global", f"tournament:{cup}", *(f"game:{game}" for game in games)):
                await world.agreed(board)
            return True

        await eventually(agree)
    await stored_is(world, acked, players)
    await boards_are(world, acked, dict(zip(games, (max, max, sum), strict=True)))
    overall = dict(await world.agreed("global"))
    for player in players:
        assert overall[player.user_id] == sum(max(acked[player.user_id, game], default=0) for game in games[:2])
    in_cup = {player.user_id: sum(acked[player.user_id, games[0]]) for player in players[:6]}
    assert dict(await world.agreed(f"tournament:{cup}")) == {player: score for player, score in in_cup.items() if score}


async def stored_is(world: Any, acked: Acked, players: list[Any]) -> None:
    stored: Acked = defaultdict(list)
    for row in await world.submissions(*players):
        stored[str(row["user_id"]), row["game_id"]].append(row["score"])
    told = {key: sorted(scores) for key, scores in acked.items() if scores}
    assert {key: sorted(scores) for key, scores in stored.items()} == told


async def boards_are(world: Any, acked: Acked, keeps: dict[str, Callable[[list[int]], int]]) -> None:
    for game, keep in keeps.items():
        played = {player: scores for (player, at), scores in acked.items() if at == game and scores}
        assert dict(await world.agreed(f"game:{game}")) == {player: keep(scores) for player, scores in played.items()}
        counts = {str(row["user_id"]): row["submissions"] for row in await world.standings(f"game:{game}")}
        assert counts == {player: len(scores) for player, scores in played.items()}


async def test_new_players_that_two_replicas_meet_at_once_are_created_once(
    service: Any, world: Any, client_of: Any, make_settings: Any, service_issuer: Any
) -> None:
    game = await world.game("desc", "sum", counts=False)
    async with client_of(create_app, make_settings(Settings)) as client:
        other = type(service)(client, service_issuer)
        for _ in range(10):
            players = [await world.player() for _ in range(6)]
            calls = [
                at.internal([entry(player, game, 1) for player in random.sample(players, 6)]) for at in (service, other)
            ]
            for response in await asyncio.gather(*calls):
                assert [status for status, *_ in msgspec.msgpack.decode(response.content)] == [201] * 6
            rows = {str(row["user_id"]): row for row in await world.standings(f"game:{game}")}
            assert [(rows[player.user_id]["score"], rows[player.user_id]["version"]) for player in players] == [
                (2, 2)
            ] * 6


async def test_a_settlement_barrier_sees_every_score_accepted_before_it(service: Any, world: Any) -> None:
    """The exclusive acceptance lock is only had when no flush that read an earlier clock is uncommitted."""
    game, ada = await world.game("desc", "sum"), await world.player()
    writing = True

    async def write() -> None:
        while writing:
            await service.submit(ada, game, 1)

    writers = [asyncio.create_task(write()) for _ in range(4)]
    for _ in range(20):
        async with world.owner.transaction():
            moment = await world.owner.fetchval("SELECT clock_timestamp()")
            await world.owner.execute("SELECT pg_advisory_xact_lock(7461, 1)")
        seen = await world.owner.fetchval("SELECT count(*) FROM score.submissions WHERE accepted_at < $1", moment)
        await asyncio.sleep(0.05)
        assert seen == await world.owner.fetchval(
            "SELECT count(*) FROM score.submissions WHERE accepted_at < $1", moment
        )
    writing = False
    await asyncio.gather(*writers)
