"""A tournament that is over is paid exactly once, whatever happens in between."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from integration.tournament.world import World
from palio_kit.problems import OutcomeUnknown, Unavailable
from palio_kit.testing.waiting import eventually
from palio_tournament import store
from palio_tournament.errors import NotSettling, NotYetDue, TournamentNotFound
from palio_tournament.settlement import Settler


async def played(world: World, scores: tuple[int, ...] = (300, 100, 200, 200), **rules: Any) -> tuple[Any, list[Any]]:
    """A tournament that is over; its players in the order they joined."""
    tournament = await world.create(**rules)
    people = await world.joined(tournament, len(scores))
    await world.score(tournament, zip(people, scores, strict=True))
    await world.over(tournament)
    return tournament, people


async def test_the_best_three_share_the_pool_and_an_earlier_score_wins_a_tie(world: World, settler: Settler) -> None:
    tournament, (first, fourth, second, third) = await played(world)
    settled = await settler.settle(UUID(tournament["id"]))
    assert (settled.changed, settled.awards, settled.paid, settled.unclaimed) == (True, 3, 100, 0)
    assert await world.paid(tournament) == {first.id: 50, second.id: 30, third.id: 20}
    told = await world.now(tournament)
    assert (told["phase"], told["standings_digest"]) == ("Completed", settled.standings_digest)
    standings = await world.get(f"/tournaments/{tournament['id']}/standings")
    assert [(row["rank"], row["user_id"]) for row in standings["items"]] == [
        (1, str(first.id)), (2, str(second.id)), (3, str(third.id)), (4, str(fourth.id)),
    ]  # fmt: skip
    assert standings["final"] is True


async def test_shared_ties_pool_their_prizes(world: World, settler: Settler) -> None:
    tournament, (first, _, second, third) = await played(world, ties="Shared")
    await settler.settle(UUID(tournament["id"]))
    assert await world.paid(tournament) == {first.id: 50, second.id: 25, third.id: 25}
    prizes = await world.get(f"/tournaments/{tournament['id']}/prizes")
    assert [(prize["rank"], prize["prize_key"]) for prize in prizes["items"]] == [
        (1, "rank-1"), (2, "rank-2"), (2, "rank-2"),
    ]  # fmt: skip


async def test_lower_is_better_where_the_game_says_so(world: World, settler: Settler) -> None:
    tournament, people = await played(world, (30_000, 20_000, 40_000), game_id="canyon-time-trial")
    await settler.settle(UUID(tournament["id"]))
    assert await world.paid(tournament) == {people[1].id: 50, people[0].id: 30, people[2].id: 20}


async def test_what_nobody_won_stays_in_the_pool_and_is_reported(world: World, settler: Settler) -> None:
    tournament, people = await played(world, (5,))
    settled = await settler.settle(UUID(tournament["id"]))
    assert (settled.paid, settled.unclaimed) == (50, 50)
    assert (await world.get(f"/tournaments/{tournament['id']}/prizes"))["unclaimed"] == 50
    assert await world.paid(tournament) == {people[0].id: 50}


async def test_a_tournament_nobody_played_is_completed_without_payment(world: World, settler: Settler) -> None:
    tournament, _ = await played(world, ())
    settled = await settler.settle(UUID(tournament["id"]))
    assert (settled.changed, settled.awards, settled.unclaimed) == (True, 0, 100)


async def test_a_tournament_without_prizes_moves_no_money(world: World, settler: Settler) -> None:
    tournament, _ = await played(world, prize_pool=0)
    await settler.settle(UUID(tournament["id"]))
    assert await world.ledger(tournament) == []


async def test_a_second_run_changes_nothing_and_says_so(world: World, settler: Settler) -> None:
    tournament, _ = await played(world)
    first = await settler.settle(UUID(tournament["id"]))
    ledger = await world.ledger(tournament)
    again = await settler.settle(UUID(tournament["id"]))
    assert (first.changed, again.changed) == (True, False)
    assert (again.settled_at, again.standings_digest) == (first.settled_at, first.standings_digest)
    assert await world.ledger(tournament) == ledger


async def test_settlers_at_the_same_time_pay_once(world: World, settler: Settler) -> None:
    tournament, _ = await played(world)
    async with world.owner.transaction():
        await world.owner.execute("SELECT FROM tournament.tournaments WHERE id = $1 FOR UPDATE", UUID(tournament["id"]))
        settlers = [asyncio.create_task(settler.settle(UUID(tournament["id"]))) for _ in range(4)]

        async def all_wait() -> bool:
            await world.owner.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees one moment otherwise
            waiting = "wait_event_type = 'Lock' AND datname = current_database()"
            count = await world.owner.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}")
            return bool(count == len(settlers))

        await eventually(all_wait)
    settled = await asyncio.gather(*settlers)
    assert sorted(one.changed for one in settled) == [False, False, False, True]
    assert len({one.standings_digest for one in settled}) == 1
    assert sum((await world.paid(tournament)).values()) == 100


@pytest.mark.parametrize("step", ["freeze_standings", "_pay", "complete"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_settler_killed_at_any_step_leaves_nothing_and_the_next_one_pays(
    world: World, settler: Settler, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    tournament, _ = await played(world)
    original = getattr(store, step)

    async def killed(connection: Any, *arguments: Any) -> None:
        if when == "after":
            await original(connection, *arguments)
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        await world.owner.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        if when == "before":
            await original(connection, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(store, step, killed)
        with pytest.raises(Unavailable) as caught:
            await settler.settle(UUID(tournament["id"]))
    assert isinstance(caught.value, OutcomeUnknown) == ((step, when) == ("complete", "after"))
    assert await world.ledger(tournament) == []
    assert (await world.now(tournament))["phase"] == "Settling"
    assert (await settler.settle(UUID(tournament["id"]))).changed is True
    assert sum((await world.paid(tournament)).values()) == 100


async def test_a_settler_killed_after_its_commit_does_not_pay_twice(
    world: World, settler: Settler, monkeypatch: pytest.MonkeyPatch
) -> None:
    tournament, _ = await played(world)

    async def killed(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(store, "settlement", killed)
        with pytest.raises(asyncio.CancelledError):
            await settler.settle(UUID(tournament["id"]))
    assert (await settler.settle(UUID(tournament["id"]))).changed is False
    assert sum((await world.paid(tournament)).values()) == 100


async def test_settlement_waits_for_a_score_that_is_still_being_committed(
    world: World, settler: Settler, owner_dsn: str
) -> None:
    tournament, people = await played(world)
    score = await asyncpg.connect(owner_dsn)
    await score.execute("BEGIN")
    await score.execute("SELECT pg_advisory_xact_lock_shared(7461, 1)")
    settling = asyncio.create_task(settler.settle(UUID(tournament["id"])))
    done, _ = await asyncio.wait({settling}, timeout=0.7)
    assert not done
    await score.execute(
        "UPDATE score.standings SET score = 1000 WHERE board = $1 AND user_id = $2",
        store.board(UUID(tournament["id"])), people[1].id,
    )  # fmt: skip
    await score.execute("COMMIT")
    await score.close()
    await settling
    assert (await world.paid(tournament))[people[1].id] == 50


async def test_nothing_is_settled_before_its_time(world: World, settler: Settler) -> None:
    tournament = await world.create()
    for window in ({"starts_s": 5, "ends_s": 10}, {"starts_s": -5, "ends_s": 10}):
        await world.move(tournament, **window)
        with pytest.raises(NotYetDue):
            await settler.settle(UUID(tournament["id"]))
    await world.move(tournament, starts_s=-10, ends_s=-5, delay_s=60)
    assert (await world.now(tournament))["phase"] == "Settling"
    with pytest.raises(NotYetDue):
        await settler.settle(UUID(tournament["id"]))


async def test_a_cancelled_tournament_is_never_paid(world: World, settler: Settler) -> None:
    organiser = await world.person("organiser")
    tournament = await world.create(organiser)
    people = await world.joined(tournament, 1)
    await world.score(tournament, [(people[0], 1)])
    await world.over(tournament)
    answer = await world.client.post(f"/api/v1/tournaments/{tournament['id']}/cancel", headers=organiser.bearer)
    assert answer.status_code == 200
    with pytest.raises(NotSettling):
        await settler.settle(UUID(tournament["id"]))
    assert await settler.settle_locked([UUID(tournament["id"])]) == []


async def test_an_unknown_tournament_cannot_be_settled(settler: Settler) -> None:
    with pytest.raises(TournamentNotFound):
        await settler.settle(UUID(int=1))


async def test_only_those_who_joined_are_in_the_final_standings(world: World, settler: Settler) -> None:
    tournament, _ = await played(world, (1,))
    stranger = await world.person()
    await world.score(tournament, [(stranger, 99)])
    await settler.settle(UUID(tournament["id"]))
    assert stranger.id not in await world.paid(tournament)


async def test_the_record_verifies_until_somebody_touches_it(world: World, settler: Settler) -> None:
    tournament, people = await played(world)
    await settler.settle(UUID(tournament["id"]))
    assert (await settler.verify(UUID(tournament["id"]))).ok
    await world.owner.execute("UPDATE tournament.final_standings SET score = 1000 WHERE user_id = $1", people[1].id)
    verified = await settler.verify(UUID(tournament["id"]))
    assert (verified.ok, verified.digest_kept == verified.digest_found, verified.awards_match) == (False, False, True)


async def test_an_admin_takes_a_prize_back_once(world: World, settler: Settler) -> None:
    tournament, (winner, *_) = await played(world)
    await settler.settle(UUID(tournament["id"]))
    prizes = (await world.get(f"/tournaments/{tournament['id']}/prizes"))["items"]
    path = f"/api/v1/tournaments/{tournament['id']}/prizes/{prizes[0]['transfer_id']}/reverse"
    admin = await world.person("admin")
    assert (await world.client.post(path, headers=winner.bearer)).status_code == 403
    answers = await asyncio.gather(*(world.client.post(path, headers=admin.bearer) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert len({answer.json()["transfer_id"] for answer in answers}) == 1
    assert (await world.paid(tournament))[winner.id] == 0
    after = await world.get(f"/tournaments/{tournament['id']}/prizes")
    assert after["unclaimed"] == 50
    assert [bool(prize["reversed_at"]) for prize in after["items"]] == [True, False, False]
    assert (await settler.verify(UUID(tournament["id"]))).ok
    kept = await world.owner.fetch(
        "SELECT user_id FROM tournament.prizes_v1 WHERE tournament_id = $1", UUID(tournament["id"])
    )
    assert winner.id not in {row["user_id"] for row in kept}
    reversal = answers[0].json()["transfer_id"]
    path = f"/api/v1/tournaments/{tournament['id']}/prizes/{reversal}/reverse"
    assert (await world.client.post(path, headers=admin.bearer)).json()["code"] == "award_not_found"


async def test_the_wallet_tells_what_was_won_and_taken_back(world: World, settler: Settler) -> None:
    tournament, (winner, *_) = await played(world)
    second, _ = await played(world, (1,))
    await world.join(second, winner)
    await settler.settle(UUID(tournament["id"]))
    wallet = await world.get("/wallet", winner)
    assert wallet == {"balances": [{"currency": "coins", "amount": 50}], "entries_url": "/api/v1/wallet/entries"}
    entries = await world.get("/wallet/entries", winner)
    (entry,) = entries["items"]
    assert (entry["tournament_id"], entry["kind"], entry["amount"]) == (tournament["id"], "award", 50)
    assert entries["next_cursor"] is None
    nobody = await world.person()
    assert (await world.get("/wallet", nobody))["balances"] == []


async def test_settling_in_chunks_pays_every_row(
    world: World, settler: Settler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_ROWS_PER_INSERT", 2)
    monkeypatch.setattr(store, "_ROWS_PER_READ", 2)
    prizes = [{"rank_first": 1, "rank_last": 7, "amount": 10}]
    tournament, _ = await played(world, tuple(range(7)), prizes=prizes)
    assert (await settler.settle(UUID(tournament["id"]))).paid == 70
    assert (await settler.verify(UUID(tournament["id"]))).ok
