"""Tournaments open, close and pay by themselves, all of them, whatever happens to one of them or to the sweeper."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from integration.tournament.world import World
from palio_kit import events, postgres, redis
from palio_kit.events import Envelope, Subscriber
from palio_kit.problems import Unavailable
from palio_kit.tasks import running
from palio_kit.testing.waiting import eventually
from palio_tournament import store
from palio_tournament.announcer import Announcer
from palio_tournament.app import create_app
from palio_tournament.domain import BadPrizes
from palio_tournament.settings import Settings, for_settlement
from palio_tournament.settlement import Settler
from palio_tournament.sweeper import Sweeper


@asynccontextmanager
async def hearing(settings: Settings) -> AsyncIterator[list[Envelope]]:
    """Every live event from now on."""
    heard: list[Envelope] = []

    async def lost() -> None:
        """Start over; these tests count what they heard."""

    subscriber = Subscriber(settings, heard.append, lost)

    async def connected() -> bool:
        return subscriber.connected

    async with running("hearing", subscriber.step):
        await eventually(connected)
        yield heard


@pytest.fixture
async def sweeper(make_settings: Any) -> AsyncIterator[Sweeper]:
    """One that is stepped by hand."""
    settings = make_settings(Settings)
    async with (
        postgres.connect(settings) as database,
        postgres.connect(for_settlement(settings, 2)) as settling,
        redis.connect(settings) as cache,
        events.publishing(cache) as publisher,
    ):
        announcer = Announcer(database, publisher)
        yield Sweeper(database, announcer, Settler(settling), settles=True, workers=2, batch=50, attempts_max=3)


async def over(world: World, *scores: int) -> dict[str, Any]:
    """A tournament whose settlement is due."""
    tournament = await world.create()
    people = await world.joined(tournament, len(scores))
    await world.score(tournament, zip(people, scores, strict=True))
    await world.over(tournament)
    return tournament


def changes(heard: list[Envelope], tournament: dict[str, Any]) -> list[str]:
    return [
        event.data["change"]
        for event in heard
        if event.kind == "tournament" and event.data["tournament"]["id"] == tournament["id"]
    ]


async def test_a_tournament_of_three_seconds_opens_closes_and_pays_by_itself(
    world: World, client_of: Any, make_settings: Any
) -> None:
    settings = make_settings(Settings)
    async with client_of(create_app, settings) as client, hearing(settings) as heard:
        world = World(client, world.owner, world.issuer)
        now = datetime.now(UTC)
        times: dict[str, Any] = {
            "start_time": (now + timedelta(seconds=1)).isoformat(),
            "end_time": (now + timedelta(seconds=3)).isoformat(),
        }
        tournament = await world.create(**times, settlement_delay_s=1)
        people = await world.joined(tournament, 3)
        await world.score(tournament, zip(people, (1, 3, 2), strict=True))

        async def completed() -> bool:
            return bool((await world.now(tournament))["phase"] == "Completed")

        await eventually(completed, within_s=15)

        async def told() -> bool:
            return changes(heard, tournament)[-1:] == ["settled"] and sum(e.kind == "prize" for e in heard) == 3

        await eventually(told)
        order = changes(heard, tournament)
        assert [change for change in order if change != "joined"] == ["created", "opened", "closed", "settled"]
        assert 1 <= order.count("joined") <= 3
        settled = heard[[e.data.get("change") for e in heard].index("settled")].data["tournament"]
        assert settled == await world.now(tournament)
        prizes = [event.data for event in heard if event.kind == "prize"]
        assert [(prize["rank"], prize["amount"], prize["user_id"]) for prize in prizes] == [
            (1, 50, str(people[1].id)), (2, 30, str(people[2].id)), (3, 20, str(people[0].id)),
        ]  # fmt: skip
        lag = datetime.fromisoformat(settled["settled_at"]) - datetime.fromisoformat(settled["settles_at"])
        assert timedelta(0) <= lag < timedelta(seconds=5)
        assert (await world.get("/wallet", people[1]))["balances"] == [{"currency": "coins", "amount": 50}]


async def test_what_was_missed_while_nobody_ran_is_done_at_the_next_step(world: World, sweeper: Sweeper) -> None:
    missed = [await over(world, 3, 2, 1) for _ in range(3)]
    await sweeper.step()
    assert [(await world.now(one))["phase"] for one in missed] == ["Completed"] * 3


async def test_a_phase_is_not_told_again_at_each_step(world: World, sweeper: Sweeper, make_settings: Any) -> None:
    async with hearing(make_settings(Settings)) as heard:
        tournament = await world.create()
        for _ in range(3):
            await sweeper.step()
        last = await world.create()
        await sweeper.step()

        async def told() -> bool:
            return "opened" in changes(heard, last)

        await eventually(told)
        assert Counter(changes(heard, tournament))["opened"] == 1


async def test_every_phase_is_told_once_even_by_two_sweepers(
    world: World, sweeper: Sweeper, make_settings: Any
) -> None:
    async with hearing(make_settings(Settings)) as heard:
        tournaments = [await over(world, 1) for _ in range(5)]
        for _ in range(3):
            await asyncio.gather(sweeper.step(), sweeper.step(), sweeper.step())

        async def told() -> bool:
            return all(changes(heard, one)[-1:] == ["settled"] for one in tournaments)

        await eventually(told)
        for one in tournaments:
            assert Counter(changes(heard, one))["settled"] == 1
            assert Counter(changes(heard, one))["closed"] <= 1


async def test_a_cancellation_is_told_at_once_and_without_a_sweeper(world: World, make_settings: Any) -> None:
    organiser = await world.person("organiser")
    async with hearing(make_settings(Settings)) as heard:
        tournament = await world.create(organiser)
        await world.client.post(f"/api/v1/tournaments/{tournament['id']}/cancel", headers=organiser.bearer)

        async def told() -> bool:
            return "cancelled" in changes(heard, tournament)

        await eventually(told, within_s=2)


async def test_one_bad_tournament_fails_alone_and_says_why(
    world: World, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = await over(world, 1), await over(world, 1)
    original = store.freeze_standings

    async def poisoned(connection: Any, ids: Any) -> None:
        if UUID(bad["id"]) in ids:
            raise BadPrizes("nobody can pay this")
        await original(connection, ids)

    monkeypatch.setattr(store, "freeze_standings", poisoned)
    for _ in range(4):
        await world.owner.execute("UPDATE tournament.tournaments SET retry_at = NULL")
        await sweeper.step()
    assert (await world.now(good))["phase"] == "Completed"
    assert (await world.now(bad))["phase"] == "Failed"
    row = await world.owner.fetchrow(
        "SELECT failure, settle_attempts FROM tournament.tournaments WHERE id = $1", UUID(bad["id"])
    )
    assert "nobody can pay this" in row["failure"]
    assert row["settle_attempts"] == 3
    monkeypatch.undo()
    assert await sweeper.settler.reopen(UUID(bad["id"]))
    await sweeper.step()
    assert (await world.now(bad))["phase"] == "Completed"


async def test_a_database_in_trouble_fails_no_tournament(
    world: World, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    tournament = await over(world, 1)

    async def away(*_: Any) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(store, "freeze_standings", away)
        for _ in range(5):
            await sweeper.step()
    assert (await world.now(tournament))["phase"] == "Settling"
    await sweeper.step()
    assert (await world.now(tournament))["phase"] == "Completed"


async def test_where_an_operator_settles_the_service_only_announces(world: World, sweeper: Sweeper) -> None:
    watching = Sweeper(
        sweeper.database, sweeper.announcer, sweeper.settler, settles=False, workers=1, batch=1, attempts_max=1
    )
    tournament = await over(world, 1)
    assert 0 < await watching.step() <= 1
    assert (await world.now(tournament))["phase"] == "Settling"
