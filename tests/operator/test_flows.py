"""A tournament's life as a resource, and what may come between: each ends in one ledger and true conditions."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from palio_kit.testing.waiting import eventually
from support.operator_stage import Stage


async def test_a_tournament_opens_closes_pays_and_tells(stage: Stage, operate: Callable[..., Any]) -> None:
    async with operate():
        tournament_id = await stage.apply("friday-cup", in_s=3, lasts_s=10)
        told = await stage.wait_for("friday-cup", phase="Scheduled", Accepted="True/Valid", Ready="True/Reconciled")
        assert (told["Open"], told["Succeeded"]) == ("False/NotStarted", "Unknown/InProgress")
        await stage.wait_for("friday-cup", phase="Active", Open="True/WithinWindow")
        await stage.play(tournament_id)
        await stage.wait_for("friday-cup", Open="False/Ended")
        job = await stage.job_of(tournament_id, "friday-cup")
        assert job["metadata"]["ownerReferences"][0]["uid"] == tournament_id
        await stage.wait_for("friday-cup", PrizesAwarded="Unknown/JobRunning", phase="Settling")
        assert await stage.paid(tournament_id) == []
        await stage.pay(tournament_id)
        await stage.wait_for("friday-cup", phase="Completed", Succeeded="True/Completed", PrizesAwarded="True/Awarded")
        assert await stage.paid(tournament_id) == [50, 30, 20]
        body = await stage.read("friday-cup")
        assert body is not None
        payout = body["status"]["payout"]
        kept = "SELECT standings_digest FROM tournament.tournaments WHERE id = $1"
        assert payout["standingsDigest"] == await stage.owner.fetchval(kept, UUID(tournament_id))
        assert (payout["prizesTotal"], payout["prizesAwarded"]) == (3, 3)
        posted = await stage.events("friday-cup")
        assert {"Opened", "Ended", "PayoutStarted", "Awarded"} <= set(posted)
        assert len(posted) == len(set(posted)), posted
        assert body["metadata"]["finalizers"] == ["palio.gg/cleanup"]


async def test_an_operator_that_slept_over_the_end_catches_up(stage: Stage, operate: Callable[..., Any]) -> None:
    async with operate():
        tournament_id = await stage.apply("night-cup", lasts_s=10)
        await stage.wait_for("night-cup", phase="Active")
        await stage.play(tournament_id)

    async def is_over() -> bool:
        over = "SELECT ends_at < clock_timestamp() FROM tournament.tournaments WHERE id = $1"
        return bool(await stage.owner.fetchval(over, UUID(tournament_id)))

    await eventually(is_over, within_s=20)
    async with operate():
        await stage.job_of(tournament_id, "night-cup")
        await stage.pay(tournament_id)
        await stage.wait_for("night-cup", phase="Completed", Succeeded="True/Completed")
    assert await stage.paid(tournament_id) == [50, 30, 20]


async def test_two_operators_at_once_make_one_job_and_one_ledger(stage: Stage, operate: Callable[..., Any]) -> None:
    async with operate(), operate():
        tournament_id = await stage.apply("twin-cup", lasts_s=10)
        await stage.wait_for("twin-cup", phase="Active")
        await stage.play(tournament_id)
        await stage.job_of(tournament_id, "twin-cup")
        await asyncio.gather(*(stage.pay(tournament_id) for _ in range(3)))
        await stage.wait_for("twin-cup", phase="Completed", Succeeded="True/Completed")
        listed = await stage.jobs.list_namespaced_job(stage.namespace)
        assert len(listed.items) == 1
    assert await stage.paid(tournament_id) == [50, 30, 20]


async def test_a_row_edited_by_hand_is_put_right_and_told(stage: Stage, operate: Callable[..., Any]) -> None:
    async with operate():
        tournament_id = await stage.apply("drift-cup")
        await stage.wait_for("drift-cup", phase="Active", RecordSynced="True/Synced")
        pool = "SELECT prize_pool FROM tournament.tournaments WHERE id = $1"
        await stage.owner.execute(
            "UPDATE tournament.tournaments SET prize_pool = 999 WHERE id = $1", UUID(tournament_id)
        )
        await stage.wait_for("drift-cup", RecordSynced="True/DriftCorrected")
        assert await stage.owner.fetchval(pool, UUID(tournament_id)) == 100
        assert "DriftCorrected" in await stage.events("drift-cup")


async def test_an_edit_that_comes_too_late_is_refused_and_the_tournament_goes_on(
    stage: Stage, operate: Callable[..., Any]
) -> None:
    async with operate():
        tournament_id = await stage.apply("late-cup", lasts_s=12)
        await stage.wait_for("late-cup", phase="Active")
        await stage.play(tournament_id)
        await stage.patch("late-cup", {"spec": {"prizePool": 5000}})
        told = await stage.wait_for("late-cup", Accepted="False/ImmutableFieldChanged")
        assert told["Open"] == "True/WithinWindow"
        await stage.job_of(tournament_id, "late-cup")
        await stage.pay(tournament_id)
        await stage.wait_for("late-cup", phase="Completed", Succeeded="True/Completed")
    assert await stage.paid(tournament_id) == [50, 30, 20]


async def test_suspending_closes_and_resuming_opens_and_cancelling_ends(
    stage: Stage, operate: Callable[..., Any]
) -> None:
    async with operate():
        tournament_id = await stage.apply("moody-cup")
        await stage.wait_for("moody-cup", Open="True/WithinWindow")
        await stage.patch("moody-cup", {"spec": {"desiredState": "Suspended"}})
        await stage.wait_for("moody-cup", Open="False/Suspended")
        assert await stage.state(tournament_id) == "suspended"
        await stage.patch("moody-cup", {"spec": {"desiredState": "Active"}})
        await stage.wait_for("moody-cup", Open="True/WithinWindow")
        await stage.patch("moody-cup", {"spec": {"desiredState": "Cancelled"}})
        told = await stage.wait_for("moody-cup", phase="Cancelled", Succeeded="False/Cancelled")
        assert told["PrizesAwarded"] == "False/Cancelled"
        assert await stage.state(tournament_id) == "cancelled"


async def test_a_deleted_resource_leaves_a_record_that_its_namesake_may_adopt(
    stage: Stage, operate: Callable[..., Any]
) -> None:
    async with operate():
        first = await stage.apply("phoenix-cup", lasts_s=3600)
        await stage.wait_for("phoenix-cup", phase="Active")
        body = await stage.read("phoenix-cup")
        assert body is not None
        spec = {key: body["spec"][key] for key in ("startTime", "endTime")}
        await stage.delete("phoenix-cup")
        await stage.gone("phoenix-cup")
        assert await stage.state(first) == "withdrawn"
        second = await stage.apply("phoenix-cup", annotations={"palio.gg/adopt-record": first}, **spec)
        assert second != first
        await stage.wait_for("phoenix-cup", phase="Active", Accepted="True/Valid")
        assert await stage.state(first) == "open"
        assert await stage.state(second) is None
        told = await stage.read("phoenix-cup")
        assert told is not None
        assert told["status"]["recordId"] == first


async def test_reclaim_policy_delete_removes_what_was_never_paid(stage: Stage, operate: Callable[..., Any]) -> None:
    async with operate():
        tournament_id = await stage.apply("brief-cup", recordReclaimPolicy="Delete")
        await stage.wait_for("brief-cup", phase="Active")
        await stage.play(tournament_id)
        await stage.delete("brief-cup")
        await stage.gone("brief-cup")
    assert await stage.state(tournament_id) is None


async def test_a_failed_job_is_told_and_tried_again_by_annotation(stage: Stage, operate: Callable[..., Any]) -> None:
    async with operate():
        tournament_id = await stage.apply("retry-cup", lasts_s=10, payout={"activeDeadlineSeconds": 60})
        await stage.wait_for("retry-cup", phase="Active")
        await stage.play(tournament_id)
        job = await stage.job_of(tournament_id, "retry-cup")
        name = job["metadata"]["name"]
        await stage.jobs.patch_namespaced_job(  # its deadline, without the minute
            name, stage.namespace, {"spec": {"activeDeadlineSeconds": 1}}, _content_type="application/merge-patch+json"
        )  # fmt: skip
        await stage.wait_for("retry-cup", PrizesAwarded="False/JobFailed", phase="Failed", within_s=60)
        await stage.patch("retry-cup", {"metadata": {"annotations": {"palio.gg/retry-payout": "1"}}})
        await stage.job_of(tournament_id, "retry-cup", attempt=1)
        await stage.pay(tournament_id)
        await stage.wait_for("retry-cup", phase="Completed", Succeeded="True/Completed")
    assert await stage.paid(tournament_id) == [50, 30, 20]


async def test_a_settlement_that_was_given_up_is_told_and_tried_again_by_annotation(
    stage: Stage, operate: Callable[..., Any]
) -> None:
    async with operate():
        tournament_id = await stage.apply("given-cup", lasts_s=10)
        await stage.wait_for("given-cup", phase="Active")
        await stage.play(tournament_id)
        await stage.give_up(tournament_id, "the ledger is full")
        why = "False/SettlementFailed"
        await stage.wait_for("given-cup", PrizesAwarded=why, Succeeded=why, phase="Failed")
        body = await stage.read("given-cup")
        assert body is not None
        messages = {one["type"]: one["message"] for one in body["status"]["conditions"]}
        assert "the ledger is full" in messages["PrizesAwarded"]
        await stage.patch("given-cup", {"metadata": {"annotations": {"palio.gg/retry-payout": "1"}}})
        job = await stage.job_of(tournament_id, "given-cup", attempt=1)
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["command"][-2:] == ["retry", tournament_id]
        await stage.pay_what_was_given_up(tournament_id)
        await stage.wait_for("given-cup", phase="Completed", Succeeded="True/Completed")
    assert await stage.paid(tournament_id) == [50, 30, 20]


async def test_what_is_first_seen_after_its_end_is_refused(stage: Stage, operate: Callable[..., Any]) -> None:
    async with operate():
        await stage.apply("past-cup", in_s=-100, lasts_s=50)
        told = await stage.wait_for("past-cup", Accepted="False/EndTimeInPast", Succeeded="False/EndTimeInPast")
        assert told["phase"] == "Pending"


async def test_a_paused_resource_is_left_alone(stage: Stage, operate: Callable[..., Any]) -> None:
    async with operate():
        tournament_id = await stage.apply("still-cup", annotations={"palio.gg/pause-reconciliation": "true"})
        await stage.wait_for("still-cup", Ready="Unknown/ReconciliationPaused")
        assert await stage.state(tournament_id) is None
        await stage.patch("still-cup", {"metadata": {"annotations": {"palio.gg/pause-reconciliation": None}}})
        await stage.wait_for("still-cup", phase="Active", Ready="True/Reconciled")


async def test_a_foreign_job_of_our_name_is_never_taken_for_ours(stage: Stage, operate: Callable[..., Any]) -> None:
    async with operate():
        tournament_id = await stage.apply("clash-cup", lasts_s=10)
        name = f"clash-cup-payout-{tournament_id[:8]}"
        pod = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "registry.invalid/x"}]}
        foreign: Any = {"metadata": {"name": name}, "spec": {"suspend": True, "template": {"spec": pod}}}
        await stage.jobs.create_namespaced_job(stage.namespace, foreign)
        await stage.wait_for("clash-cup", Accepted="False/NameConflict", within_s=30)
        await stage.jobs.delete_namespaced_job(name, stage.namespace, propagation_policy="Background")
        await stage.job_of(tournament_id, "clash-cup")
        await stage.pay(tournament_id)
        await stage.wait_for("clash-cup", phase="Completed", Accepted="True/Valid")


async def test_a_namespace_with_active_and_settling_tournaments_goes(
    stage: Stage, operate: Callable[..., Any], cluster: Any
) -> None:
    async with operate():
        active, settling = await stage.apply("a-cup"), await stage.apply("s-cup", lasts_s=10)
        await stage.wait_for("a-cup", phase="Active")
        await stage.job_of(settling, "s-cup")
        await asyncio.to_thread(cluster.kubectl, "delete", "namespace", stage.namespace, "--timeout=90s")
    stage.made.clear()
    assert await stage.state(active) == "withdrawn"
    assert await stage.state(settling) in ("withdrawn", "completed")
