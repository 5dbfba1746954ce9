"""Who gets a place: capacity, the clock, oneself."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from integration.tournament.world import Person, World
from palio_kit.testing.waiting import eventually
from support.erasing import erase


async def test_two_hundred_joins_on_a_hundred_places_give_exactly_a_hundred(world: World) -> None:
    tournament = await world.create(max_participants=100)
    people = [await world.person() for _ in range(200)]

    async def insist(person: Person) -> Any:
        """Join as a client does: a 503 says that nothing happened and when to come again."""
        for _ in range(20):
            answer = await world.join(tournament, person)
            if answer.status_code != 503:
                break
            assert answer.json()["code"] == "unavailable"
            await asyncio.sleep(int(answer.headers["retry-after"]))
        return answer

    answers = await asyncio.gather(*(insist(person) for person in people))
    assert Counter(answer.status_code for answer in answers) == {201: 100, 409: 100}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"tournament_full"}
    assert (await world.now(tournament))["participants"] == 100
    entries = "SELECT count(*) FROM tournament.entries_v1 WHERE tournament_id = $1"
    assert await world.owner.fetchval(entries, UUID(tournament["id"])) == 100


async def test_joining_again_answers_the_same_entry(world: World) -> None:
    tournament = await world.create()
    person = await world.person()
    answers = await asyncio.gather(*(world.join(tournament, person) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.text for answer in answers}) == 1
    assert (await world.now(tournament))["participants"] == 1


async def test_a_full_tournament_still_answers_those_who_are_in(world: World) -> None:
    tournament = await world.create(max_participants=2)
    people = await world.joined(tournament, 2)
    assert (await world.join(tournament, people[0])).status_code == 200


async def test_a_key_replays_the_join_byte_for_byte(world: World) -> None:
    tournament = await world.create()
    person = await world.person()
    key = {"idempotency-key": "join-0123456789abcdef"}
    first = await world.join(tournament, person, **key)
    again = await world.join(tournament, person, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    other = await world.create()
    assert (await world.join(other, person, **key)).json()["code"] == "idempotency_key_reused"


async def test_entry_closes_with_the_end_by_the_database_clock(world: World) -> None:
    tournament = await world.create()
    person = await world.person()
    await world.over(tournament)
    refused = await world.join(tournament, person)
    assert (refused.status_code, refused.json()["code"]) == (409, "tournament_closed")
    await world.move(tournament, starts_s=-1, ends_s=5)
    assert (await world.join(tournament, person)).status_code == 201


async def test_entry_until_start_closes_with_the_start(world: World) -> None:
    tournament = await world.create(entry="UntilStart")
    early, late = await world.person(), await world.person()
    await world.move(tournament, starts_s=5, ends_s=10)
    assert (await world.join(tournament, early)).status_code == 201
    await world.move(tournament, starts_s=-1, ends_s=10)
    assert (await world.join(tournament, late)).json()["code"] == "tournament_closed"


async def test_one_cannot_enter_somebody_else_but_a_server_can(world: World) -> None:
    tournament = await world.create()
    victim, stranger, server = await world.person(), await world.person(), await world.person("server")
    body = {"tournament_id": tournament["id"], "user_id": str(victim.id)}
    refused = await world.client.post("/api/v1/tournaments/register", json=body, headers=stranger.bearer)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_yourself")
    entered = await world.client.post("/api/v1/tournaments/register", json=body, headers=server.bearer)
    assert (entered.status_code, entered.json()["user_id"]) == (201, str(victim.id))
    nobody = body | {"user_id": str(UUID(int=7))}
    refused = await world.client.post("/api/v1/tournaments/register", json=nobody, headers=server.bearer)
    assert (refused.status_code, refused.json()["code"]) == (404, "user_not_found")


async def test_one_may_leave_until_the_start(world: World) -> None:
    tournament = await world.create()
    await world.move(tournament, starts_s=5, ends_s=10)
    person = await world.person()
    path = f"/api/v1/tournaments/{tournament['id']}/entries/{person.id}"
    assert (await world.client.delete(path, headers=person.bearer)).json()["code"] == "not_entered"
    await world.join(tournament, person)
    assert (await world.client.delete(path, headers=person.bearer)).status_code == 204
    assert (await world.now(tournament))["participants"] == 0
    await world.join(tournament, person)
    await world.move(tournament, starts_s=-1, ends_s=10)
    assert (await world.client.delete(path, headers=person.bearer)).json()["code"] == "tournament_closed"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"user_id": ...}, 422, "invalid"),
        ({"tournament_id": "nonsense"}, 422, "invalid"),
        ({"tournament_id": 7}, 422, "invalid"),
        ({"extra": 1}, 422, "invalid"),
        ({"tournament_id": str(UUID(int=1))}, 404, "tournament_not_found"),
    ],
)
async def test_bad_joins_are_told_what_is_wrong(world: World, body: dict[str, Any], status: int, code: str) -> None:
    person = await world.person()
    whole = {"tournament_id": str(UUID(int=1)), "user_id": str(person.id)} | body
    sent = {key: value for key, value in whole.items() if value is not ...}
    answer = await world.client.post("/api/v1/tournaments/register", json=sent, headers=person.bearer)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_erased_players_token_neither_joins_nor_creates(world: World) -> None:
    tournament = await world.create()
    person, other = await world.person("organiser"), await world.person()
    await world.create(person)
    await erase(world.owner, person.id)

    async def refused() -> bool:
        return (await world.ask_to_create(person)).status_code == 401

    await eventually(refused, within_s=3)
    assert (await world.join(tournament, person)).json()["code"] == "unauthorized"
    assert (await world.join(tournament, other)).status_code == 201
    entries = "SELECT count(*) FROM tournament.entries WHERE user_id = $1"
    assert await world.owner.fetchval(entries, person.id) == 0
