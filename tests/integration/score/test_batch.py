"""Game servers' batches: many players, one transaction, each row by itself."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from palio_score.models import AcceptedRow, BatchOutcome

KEY = "a-batch-key-of-letters"


async def test_rows_are_accepted_and_refused_one_by_one(service: Any, world: Any) -> None:
    game, ada, bob = await world.game(high=100, counts=True), await world.player(), await world.player()
    server = await world.player("server")
    rows = [
        {"user_id": ada.user_id, "game_id": game, "score": 5},
        {"user_id": str(uuid4()), "game_id": game, "score": 5},
        {"user_id": bob.user_id, "game_id": "no-such-game", "score": 5},
        {"user_id": bob.user_id, "game_id": game, "score": 101},
        {"user_id": bob.user_id, "game_id": game, "score": "5"},
        {"user_id": "bob", "game_id": game, "score": 5},
        {"user_id": bob.user_id, "game_id": game, "score": 7},
        {"user_id": ada.user_id, "game_id": game, "score": 4},
    ]
    response = await service.batch(server, rows)
    answer = response.json()
    assert (response.status_code, answer["accepted"], answer["refused"]) == (200, 3, 5)
    assert [item["index"] for item in answer["items"]] == list(range(8))
    assert [item["status"] for item in answer["items"]] == [201, 404, 404, 422, 422, 422, 201, 201]
    assert [item.get("code") for item in answer["items"]] == [
        None, "user_not_found", "game_not_found", "score_out_of_bounds", "invalid", "invalid", None, None
    ]  # fmt: skip
    assert [item.get("counted") for item in answer["items"]] == [True, *[None] * 5, True, False]
    documented = BatchOutcome.model_validate_json(response.content)
    assert [isinstance(item, AcceptedRow) for item in documented.items] == [True, *[False] * 5, True, True]
    [stored] = await world.submissions(bob)
    assert answer["items"][6]["submission_id"] == str(stored["id"])
    assert await world.agreed(f"game:{game}") == [(bob.user_id, 7), (ada.user_id, 5)]


async def test_only_game_servers_send_batches(service: Any, world: Any) -> None:
    response = await service.batch(await world.player("organiser", "admin"), [])
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


async def test_a_repeated_batch_gets_the_same_bytes_and_changes_nothing(service: Any, world: Any) -> None:
    game, ada, server = await world.game("desc", "sum"), await world.player(), await world.player("server")
    rows = [{"user_id": ada.user_id, "game_id": game, "score": 5}] * 3
    first, again = await service.batch(server, rows, key=KEY), await service.batch(server, rows, key=KEY)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert await world.agreed(f"game:{game}") == [(ada.user_id, 15)]
    other = await service.batch(server, rows[:1], key=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_a_full_batch_is_taken(service: Any, world: Any) -> None:
    game, server = await world.game("desc", "sum"), await world.player("server")
    players = [await world.player() for _ in range(10)]
    rows = [{"user_id": players[n % 10].user_id, "game_id": game, "score": n} for n in range(1000)]
    assert (await service.batch(server, rows)).json()["accepted"] == 1000
    board = await world.agreed(f"game:{game}")
    assert [score for _, score in board] == sorted((sum(range(n, 1000, 10)) for n in range(10)), reverse=True)


async def test_a_batch_in_which_every_row_is_refused_changes_nothing(service: Any, world: Any) -> None:
    server = await world.player("server")
    answer = (await service.batch(server, [{"user_id": "x", "game_id": "y", "score": 1}])).json()
    assert (answer["accepted"], answer["refused"]) == (0, 1)


@pytest.mark.parametrize(("rows", "status"), [(1001, 422), (0, 422)])
async def test_a_batch_has_between_one_and_a_thousand_rows(service: Any, world: Any, rows: int, status: int) -> None:
    response = await service.batch(await world.player("server"), [{}] * rows)
    assert (response.status_code, response.json()["code"]) == (status, "invalid")


async def test_a_batch_over_a_mebibyte_is_too_large(service: Any, world: Any) -> None:
    server = await world.player("server")
    body = b'{"items":[' + b" " * 2**20 + b"]}"
    response = await service.client.post("/api/v1/scores/batch", content=body, headers=server.headers)
    assert response.status_code == 413


async def test_more_batches_than_run_at_once_wait_for_their_turn(service: Any, world: Any) -> None:
    game, ada, server = await world.game("desc", "sum"), await world.player(), await world.player("server")
    rows = [{"user_id": ada.user_id, "game_id": game, "score": 1}] * 10
    responses = await asyncio.gather(*(service.batch(server, rows) for _ in range(20)))
    assert [response.json()["accepted"] for response in responses] == [10] * 20
    assert await world.agreed(f"game:{game}") == [(ada.user_id, 200)]
