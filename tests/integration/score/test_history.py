"""What was submitted, page by page."""

from typing import Any

import pytest


async def test_pages_neither_skip_nor_repeat_while_scores_arrive(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    submitted = [(await service.submit(ada, game, score)).json()["submission_id"] for score in range(7)]
    seen, cursor = [], ""
    while cursor is not None:
        parameters = {"user_id": ada.user_id, "limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await service.client.get("/api/v1/scores", params=parameters)).json()
        seen += [item["submission_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        await service.submit(ada, game, 0)
    assert seen == submitted[::-1]


async def test_items_say_what_was_submitted(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    answer = (await service.submit(ada, game, 5)).json()
    page = (await service.client.get("/api/v1/scores", headers=ada.headers)).json()
    expected = {
        name: answer[name] for name in ("submission_id", "user_id", "game_id", "score", "accepted_at", "counted")
    }
    assert page == {"items": [expected], "next_cursor": None}


async def test_one_game_can_be_asked_for(service: Any, world: Any) -> None:
    one, other, ada = await world.game(), await world.game(), await world.player()
    for game in (one, other, one):
        await service.submit(ada, game, 5)
    page = (await service.client.get("/api/v1/scores", params={"user_id": ada.user_id, "game_id": one})).json()
    assert [item["game_id"] for item in page["items"]] == [one, one]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 401, "unauthorized"), ("?user_id=ada", 422, "invalid"),
        ("?user_id={user}&cursor=nonsense", 400, "bad_cursor"),
        ("?user_id={user}&limit=0", 422, "invalid"), ("?user_id={user}&limit=101", 422, "invalid"),
        ("?user_id={user}&game_id=%00", 422, "invalid"), ("?user_id={user}&cursor=%F0%9F%98%80", 400, "bad_cursor"),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_refused(service: Any, world: Any, query: str, status: int, code: str) -> None:
    user = (await world.player()).user_id
    response = await service.client.get("/api/v1/scores" + query.replace("{user}", user))
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_who_has_submitted_nothing_has_an_empty_history(service: Any, world: Any) -> None:
    ada = await world.player()
    assert (await service.client.get("/api/v1/scores", headers=ada.headers)).json() == {
        "items": [],
        "next_cursor": None,
    }
