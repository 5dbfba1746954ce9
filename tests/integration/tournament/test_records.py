"""Records that resources rule: what the operator may write, repair, adopt and withdraw."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from integration.tournament.world import World
from palio_kit.testing.issuer import Issuer
from palio_tournament.settlement import Settler


class Operator:
    """The operator's side of one tournament."""

    def __init__(self, client: httpx2.AsyncClient, issuer: Issuer) -> None:
        self.client = client
        self.id = str(uuid4())
        self.headers = {"palio-service-token": issuer.service_token("operator", "tournament")}
        now = datetime.now(UTC)
        self.body: dict[str, Any] = {
            "revision": 1, "owner": self.id, "source": "games/friday-cup", "name": "Friday Cup",
            "game_id": "space-race", "max_participants": 100, "prize_pool": 100, "currency": "coins",
            "start_time": (now - timedelta(minutes=1)).isoformat(), "end_time": (now + timedelta(hours=1)).isoformat(),
        }  # fmt: skip

    @property
    def path(self) -> str:
        return f"/internal/v1/tournaments/{self.id}/record"

    async def ask(self, **changes: Any) -> httpx2.Response:
        self.body |= changes
        return await self.client.put(self.path, json=self.body, headers=self.headers)

    async def put(self, **changes: Any) -> dict[str, Any]:
        answer = await self.ask(**changes)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def get(self) -> dict[str, Any]:
        answer = await self.client.get(self.path, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def withdraw(self, *, purge: bool = False) -> None:
        answer = await self.client.delete(
            self.path, params={"owner": self.body["owner"], "purge": str(purge).lower()}, headers=self.headers
        )
        assert answer.status_code == 204, answer.text


@pytest.fixture
def operator(client: httpx2.AsyncClient, service_issuer: Issuer) -> Operator:
    return Operator(client, service_issuer)


async def test_a_record_is_written_once_however_often_it_is_put(operator: Operator, world: World) -> None:
    answers = await asyncio.gather(*(operator.put() for _ in range(5)))
    assert sorted(answer["changed"] for answer in answers) == [False] * 4 + [True]
    record = await operator.get()
    assert (record["phase"], record["revision"], record["split_by_default"]) == ("Active", 1, True)
    assert (await world.get(f"/tournaments/{operator.id}"))["name"] == "Friday Cup"


async def test_only_the_operator_may_ask(operator: Operator, service_issuer: Issuer) -> None:
    operator.headers = {"palio-service-token": service_issuer.service_token("gateway", "tournament")}
    assert (await operator.ask()).status_code == 403
    operator.headers = {}
    assert (await operator.ask()).status_code == 401


async def test_an_older_revision_changes_nothing(operator: Operator) -> None:
    await operator.put(revision=3, name="Third")
    answer = await operator.put(revision=2, name="Second")
    assert (answer["changed"], answer["record"]["name"], answer["record"]["revision"]) == (False, "Third", 3)


async def test_a_row_edited_by_hand_is_repaired_by_the_same_revision(operator: Operator, world: World) -> None:
    await operator.put()
    await world.owner.execute(
        "UPDATE tournament.tournaments SET ends_at = ends_at + interval '1 day', settles_at = settles_at + "
        "interval '1 day' WHERE id = $1", UUID(operator.id),
    )  # fmt: skip
    await world.owner.execute("UPDATE tournament.prizes SET amount = 7 WHERE tournament_id = $1", UUID(operator.id))
    assert (await operator.get())["split_by_default"] is False
    answer = await operator.put()
    assert (answer["repaired"], answer["record"]["split_by_default"]) == (True, True)
    assert answer["record"]["end_time"][:19] == operator.body["end_time"][:19]
    assert (await operator.put())["repaired"] is False


async def test_a_running_tournament_may_end_later_and_nothing_else(operator: Operator) -> None:
    await operator.put()
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    refused = await operator.ask(revision=2, prize_pool=5, end_time=later)
    assert (refused.status_code, refused.json()["code"]) == (409, "tournament_frozen")
    pointers = {error["pointer"] for error in refused.json()["errors"]}
    assert pointers == {"/prize_pool", "/prizes"}
    assert (await operator.get())["revision"] == 1
    answer = await operator.put(revision=3, prize_pool=100)
    assert answer["record"]["revision"] == 3
    sooner = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert (await operator.ask(revision=4, end_time=sooner)).status_code == 409


async def test_before_the_start_rules_may_change_but_not_the_scoring(operator: Operator) -> None:
    start = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    await operator.put(start_time=start)
    answer = await operator.put(revision=2, prize_pool=900, max_participants=7, name="Saturday Cup")
    assert [prize["amount"] for prize in answer["record"]["prizes"]] == [450, 270, 180]
    assert (await operator.ask(revision=3, ties="Shared")).status_code == 409


async def test_what_begins_in_the_past_of_its_own_end_is_refused(operator: Operator) -> None:
    answer = await operator.ask(end_time=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/end_time")


async def test_a_suspended_tournament_takes_no_scores_and_is_not_settled(
    operator: Operator, world: World, settler: Settler
) -> None:
    await operator.put()
    windows = "SELECT count(*) FROM tournament.open_windows_v1 WHERE tournament_id = $1"
    assert await world.owner.fetchval(windows, UUID(operator.id)) == 1
    assert (await operator.put(desired_state="Suspended"))["record"]["state"] == "suspended"
    assert await world.owner.fetchval(windows, UUID(operator.id)) == 0
    await world.over({"id": operator.id})
    assert await settler.settle_locked([UUID(operator.id)]) == []
    await world.owner.execute("UPDATE tournament.tournaments SET state = 'open' WHERE id = $1", UUID(operator.id))
    assert (await settler.settle(UUID(operator.id))).changed


async def test_cancelled_stays_cancelled(operator: Operator) -> None:
    assert (await operator.put(desired_state="Cancelled"))["record"]["phase"] == "Cancelled"
    assert (await operator.put(desired_state="Active", revision=2))["record"]["phase"] == "Cancelled"


async def test_a_withdrawn_record_is_adopted_only_by_its_namesake(operator: Operator) -> None:
    await operator.put(revision=5)
    await operator.withdraw()
    await operator.withdraw()
    assert (await operator.get())["state"] == "withdrawn"
    newcomer = {"owner": str(uuid4()), "revision": 1}
    refused = await operator.ask(**newcomer)
    assert (refused.status_code, refused.json()["code"]) == (409, "record_of_another")
    assert (await operator.ask(**newcomer, adopt=True, source="games/other-cup")).status_code == 409
    answer = await operator.put(**newcomer, adopt=True, source="games/friday-cup")
    assert (answer["record"]["phase"], answer["record"]["revision"], answer["repaired"]) == ("Active", 1, False)


async def test_a_record_that_is_not_there_is_not_adopted(operator: Operator) -> None:
    answer = await operator.ask(adopt=True)
    assert (answer.status_code, answer.json()["code"]) == (404, "tournament_not_found")


async def test_what_was_made_over_rest_is_taken_over_only_from_the_platforms_own_namespace(
    operator: Operator, world: World
) -> None:
    operator.id = (await world.create())["id"]
    stranger = await operator.ask(adopt=True, source="games/thief", desired_state="Cancelled")
    assert (stranger.status_code, stranger.json()["code"]) == (409, "record_of_another")
    assert (await operator.get())["state"] == "open"
    assert (await operator.ask(source="palio/heir")).status_code == 409
    heir = await operator.ask(adopt=True, source="palio/heir")
    assert heir.json()["code"] == "tournament_frozen"  # it may, if it keeps to the rules that people play by


async def test_purging_removes_what_was_never_paid_and_hides_what_was(
    operator: Operator, world: World, settler: Settler
) -> None:
    await operator.put()
    await world.joined({"id": operator.id}, 2)
    await operator.withdraw(purge=True)
    left = await operator.client.get(operator.path, headers=operator.headers)
    assert (left.status_code, left.json()["code"]) == (404, "tournament_not_found")
    await operator.withdraw(purge=True)

    await operator.put()
    people = await world.joined({"id": operator.id}, 2)
    await world.score({"id": operator.id}, zip(people, (2, 1), strict=True))
    await world.over({"id": operator.id})
    await settler.settle(UUID(operator.id))
    record = await operator.get()
    assert (record["phase"], record["awards"], record["paid"]) == ("Completed", 2, 80)
    await operator.withdraw(purge=True)
    assert operator.id not in {item["id"] for item in (await world.get("/tournaments", limit=100))["items"]}
    assert len(await world.paid({"id": operator.id})) == 2


async def test_a_settled_record_whose_rules_were_edited_gets_back_what_it_was_paid_by(
    operator: Operator, world: World, settler: Settler
) -> None:
    await operator.put()
    await world.owner.execute(
        "UPDATE tournament.tournaments SET settles_at = clock_timestamp(), ends_at = clock_timestamp() WHERE id = $1",
        UUID(operator.id),
    )
    people = await world.joined({"id": operator.id}, 0)
    assert people == []
    await settler.settle(UUID(operator.id))
    await world.owner.execute("UPDATE tournament.prizes SET amount = 1 WHERE tournament_id = $1", UUID(operator.id))
    answer = await operator.put()
    assert answer["repaired"]
    assert answer["record"]["prizes"][0]["amount"] == 50
