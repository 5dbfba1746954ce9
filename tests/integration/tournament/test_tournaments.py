"""Creating, finding and cancelling tournaments, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from integration.tournament.world import World

SHAPE = {
    "id", "name", "game_id", "format", "keep", "order", "ties", "phase", "start_time", "end_time", "settles_at",
    "entry", "max_participants", "participants", "prize_pool", "currency", "prizes", "created_by", "created_at",
    "standings_digest", "settled_at",
}  # fmt: skip


async def test_the_six_documented_fields_are_enough(world: World) -> None:
    organiser = await world.person("organiser")
    tournament = await world.create(organiser, prize_pool=101)
    assert set(tournament) == SHAPE
    assert tournament["prizes"] == [
        {"key": "rank-1", "rank_first": 1, "rank_last": 1, "amount": 51},
        {"key": "rank-2", "rank_first": 2, "rank_last": 2, "amount": 30},
        {"key": "rank-3", "rank_first": 3, "rank_last": 3, "amount": 20},
    ]
    defaulted = ("keep", "order", "ties", "phase", "entry", "participants", "currency")
    assert {key: tournament[key] for key in defaulted} == {
        "keep": "best", "order": "desc", "ties": "EarliestAchieved", "phase": "Active", "entry": "UntilEnd",
        "participants": 0, "currency": "coins",
    }  # fmt: skip
    assert tournament["created_by"] == str(organiser.id)
    ends, settles = (datetime.fromisoformat(tournament[key]) for key in ("end_time", "settles_at"))
    assert settles - ends == timedelta(seconds=2)
    assert tournament["end_time"].endswith("Z")
    assert await world.now(tournament) == tournament


async def test_keep_and_order_come_from_the_game_unless_said_otherwise(world: World) -> None:
    trial = await world.create(game_id="canyon-time-trial")
    festival = await world.create(game_id="harvest-festival", keep="last", order="asc")
    assert (trial["keep"], trial["order"]) == ("best", "asc")
    assert (festival["keep"], festival["order"]) == ("last", "asc")


async def test_everything_can_be_chosen(world: World) -> None:
    prizes = [
        {"rank_first": 2, "rank_last": 4, "amount": 10},
        {"rank_first": 1, "rank_last": 1, "amount": 70, "key": "cup"},
    ]
    tournament = await world.create(
        ties="Shared", entry="UntilStart", prizes=prizes, settlement_delay_s=0, currency="gems", keep="sum",
        prize_pool=2**53 - 1, max_participants=1_000_000,
    )  # fmt: skip
    assert tournament["prizes"] == [
        {"key": "cup", "rank_first": 1, "rank_last": 1, "amount": 70},
        {"key": "rank-2-4", "rank_first": 2, "rank_last": 4, "amount": 10},
    ]
    assert (tournament["prize_pool"], tournament["currency"]) == (2**53 - 1, "gems")
    assert tournament["settles_at"] == tournament["end_time"]


async def test_players_may_not_create_and_strangers_are_asked_who_they_are(world: World) -> None:
    assert (await world.ask_to_create(await world.person())).status_code == 403
    assert (await world.client.post("/api/v1/tournaments", json={})).status_code == 401
    assert (await world.ask_to_create(await world.person("admin"))).status_code == 201


def soon(**offset: float) -> str:
    return (datetime.now(UTC) + timedelta(**offset)).isoformat()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ...}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 81}, "/name"),
        ({"name": "a\u0000b"}, "/name"),
        ({"name": " padded"}, "/name"),
        ({"game_id": "Not A Slug"}, "/game_id"),
        ({"unknown": 1}, "/unknown"),
        ({"max_participants": 1}, "/max_participants"),
        ({"max_participants": 1_000_001}, "/max_participants"),
        ({"max_participants": True}, "/max_participants"),
        ({"max_participants": "10"}, "/max_participants"),
        ({"max_participants": 10.0}, "/max_participants"),
        ({"prize_pool": -1}, "/prize_pool"),
        ({"prize_pool": 2**53}, "/prize_pool"),
        ({"prize_pool": 2**63}, "/prize_pool"),
        ({"start_time": "2026-01-01T00:00:00"}, "/start_time"),
        ({"end_time": "2999-01-01T00:00:00"}, "/end_time"),
        ({"end_time": "2999-01-01T00:00:00Z"}, "/end_time"),
        ({"end_time": 4_000_000_000}, "/end_time"),
        ({"end_time": "4000000000"}, "/end_time"),
        ({"start_time": "0001-01-01T00:00:00+14:00"}, "/start_time"),
        ({"end_time": "9999-12-31T23:59:59-12:00"}, "/end_time"),
        ({"end_time": "yesterday"}, "/end_time"),
        ({"start_time": soon(days=-2), "end_time": soon(days=-1)}, "/end_time"),
        ({"start_time": soon(days=2), "end_time": soon(days=1)}, "/end_time"),
        ({"keep": "worst"}, "/keep"),
        ({"order": "up"}, "/order"),
        ({"ties": "Random"}, "/ties"),
        ({"entry": "Never"}, "/entry"),
        ({"currency": "COINS!"}, "/currency"),
        ({"settlement_delay_s": -1}, "/settlement_delay_s"),
        ({"settlement_delay_s": 86_401}, "/settlement_delay_s"),
        ({"prizes": [{"rank_first": 1, "rank_last": 1, "amount": 101}]}, "/prizes"),
        ({"prizes": [{"rank_first": 1, "rank_last": 11, "amount": 10}]}, "/prizes"),
        ({"prizes": [{"rank_first": 2, "rank_last": 1, "amount": 1}]}, "/prizes"),
        ({"prizes": [{"rank_first": 1, "rank_last": 3, "amount": 1}, {"rank_first": 3, "rank_last": 4, "amount": 1}]},
         "/prizes"),
        ({"prizes": [{"rank_first": 0, "rank_last": 1, "amount": 1}]}, "/prizes/0/rank_first"),
        ({"prizes": [{"rank_first": 1, "rank_last": 1, "amount": 0}]}, "/prizes/0/amount"),
        ({"prizes": [{"rank_first": 1, "rank_last": 1, "amount": 1, "key": "A key"}]}, "/prizes/0/key"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_pointed_at(world: World, changes: dict[str, Any], pointer: str) -> None:
    answer = await world.ask_to_create(await world.person("organiser"), **changes)
    assert answer.status_code == 422, answer.text
    assert {error["pointer"] for error in answer.json()["errors"]} == {pointer}


async def test_the_game_must_exist(world: World) -> None:
    answer = await world.ask_to_create(await world.person("organiser"), game_id="no-such-game")
    assert (answer.status_code, answer.json()["code"]) == (404, "game_not_found")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/game_id"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "1e2", "1.5"])
async def test_odd_numbers_are_no_server_errors(world: World, number: str) -> None:
    organiser = await world.person("organiser")
    body = json.dumps({"name": "x", "prize_pool": "NUMBER"}).replace('"NUMBER"', number)
    headers = organiser.bearer | {"content-type": "application/json"}
    answer = await world.client.post("/api/v1/tournaments", content=body, headers=headers)
    assert answer.status_code in (400, 422)


async def test_a_key_creates_one_tournament(world: World) -> None:
    organiser = await world.person("organiser")
    body: dict[str, Any] = {"name": "Keyed", "start_time": soon(hours=1), "end_time": soon(hours=2)}
    headers = {"idempotency-key": "create-0123456789abcdef"}
    first = await world.ask_to_create(organiser, headers=headers, **body)
    again = await world.ask_to_create(organiser, headers=headers, **body)
    assert again.content == first.content
    other = await world.ask_to_create(organiser, headers=headers, **(body | {"name": "Other"}))
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_lists_are_newest_first_and_filtered(world: World) -> None:
    made = [await world.create(game_id="neon-arena", name=f"Cup {number}") for number in range(5)]
    await world.over(made[0])
    page = await world.get("/tournaments", game_id="neon-arena", limit=2)
    assert [one["id"] for one in page["items"]] == [made[4]["id"], made[3]["id"]]
    rest = await world.get("/tournaments", game_id="neon-arena", limit=100, cursor=page["next_cursor"])
    assert [one["id"] for one in rest["items"]] == [made[2]["id"], made[1]["id"], made[0]["id"]]
    assert rest["next_cursor"] is None
    active = await world.get("/tournaments", game_id="neon-arena", phase="Active")
    assert made[0]["id"] not in {one["id"] for one in active["items"]}
    assert [
        one["id"] for one in (await world.get("/tournaments", game_id="neon-arena", phase="Settling"))["items"]
    ] == [made[0]["id"]]


BAD_PAGES = [
    ({"limit": 0}, 422), ({"limit": 101}, 422), ({"limit": "x"}, 422), ({"cursor": "nonsense"}, 400),
    ({"cursor": "kgEC"}, 400), ({"cursor": "k" * 513}, 422), ({"cursor": "ks8AAAAAAAAAAaB4"}, 400),
    ({"cursor": "\u0000"}, 400),
]  # fmt: skip
BAD_FILTERS = [({"phase": "Never"}, 422), ({"game_id": "A B"}, 422)]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        *(("/tournaments", *case) for case in BAD_PAGES + BAD_FILTERS),
        *(("/tournaments/{id}/standings", *case) for case in BAD_PAGES),
        *(("/tournaments/{id}/prizes", *case) for case in BAD_PAGES),
        *(("/wallet/entries", *case) for case in BAD_PAGES),
    ],
)
async def test_bad_queries_are_refused(world: World, path: str, query: dict[str, Any], status: int) -> None:
    somebody = await world.person("organiser")
    tournament = await world.create(somebody)
    url = f"/api/v1{path.format(**tournament)}"
    answer = await world.client.get(url, params=query, headers=somebody.bearer)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("part", ["", "/standings", "/prizes"])
async def test_unknown_and_malformed_ids(world: World, part: str) -> None:
    assert (await world.client.get(f"/api/v1/tournaments/{UUID(int=9)}{part}")).status_code == 404
    assert (await world.client.get(f"/api/v1/tournaments/not-an-id{part}")).status_code == 422


async def test_phases_follow_the_database_clock(world: World) -> None:
    tournament = await world.create()
    for window, phase in (
        ({"starts_s": 5, "ends_s": 10}, "Scheduled"),
        ({"starts_s": 0, "ends_s": 10}, "Active"),
        ({"starts_s": -5, "ends_s": 10}, "Active"),
        ({"starts_s": -5, "ends_s": 0}, "Settling"),
    ):
        await world.move(tournament, **window)
        assert (await world.now(tournament))["phase"] == phase


async def test_the_window_is_closed_at_its_start_and_open_at_its_end(world: World) -> None:
    phase = "SELECT tournament.phase('open', '2026-01-01Z', '2026-01-02Z', $1::timestamptz)"
    moments = {"2025-12-31T23:59:59.999999": "Scheduled", "2026-01-01T00:00:00": "Active",
               "2026-01-01T23:59:59.999999": "Active", "2026-01-02T00:00:00": "Settling"}  # fmt: skip
    for moment, expected in moments.items():
        assert await world.owner.fetchval(phase, datetime.fromisoformat(moment).replace(tzinfo=UTC)) == expected


async def test_its_creator_and_admins_cancel_and_nobody_else(world: World) -> None:
    organiser = await world.person("organiser")
    tournament = await world.create(organiser)
    path = f"/api/v1/tournaments/{tournament['id']}/cancel"
    assert (await world.client.post(path)).status_code == 401
    assert (await world.client.post(path, headers=(await world.person("organiser")).bearer)).status_code == 403
    cancelled = await world.client.post(path, headers=organiser.bearer)
    again = await world.client.post(path, headers=(await world.person("admin")).bearer)
    assert (cancelled.status_code, cancelled.json()["phase"]) == (200, "Cancelled")
    assert again.json() == cancelled.json()
    assert (await world.join(tournament, await world.person())).json()["code"] == "tournament_closed"
    windows = "SELECT count(*) FROM tournament.open_windows_v1 WHERE tournament_id = $1"
    assert await world.owner.fetchval(windows, UUID(tournament["id"])) == 0


async def test_a_settled_tournament_cannot_be_cancelled(world: World, settler: Any) -> None:
    organiser = await world.person("organiser")
    tournament = await world.create(organiser)
    await world.over(tournament)
    await settler.settle(UUID(tournament["id"]))
    answer = await world.client.post(f"/api/v1/tournaments/{tournament['id']}/cancel", headers=organiser.bearer)
    assert (answer.status_code, answer.json()["code"]) == (409, "tournament_settled")


@pytest.mark.parametrize("ties", ["EarliestAchieved", "Shared"])
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_live_pages_and_frozen_pages_tell_the_same_ranks(
    world: World, settler: Any, ties: str, order: str
) -> None:
    tournament = await world.create(ties=ties, order=order)
    scores = (5, 3, 5, 5, 1, 3, 9)
    people = await world.joined(tournament, len(scores))
    path = f"/tournaments/{tournament['id']}/standings"
    assert (await world.get(path))["items"] == []
    await world.score(tournament, zip(people, scores, strict=True))

    async def pages(limit: int, cursor: str | None = None) -> list[Any]:
        after: dict[str, Any] = {"cursor": cursor} if cursor else {}
        page = await world.get(path, limit=limit, **after)
        rest = await pages(limit, page["next_cursor"]) if page["next_cursor"] else []
        return [*page["items"], *rest]

    sign = 1 if order == "asc" else -1
    positions = sorted(range(len(scores)), key=lambda at: (sign * scores[at], at))
    ranks = [1 + sum(sign * other < sign * scores[at] for other in scores) for at in positions]
    expected = ranks if ties == "Shared" else list(range(1, len(scores) + 1))
    live = [await pages(limit) for limit in (1, 2, 3, 100)]
    assert [[row["rank"] for row in rows] for rows in live] == [expected] * 4
    assert [row["user_id"] for row in live[0]] == [str(people[at].id) for at in positions]
    assert live[0][0]["username"] == people[positions[0]].username
    middle = (await world.get(path, limit=3))["next_cursor"]
    await world.over(tournament)
    await settler.settle(UUID(tournament["id"]))
    assert [await pages(limit) for limit in (1, 2, 3, 100)] == live
    assert await pages(100, middle) == live[0][3:]


async def test_erased_players_keep_their_rank_and_lose_their_name(world: World, settler: Any) -> None:
    tournament = await world.create()
    (person,) = await world.joined(tournament, 1)
    await world.score(tournament, [(person, 3)])
    await world.over(tournament)
    await settler.settle(UUID(tournament["id"]))
    await world.owner.execute(
        "UPDATE users.accounts SET deleted_at = now(), username = NULL, email = NULL, password_hash = NULL, "
        "roles = '{}' WHERE user_id = $1",
        person.id,
    )
    assert [row["username"] for row in (await world.get(f"/tournaments/{tournament['id']}/standings"))["items"]] == [
        "Deleted player"
    ]
    assert (await settler.verify(UUID(tournament["id"]))).ok
