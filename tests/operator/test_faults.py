"""The whole operator against an API server that fails: dies in the middle, refuses, forgets, falls silent.

No cluster is needed: the API server is a small one of our own, the tournament service and its database are real.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import kopf
import pytest
from aiohttp import web
from kubernetes.aio import client

from palio_kit import postgres
from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually
from palio_operator.kube import Kubernetes
from palio_operator.resources import TOURNAMENT
from palio_operator.settings import Settings
from palio_operator.watching import Canary, Seen
from palio_tournament.settings import Settings as TournamentSettings
from palio_tournament.settings import for_settlement
from palio_tournament.settlement import Settler
from support.fake_cluster import FakeCluster, fake_cluster
from support.operator_stage import Stage, operating, stamp

Operate = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
async def fake() -> AsyncIterator[FakeCluster]:
    async with fake_cluster() as made:
        yield made


@pytest.fixture
def operate(fake: FakeCluster, tournament_service: str, tmp_path: Path, service_issuer: Issuer) -> Operate:
    identity = tmp_path / "identity" / "operator"
    service_issuer.write_identity(identity, "operator", ("tournament",))

    def start(**changes: Any) -> AbstractAsyncContextManager[None]:
        values: dict[str, Any] = {
            "tournament_url": tournament_service, "identity_dir": identity, "resync_s": 0.5, "deletion_grace_s": 2.0,
            "audit_s": 0.3, "stalled_after_s": 1.0, "kubernetes_timeout_s": 2.0,
        }  # fmt: skip
        login = kopf.ConnectionInfo(server=fake.url)
        return operating(Settings(**(values | changes)), client.Configuration(host=fake.url), login)

    return start


@pytest.fixture
async def stage(fake: FakeCluster, owner_dsn: str, make_settings: Any) -> AsyncIterator[Stage]:
    owner = await asyncpg.connect(owner_dsn)
    async with (
        client.ApiClient(client.Configuration(host=fake.url)) as api,
        postgres.connect(for_settlement(make_settings(TournamentSettings), 4)) as database,
    ):
        yield Stage(api, "games", owner, Settler(database))
    await owner.close()


async def finish(stage: Stage, name: str, tournament_id: str) -> None:
    """Pay what is due and see the end told."""
    await stage.job_of(tournament_id, name)
    await stage.pay(tournament_id)
    await stage.wait_for(name, phase="Completed", Succeeded="True/Completed")
    assert await stage.paid(tournament_id) == [50, 30, 20]


async def test_an_operator_killed_after_each_of_its_calls_still_pays_once(
    stage: Stage, operate: Operate, fake: FakeCluster
) -> None:
    tournament_id = await stage.apply("killed-cup", in_s=3600)
    for writes in range(1, 5):
        reached = asyncio.Event()
        left = [writes]

        def cut(request: web.Request, left: list[int] = left, reached: asyncio.Event = reached) -> int | None:
            if request.method in ("POST", "PATCH") and "tournaments" in request.path:
                left[0] -= 1
                if left[0] <= 0:
                    reached.set()
            return 500 if reached.is_set() else None  # to this operator the API server is dead from here on

        fake.fault = cut
        async with operate():
            await asyncio.wait({asyncio.create_task(reached.wait())}, timeout=2)
        fake.fault = lambda _: None
    async with operate():
        await stage.wait_for("killed-cup", RecordSynced="True/Synced", phase="Scheduled")
        now = datetime.now(UTC)
        await stage.patch(
            "killed-cup", {"spec": {"startTime": stamp(now), "endTime": stamp(now + timedelta(seconds=4))}}
        )
        await stage.wait_for("killed-cup", phase="Active")
        await stage.play(tournament_id)
        await finish(stage, "killed-cup", tournament_id)
    assert len([key for key in fake.objects if key[0] == "jobs"]) == 1


async def test_a_job_whose_creation_was_answered_by_an_error_is_found_and_not_made_twice(
    stage: Stage, operate: Operate, fake: FakeCluster
) -> None:
    fake.after = lambda request: 500 if request.method == "POST" and request.path.endswith("/jobs") else None
    async with operate():
        tournament_id = await stage.apply("lost-cup", lasts_s=8)
        await stage.wait_for("lost-cup", phase="Active")
        await stage.play(tournament_id)
        await finish(stage, "lost-cup", tournament_id)
    assert len([call for call in fake.calls if call[0] == "POST" and call[1].endswith("/jobs")]) == 1


async def test_a_third_of_the_calls_fails_and_the_tournament_still_ends(
    stage: Stage, operate: Operate, fake: FakeCluster
) -> None:
    async with operate():
        tournament_id = await stage.apply("flaky-cup", lasts_s=8)
        await stage.wait_for("flaky-cup", phase="Active")
        await stage.play(tournament_id)
        dice = random.Random(7)
        fake.fault = lambda request: 503 if "watch" not in request.query and dice.random() < 0.3 else None

        async def job_there() -> bool:
            return any(key[0] == "jobs" for key in fake.objects)

        await eventually(job_there, within_s=40)
        fake.fault = lambda _: None
        await finish(stage, "flaky-cup", tournament_id)


async def test_watches_that_end_are_taken_up_again(stage: Stage, operate: Operate, fake: FakeCluster) -> None:
    async with operate():
        await stage.apply("first-cup")
        await stage.wait_for("first-cup", phase="Active")
        fake.drop_watches()
        await stage.apply("second-cup")
        await stage.wait_for("second-cup", phase="Active")


async def test_a_conflict_on_the_status_is_no_harm(stage: Stage, operate: Operate, fake: FakeCluster) -> None:
    refusals = [3]

    def conflict(request: web.Request) -> int | None:
        if request.path.endswith("/status") and refusals[0]:
            refusals[0] -= 1
            return 409
        return None

    fake.fault = conflict
    async with operate():
        await stage.apply("clash-cup")
        await stage.wait_for("clash-cup", phase="Active")
    assert refusals == [0]


async def test_a_quiet_tournament_is_not_written_again_and_again(
    stage: Stage, operate: Operate, fake: FakeCluster
) -> None:
    async with operate():
        await stage.apply("quiet-cup")
        await stage.wait_for("quiet-cup", phase="Active")
        reads = [call for call in fake.calls if call[0] == "GET" and call[1].endswith("/quiet-cup")]
        writes = [call for call in fake.calls if call[0] in ("PATCH", "POST", "PUT")]

        async def looked_often() -> bool:
            again = [call for call in fake.calls if call[0] == "GET" and call[1].endswith("/quiet-cup")]
            return len(again) >= len(reads) + 4

        await eventually(looked_often)
        assert [call for call in fake.calls if call[0] in ("PATCH", "POST", "PUT")] == writes


async def test_a_watch_that_fell_silent_is_noticed_and_one_that_speaks_is_not(fake: FakeCluster) -> None:
    clock = [0.0]
    canary = Canary(180.0, clock=lambda: clock[0])
    old = {"uid": "a", "generation": 1}
    assert canary.saw(old, gone=False)
    assert not canary.saw(old, gone=False)
    assert canary.compare([Seen("a", "games", 1, False)]) == []
    assert canary.compare([Seen("a", "games", 2, False), Seen("b", "games", 1, False)]) != []
    clock[0] = 181.0
    canary.compare([Seen("a", "games", 2, False)])
    assert canary.stalled
    canary.saw({"uid": "a", "generation": 2}, gone=False)
    canary.compare([Seen("a", "games", 2, False)])
    assert not canary.stalled


async def test_a_change_that_never_came_through_the_watch_fails_the_canary(
    stage: Stage, operate: Operate, fake: FakeCluster
) -> None:
    async with operate(), client.ApiClient(client.Configuration(host=fake.url)) as api:
        await stage.apply("heard-cup")
        await stage.wait_for("heard-cup", phase="Active")
        fake.deaf = True
        await stage.patch("heard-cup", {"spec": {"desiredState": "Suspended"}})
        await stage.wait_for("heard-cup", Open="False/Suspended")  # its loop still looks
        canary = Canary(0.0)
        assert canary.compare(Seen.parse(one["metadata"]) for one in await Kubernetes(api, 2.0).resources(TOURNAMENT))
