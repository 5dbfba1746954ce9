"""One submission: what it answers, what it leaves behind, and what is refused."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from palio_kit.testing.waiting import eventually

OVER = "SELECT clock_timestamp() >= ends_at FROM tournament.tournaments WHERE id = $1"


async def test_a_first_score_gets_its_ranks_at_once(service: Any, world: Any) -> None:
    game, ada, bob = await world.game(counts=True), await world.player(), await world.player()
    first = (await service.submit(ada, game, 50)).json()
    assert first["ranks"] == {
        "game": {"score": 50, "rank": 1, "previous_rank": None},
        "global": {"score": 50, "rank": first["ranks"]["global"]["rank"], "previous_rank": None},
        "tournaments": {},
    }
    second = (await service.submit(bob, game, 70)).json()
    assert second["ranks"]["game"] == {"score": 70, "rank": 1, "previous_rank": None}
    third = (await service.submit(ada, game, 90)).json()
    assert third["ranks"]["game"] == {"score": 90, "rank": 1, "previous_rank": 2}
    assert third["counted"] is True


async def test_the_answer_is_what_was_stored(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    response = await service.submit(ada, game, -5)
    answer = response.json()
    [stored] = await world.submissions(ada)
    assert response.status_code == 201
    assert set(answer) == {
        "submission_id", "user_id", "game_id", "score", "accepted_at", "counted", "ranks", "replayed"
    }  # fmt: skip
    assert answer["submission_id"] == str(stored["id"])
    assert UUID(answer["submission_id"]).version == 7
    assert (answer["user_id"], answer["game_id"], answer["score"]) == (ada.user_id, game, -5)
    assert answer["accepted_at"] == stored["accepted_at"].isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert (answer["counted"], answer["replayed"]) == (True, False)
    assert answer["ranks"]["global"] is None


async def test_a_score_that_is_not_better_is_kept_but_moves_nothing(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    await service.submit(ada, game, 10)
    answer = (await service.submit(ada, game, 9)).json()
    assert answer["counted"] is False
    assert answer["ranks"]["game"] == {"score": 10, "rank": 1, "previous_rank": 1}
    assert [row["counted"] for row in await world.submissions(ada)] == [True, False]
    [standing] = await world.standings(f"game:{game}")
    assert (standing["score"], standing["version"], standing["submissions"]) == (10, 1, 2)


@pytest.mark.parametrize(
    ("order", "keep", "scores", "kept"),
    [
        ("desc", "best", [3, 5, 4], 5), ("asc", "best", [4, 3, 5], 3), ("desc", "sum", [3, 5, -4], 4),
        ("asc", "sum", [1, 2], 3), ("desc", "last", [9, 1], 1), ("asc", "last", [1, 9], 9),
    ],
)  # fmt: skip
async def test_a_game_keeps_what_its_rules_say(
    service: Any, world: Any, order: str, keep: str, scores: list[int], kept: int
) -> None:
    game, ada = await world.game(order, keep), await world.player()
    for score in scores:
        answer = (await service.submit(ada, game, score)).json()
    assert answer["ranks"]["game"]["score"] == kept
    assert await world.agreed(f"game:{game}") == [(ada.user_id, kept)]


async def test_a_sum_stops_at_the_largest_safe_integer(service: Any, world: Any) -> None:
    game, ada = await world.game("desc", "sum"), await world.player()
    for _ in range(3):
        answer = (await service.submit(ada, game, 2**53 - 1)).json()
    assert answer["ranks"]["game"]["score"] == 2**53 - 1
    assert answer["counted"] is False
    answer = (await service.submit(ada, game, -(2**53 - 1))).json()
    assert answer["ranks"]["game"]["score"] == 2**53 - 1


async def test_the_global_score_adds_up_the_bests_of_the_games_that_count(service: Any, world: Any) -> None:
    ada = await world.player()
    one, two, other = await world.game(counts=True), await world.game(counts=True), await world.game("desc", "best")
    for game, score in ((one, 10), (two, 5), (other, 100), (one, 4), (two, 7)):
        answer = (await service.submit(ada, game, score)).json()
    assert answer["ranks"]["global"]["score"] == 17
    standing = next(row for row in await world.standings("global") if str(row["user_id"]) == ada.user_id)
    assert (standing["score"], standing["total"], standing["submissions"]) == (17, 17, 3)


async def test_equal_scores_share_a_rank_where_the_tournament_says_so(service: Any, world: Any) -> None:
    game = await world.game()
    players = [await world.player() for _ in range(3)]
    shared = await world.tournament(game, *players, ties="Shared")
    own = await world.tournament(game, *players)
    for player, score in zip(players, (5, 5, 4), strict=True):
        answer = (await service.submit(player, game, score)).json()
    ranks = answer["ranks"]["tournaments"]
    assert (ranks[shared]["rank"], ranks[own]["rank"]) == (3, 3)
    answer = (await service.submit(players[2], game, 5)).json()
    ranks = answer["ranks"]["tournaments"]
    assert ranks[shared] == {"score": 5, "rank": 1, "previous_rank": 3}
    assert ranks[own] == {"score": 5, "rank": 3, "previous_rank": 3}


async def test_a_score_counts_for_the_open_tournaments_its_player_has_joined(service: Any, world: Any) -> None:
    game, ada, bob = await world.game(), await world.player(), await world.player()
    joined = await world.tournament(game, ada)
    await world.tournament(game, bob)
    await world.tournament(game, ada, starts_s=60)
    await world.tournament(game, ada, starts_s=-60, ends_s=-1)
    await world.tournament(await world.game(), ada)
    lowest = await world.tournament(game, ada, keep="sum", order="asc")
    answer = (await service.submit(ada, game, 3)).json()
    assert set(answer["ranks"]["tournaments"]) == {joined, lowest}
    await service.submit(ada, game, 2)
    assert await world.agreed(f"tournament:{joined}") == [(ada.user_id, 3)]
    assert await world.agreed(f"tournament:{lowest}") == [(ada.user_id, 5)]


async def test_the_databases_clock_decides_to_which_side_of_a_boundary_a_score_falls(service: Any, world: Any) -> None:
    game, ada = await world.game("desc", "sum"), await world.player()
    cup = await world.tournament(game, ada, keep="sum", starts_s=1, ends_s=3)
    counted_in = []
    while not await world.owner.fetchval(OVER, UUID(cup)):
        counted_in.append(await counts_for(cup, service, ada, game))
        await asyncio.sleep(0.02)
    counted_in.append(await counts_for(cup, service, ada, game))
    statement = """
        SELECT count(*) FROM score.submissions AS submission JOIN tournament.tournaments AS cup ON cup.id = $2
        WHERE user_id = $1 AND accepted_at >= starts_at AND accepted_at < ends_at
    """
    inside = await world.owner.fetchval(statement, UUID(ada.user_id), UUID(cup))
    assert (counted_in[0], counted_in[-1]) == (False, False)
    assert sum(counted_in) == inside > 0
    [standing] = await world.standings(f"tournament:{cup}")
    assert (standing["score"], standing["submissions"]) == (inside, inside)


async def counts_for(cup: str, service: Any, player: Any, game: str) -> bool:
    return cup in (await service.submit(player, game, 1)).json()["ranks"]["tournaments"]


@pytest.mark.parametrize("score", ["true", '"1"', "1.0", "null", str(2**53), str(-(2**53)), str(2**63), "9" * 5_000])
async def test_numbers_that_are_no_scores_are_invalid(service: Any, world: Any, score: str) -> None:
    game, ada = await world.game(), await world.player()
    body = f'{{"user_id":"{ada.user_id}","game_id":"{game}","score":{score}}}'.encode()
    response = await service.send(ada, body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert response.json()["errors"][0]["pointer"] == "/score"
    assert response.headers["content-type"] == "application/problem+json"
    assert await world.submissions(ada) == []


@pytest.mark.parametrize("score", ["NaN", "Infinity", "1e400", '1,"score":2', '1,"x":"\\ud800"', ""])
async def test_what_is_no_json_is_malformed(service: Any, world: Any, score: str) -> None:
    game, ada = await world.game(), await world.player()
    body = f'{{"user_id":"{ada.user_id}","game_id":"{game}","score":{score}}}'.encode()
    response = await service.send(ada, body)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("game_id", ["no-such-game", "", "A", "a" * 41, "a\x00b", "\u00e9", "a'b", "-", "x" * 5_000])
async def test_an_unknown_game_is_not_found_whatever_its_id(service: Any, world: Any, game_id: str) -> None:
    response = await service.submit(await world.player(), game_id, 1)
    assert (response.status_code, response.json()["code"]) == (404, "game_not_found")


async def test_a_game_that_appears_is_known_within_a_second(service: Any, world: Any) -> None:
    ada = await world.player()
    assert (await service.submit(ada, "soon-there", 1)).status_code == 404
    statement = """
        INSERT INTO game.games
            (game_id, title, description, score_order, keep, score_min, score_max, score_unit, counts_globally)
        VALUES ('soon-there', 'x', '', 'desc', 'best', 0, 9, 'points', false)
    """
    await world.owner.execute(statement)

    async def taken() -> bool:
        return bool((await service.submit(ada, "soon-there", 1)).status_code == 201)

    await eventually(taken, within_s=20)


async def test_scores_outside_the_games_bounds_are_refused(service: Any, world: Any) -> None:
    game, ada = await world.game(low=0, high=10), await world.player()
    for score, status in ((0, 201), (10, 201), (-1, 422), (11, 422)):
        response = await service.submit(ada, game, score)
        assert response.status_code == status
    assert response.json()["code"] == "score_out_of_bounds"


async def test_only_a_game_server_submits_for_others(service: Any, world: Any) -> None:
    game, ada, bob, server = (
        await world.game(),
        await world.player(),
        await world.player(),
        await world.player("server"),
    )
    refused = await service.submit(ada, game, 1, user_id=bob.user_id)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_yourself")
    assert (await service.submit(server, game, 1, user_id=bob.user_id)).json()["user_id"] == bob.user_id
    unknown = await service.submit(server, game, 1, user_id=str(uuid4()))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "user_not_found")
    nonsense = await service.submit(server, game, 1, user_id="bob")
    assert (nonsense.status_code, nonsense.json()["code"]) == (422, "invalid")


async def test_ones_own_id_may_be_written_in_capitals(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    response = await service.submit(ada, game, 1, user_id=ada.user_id.upper())
    assert response.json()["user_id"] == ada.user_id


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic YTpi", "Bearer " + "x" * 9_000])
async def test_without_a_valid_token_nothing_is_taken(service: Any, world: Any, authorization: str | None) -> None:
    game, ada = await world.game(), await world.player()
    headers = {"content-type": "application/json"} | ({"authorization": authorization} if authorization else {})
    body = json.dumps({"user_id": ada.user_id, "game_id": game, "score": 1})
    response = await service.client.post("/api/v1/scores", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_an_expired_token_is_refused(service: Any, world: Any) -> None:
    game, ada = await world.game(), await world.player()
    ada.token = world.issuer.access_token(UUID(ada.user_id), valid_s=-60)
    assert (await service.submit(ada, game, 1)).status_code == 401


async def test_readiness_names_its_dependencies(service: Any) -> None:
    checks = (await service.client.get("/readyz")).json()["checks"]
    assert set(checks) == {"postgres", "durable", "redis"}
