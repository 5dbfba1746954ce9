"""Boards are built from SQL in chunks, while scores go on, and by one builder at a time."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from palio_kit import postgres, redis
from palio_kit.ids import new_id
from palio_kit.orderings import OrderingKeys
from palio_kit.testing.waiting import eventually
from palio_score.boards import Boards
from palio_score.book import Book
from palio_score.rebuilds import Rebuilds
from palio_score.store import Rebuilding, Store

FILL = """
INSERT INTO score.standings (board, user_id, score, total, reached_at, version, submissions)
SELECT $1, gen_random_uuid(), (random() * 50)::bigint, 0, now() - random() * interval '1 day', 1, 1
FROM generate_series(1, $2)
"""


async def test_a_rebuild_requested_by_the_leaderboard_service_mends_a_drifted_board(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    await service.submit(ada, game, 7)
    keys = OrderingKeys.of(f"game:{game}")
    await world.redis.zremrangebyrank(keys.order, 0, -1)
    response = await service.client.post(
        "/internal/v1/boards/rebuild",
        json={"board": f"game:{game}", "reason": "drift"},
        headers=service.headers_as("leaderboard"),
    )
    assert response.status_code == 202

    async def mended() -> Any:
        return await world.agreed(f"game:{game}")

    assert await eventually(mended) == [(ada.user_id, 7)]


async def test_a_board_said_to_be_missing_is_left_alone_when_it_is_whole(service: Any, world: Any) -> None:
    """A reader asks again and again while a large board builds; it must not be built once more for each."""
    game, ada = await world.game(), await world.player()
    await service.submit(ada, game, 7)
    keys = OrderingKeys.of(f"game:{game}")
    epoch = await world.redis.hget(keys.meta, "epoch")
    other = await world.game()
    for board in (f"game:{game}", f"game:{other}"):
        response = await service.client.post(
            "/internal/v1/boards/rebuild",
            json={"board": board, "reason": "missing"},
            headers=service.headers_as("leaderboard"),
        )
        assert response.status_code == 202

    async def other_is_built() -> Any:
        return await world.redis.hget(OrderingKeys.of(f"game:{other}").meta, "state") == b"ready"

    await eventually(other_is_built)
    assert await world.redis.hget(keys.meta, "epoch") == epoch


@pytest.mark.parametrize(
    ("body", "caller", "status"),
    [
        ({"board": "global"}, "gateway", 403), ({"board": "game:no-such-game"}, "leaderboard", 404),
        ({"board": "nonsense"}, "leaderboard", 404), ({"board": "tournament:x"}, "leaderboard", 404),
        ({"board": 7}, "leaderboard", 422),
        ({"board": "global", "reason": "boredom"}, "leaderboard", 422),
        ({}, "leaderboard", 422),
        ("{", "leaderboard", 400),
    ],
)  # fmt: skip
async def test_what_cannot_be_rebuilt_is_refused(service: Any, body: Any, caller: str, status: int) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    headers = service.headers_as(caller) | {"content-type": "application/json"}
    response = await service.client.post("/internal/v1/boards/rebuild", content=content, headers=headers)
    assert response.status_code == status


async def test_a_board_of_many_chunks_is_built_while_scores_arrive(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    board = f"game:{game}"
    await world.owner.execute(FILL, board, 25_000)
    await world.redis.delete(*OrderingKeys.of(board).all())  # in case it was built while it was empty
    score = 1_000

    async def agree() -> Any:
        nonlocal score
        score += 1
        await service.submit(ada, game, score)
        return await world.agreed(board)

    standing = await eventually(agree, within_s=20)
    assert len(standing) == 25_001
    assert standing[0] == (ada.user_id, score)


async def test_two_builders_of_one_board_do_not_meet(world: Any, settings: Any) -> None:
    game = await world.game()
    await world.owner.execute(FILL, f"game:{game}", 3_000)
    async with postgres.connect(settings) as database, redis.connect(settings) as cache:
        store, boards = Store(database), Boards(cache)
        book = Book(store)
        replicas = [Rebuilds(store, boards, book, rows=500, small_max=0) for _ in range(4)]
        board = await book.board(f"game:{game}")
        assert board is not None
        done = await asyncio.gather(*(rebuilds.rebuild(board) for rebuilds in replicas))
        assert done.count(True) >= 1
        assert len(await world.agreed(board.name)) == 3_000
        assert not await replicas[0].small(board, missing=True)


@pytest.mark.parametrize(("small_max", "waits"), [(10, True), (2, False)])
async def test_a_score_waits_for_a_build_that_runs_only_if_the_board_is_small(
    world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, small_max: int, waits: bool
) -> None:
    game, go_on, chunk = await world.game(), asyncio.Event(), Rebuilding.chunk
    await world.owner.execute(FILL, f"game:{game}", 5)

    async def held_back(source: Rebuilding, after: Any, rows: int) -> bytes:
        await go_on.wait()
        return await chunk(source, after, rows)

    monkeypatch.setattr(Rebuilding, "chunk", held_back)
    async with postgres.connect(settings) as database, redis.connect(settings) as cache:
        store, boards = Store(database), Boards(cache)
        rebuilds = Rebuilds(store, boards, Book(store), rows=500, small_max=small_max)
        board = await Book(store).board(f"game:{game}")
        assert board is not None
        building = asyncio.create_task(rebuilds.rebuild(board))
        await asyncio.sleep(0)
        score = asyncio.create_task(rebuilds.small(board, missing=False))
        if waits:
            go_on.set()
        assert await score is waits
        go_on.set()
        assert await building


async def test_a_score_has_its_rank_on_a_board_whose_build_ended_just_after_it_was_asked(
    service: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, ada = await world.game(), await world.player()
    await service.submit(ada, game, 7)
    meta = OrderingKeys.of(f"game:{game}").meta
    await world.redis.hset(meta, "state", "building")
    apply = Boards.apply

    async def apply_before_the_end(self: Boards, loads: Any) -> Any:
        answers = await apply(self, loads)
        await world.redis.hset(meta, "state", "ready")
        return answers

    monkeypatch.setattr(Boards, "apply", apply_before_the_end)
    answer = (await service.submit(ada, game, 9)).json()
    assert answer["ranks"]["game"] == {"score": 9, "rank": 1, "previous_rank": 1}


async def test_a_rebuild_that_loses_its_board_gives_up_and_is_begun_again(
    world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, go_on, chunk = await world.game(), asyncio.Event(), Rebuilding.chunk
    await world.owner.execute(FILL, f"game:{game}", 3_000)

    async def held_back(source: Rebuilding, after: Any, rows: int) -> bytes:
        """All but the first."""
        if after is not None:
            await go_on.wait()
        return await chunk(source, after, rows)

    monkeypatch.setattr(Rebuilding, "chunk", held_back)
    async with postgres.connect(settings) as database, redis.connect(settings) as cache:
        store, boards = Store(database), Boards(cache)
        book = Book(store)
        rebuilds = Rebuilds(store, boards, book, rows=100, small_max=0)
        board = await book.board(f"game:{game}")
        assert board is not None
        building = asyncio.create_task(rebuilds.rebuild(board))

        async def begun() -> bool:
            return bool(await world.redis.zcard(OrderingKeys.of(board.name).order))

        await eventually(begun)
        await world.redis.flushall()
        go_on.set()
        assert await building is False
        assert await rebuilds.rebuild(board)
        assert len(await world.agreed(board.name)) == 3_000


async def test_players_with_the_smallest_and_largest_ids_are_not_forgotten(world: Any, settings: Any) -> None:
    game = await world.game()
    board_name = f"game:{game}"
    statement = """
        INSERT INTO score.standings (board, user_id, score, total, reached_at, version, submissions)
        VALUES ($1, $2, 1, 1, now(), 1, 1)
    """
    ids = [UUID(int=1), UUID(int=2**128 - 1), new_id()]
    for player in ids:
        await world.owner.execute(statement, board_name, player)
    async with postgres.connect(settings) as database, redis.connect(settings) as cache:
        store = Store(database)
        book = Book(store)
        board = await book.board(board_name)
        assert board is not None
        assert await Rebuilds(store, Boards(cache), book, rows=1, small_max=0).rebuild(board)
    assert {player for player, _ in await world.agreed(board_name)} == {str(player) for player in ids}
