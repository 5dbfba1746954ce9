"""The gateway's call: many submissions at once, each with its own answer."""

import json
from typing import Any

import msgspec
import pytest

TRACE = "0af7651916cd43dd8448eb211c80319c"


def entry(player: Any, game: str, score: Any, key: str | None = None) -> list[Any]:
    body = json.dumps({"user_id": player.user_id, "game_id": game, "score": score}).encode()
    return [player.token, body, key, f"00-{TRACE}-b7ad6b7169203331-01"]


async def test_every_entry_gets_its_own_answer_in_order(service: Any, world: Any) -> None:
    game, ada, bob = await world.game(), await world.player(), await world.player()
    entries = [
        entry(ada, game, 5), entry(bob, game, "5"), ["nonsense", b"{}", None, None], entry(bob, game, 7),
        entry(ada, "no-such-game", 1), entry(ada, game, 9, "short"),
    ]  # fmt: skip
    replies = msgspec.msgpack.decode((await service.internal(entries)).content)
    assert [status for status, *_ in replies] == [201, 422, 401, 201, 404, 400]
    codes = [json.loads(body).get("code") for _, body, *_ in replies]
    assert codes == [None, "invalid", "unauthorized", None, "game_not_found", "bad_idempotency_key"]
    assert json.loads(replies[1][1])["trace_id"] == TRACE
    assert [(retry, replayed) for _, _, retry, replayed in replies] == [(0, False)] * 6


async def test_scores_of_one_player_in_one_call_are_played_in_their_order(service: Any, world: Any) -> None:
    game, ada = await world.game("desc", "last"), await world.player()
    entries = [entry(ada, game, score) for score in (3, 9, 6)]
    replies = msgspec.msgpack.decode((await service.internal(entries)).content)
    answers = [json.loads(body) for _, body, *_ in replies]
    assert [answer["counted"] for answer in answers] == [True, True, True]
    assert {answer["ranks"]["game"]["score"] for answer in answers} == {6}
    assert [row["score"] for row in await world.submissions(ada)] == [3, 9, 6]
    assert sorted(answer["accepted_at"] for answer in answers) == [answer["accepted_at"] for answer in answers]


async def test_counted_is_told_for_each_score_of_one_call(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    replies = msgspec.msgpack.decode(
        (await service.internal([entry(ada, game, score) for score in (5, 3, 7, 7)])).content
    )
    assert [json.loads(body)["counted"] for _, body, *_ in replies] == [True, False, True, False]
    assert [row["counted"] for row in await world.submissions(ada)] == [True, False, True, False]


@pytest.mark.parametrize("caller", ["leaderboard", "websocket", "generator"])
async def test_only_the_gateway_may_call(service: Any, caller: str) -> None:
    response = await service.internal([], caller=caller)
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


async def test_without_a_service_token_nobody_may_call(service: Any) -> None:
    headers = {"content-type": "application/msgpack"}
    response = await service.client.post("/internal/v1/submissions", content=b"\x90", headers=headers)
    assert response.status_code == 401


async def test_an_empty_call_has_an_empty_answer(service: Any) -> None:
    assert msgspec.msgpack.decode((await service.internal([])).content) == []


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x81\x01\x02", msgspec.msgpack.encode([[1, 2]])])
async def test_what_is_no_array_of_entries_is_refused(service: Any, content: bytes) -> None:
    headers = service.headers_as("gateway") | {"content-type": "application/msgpack"}
    response = await service.client.post("/internal/v1/submissions", content=content, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


async def test_a_call_takes_at_most_a_thousand(service: Any) -> None:
    response = await service.internal([["", b"", None, None]] * 1001)
    assert response.status_code == 400


async def test_recent_scores_are_told_to_the_websocket_service(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    submitted = [(await service.submit(ada, game, score)).json()["submission_id"] for score in (1, 2, 3)]
    response = await service.client.get("/internal/v1/recent?limit=2", headers=service.headers_as("websocket"))
    items = response.json()["items"]
    assert [item["submission_id"] for item in items] == submitted[:0:-1]
    assert items[0]["username"] == ada.username
    assert (await service.client.get("/internal/v1/recent", headers=service.headers_as("gateway"))).status_code == 403
