"""Every bound and rule of `Tournament`: one manifest inside, one outside, before a real API server."""

from typing import Any

import pytest
from kubernetes.aio import client

from crds.judge import REMOVED, changed, refusal, refusal_of_change

MANIFEST: dict[str, Any] = {
    "apiVersion": "palio.gg/v1alpha1",
    "kind": "Tournament",
    "metadata": {"name": "friday-cup"},
    "spec": {"game": "space-race", "startTime": "2031-03-06T18:00:00Z", "endTime": "2031-03-06T19:00:00Z"},
}
SAFE = 2**53 - 1


def prize(first: int, last: int, amount: int = 1) -> dict[str, int]:
    return {"rankFrom": first, "rankTo": last, "amount": amount}


BOUNDS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("name", {"metadata.name": "a" * 40}, {"metadata.name": "a" * 41}, "longer than 40"),
    ("game length", {"spec.game": "a" * 40}, {"spec.game": "a" * 41}, "spec.game"),
    ("game empty", {"spec.game": "a"}, {"spec.game": ""}, "spec.game"),
    ("game pattern", {"spec.game": "a-b"}, {"spec.game": "a_b"}, "spec.game"),
    ("game required", {}, {"spec.game": REMOVED}, "spec.game"),
    ("displayName", {"spec.displayName": "x" * 80}, {"spec.displayName": "x" * 81}, "spec.displayName"),
    ("description", {"spec.description": "x" * 1024}, {"spec.description": "x" * 1025}, "spec.description"),
    ("startTime required", {}, {"spec.startTime": REMOVED}, "spec.startTime"),
    ("endTime required", {}, {"spec.endTime": REMOVED}, "spec.endTime"),
    (
        "offset", {"spec.startTime": "2031-03-06T18:00:00+02:00"}, {"spec.startTime": "2031-03-06T18:00:00"},
        "spec.startTime",
    ),
    ("time", {"spec.endTime": "2031-03-06T20:00:00.5Z"}, {"spec.endTime": "tomorrow"}, "spec.endTime"),
    ("forward", {}, {"spec.endTime": "2031-03-06T18:00:00Z"}, "endTime must be after startTime"),
    ("shortest", {"spec.endTime": "2031-03-06T18:00:10Z"}, {"spec.endTime": "2031-03-06T18:00:09Z"}, "10 seconds"),
    ("longest", {"spec.endTime": "2031-06-04T18:00:00Z"}, {"spec.endTime": "2031-06-04T18:00:01Z"}, "90 days"),
    ("zone", {"spec.displayTimeZone": "x" * 64}, {"spec.displayTimeZone": "x" * 65}, "spec.displayTimeZone"),
    ("order", {"spec.scoring": {"order": "Ascending"}}, {"spec.scoring": {"order": "asc"}}, "spec.scoring.order"),
    ("keep", {"spec.scoring": {"aggregation": "Sum"}}, {"spec.scoring": {"aggregation": "Max"}}, "aggregation"),
    ("ties", {"spec.scoring": {"tieBreak": "Shared"}}, {"spec.scoring": {"tieBreak": "Coin"}}, "tieBreak"),
    ("policy", {"spec.entry": {"policy": "UntilStart"}}, {"spec.entry": {"policy": "Never"}}, "policy"),
    ("fewest", {"spec.entry": {"maxParticipants": 2}}, {"spec.entry": {"maxParticipants": 1}}, "maxParticipants"),
    (
        "most", {"spec.entry": {"maxParticipants": 1_000_000}}, {"spec.entry": {"maxParticipants": 1_000_001}},
        "maxParticipants",
    ),
    ("pool from", {"spec.prizePool": 0}, {"spec.prizePool": -1}, "prizePool"),
    ("pool to", {"spec.prizePool": SAFE}, {"spec.prizePool": SAFE + 1}, "prizePool"),
    ("currency", {"spec.currency": "g" * 32}, {"spec.currency": "g" * 33}, "currency"),
    ("currency pattern", {"spec.currency": "gold-2"}, {"spec.currency": "Gold"}, "currency"),
    ("currency end", {"spec.currency": "g"}, {"spec.currency": "gold-"}, "currency"),
    (
        "prizes", {"spec.prizes": [prize(n, n) for n in range(1, 101)]},
        {"spec.prizes": [prize(n, n) for n in range(1, 102)]}, "spec.prizes",
    ),
    ("rank from", {"spec.prizes": [prize(1, 1)]}, {"spec.prizes": [prize(0, 1)]}, "rankFrom"),
    ("rank to", {"spec.prizes": [prize(1, 100_000)]}, {"spec.prizes": [prize(1, 100_001)]}, "rankTo"),
    ("amount from", {"spec.prizes": [prize(1, 1, 1)]}, {"spec.prizes": [prize(1, 1, 0)]}, "amount"),
    ("amount to", {"spec.prizes": [prize(1, 1, SAFE)]}, {"spec.prizes": [prize(1, 1, SAFE + 1)]}, "amount"),
    ("range", {"spec.prizes": [prize(2, 2)]}, {"spec.prizes": [prize(2, 1)]}, "rankTo of a prize"),
    ("overlap", {"spec.prizes": [prize(1, 2), prize(3, 4)]}, {"spec.prizes": [prize(1, 3), prize(3, 4)]}, "overlap"),
    ("key", {"spec.prizes": [prize(1, 1) | {"key": "gold"}]}, {"spec.prizes": [prize(1, 1) | {"key": "G"}]}, "key"),
    ("keys", {"spec.prizes": [prize(1, 1)]}, {"spec.prizes": [prize(1, 1), prize(1, 1)]}, "Duplicate"),
    (
        "pool or prizes", {"spec.prizePool": 6, "spec.prizes": [prize(1, 2, 3)]},
        {"spec.prizePool": 5, "spec.prizes": [prize(1, 2, 3)]}, "prizes may not be more than prizePool",
    ),
    ("delay", {"spec.settlementDelaySeconds": 86_400}, {"spec.settlementDelaySeconds": 86_401}, "settlementDelay"),
    ("no delay", {"spec.settlementDelaySeconds": 0}, {"spec.settlementDelaySeconds": -1}, "settlementDelay"),
    (
        "deadline", {"spec.payout": {"startingDeadlineSeconds": 60}}, {"spec.payout": {"startingDeadlineSeconds": 59}},
        "startingDeadlineSeconds",
    ),
    (
        "latest", {"spec.payout": {"startingDeadlineSeconds": 31_536_000}},
        {"spec.payout": {"startingDeadlineSeconds": 31_536_001}}, "startingDeadlineSeconds",
    ),
    ("backoff", {"spec.payout": {"backoffLimit": 20}}, {"spec.payout": {"backoffLimit": 21}}, "backoffLimit"),
    ("no backoff", {"spec.payout": {"backoffLimit": 0}}, {"spec.payout": {"backoffLimit": -1}}, "backoffLimit"),
    (
        "job shortest", {"spec.payout": {"activeDeadlineSeconds": 60}}, {"spec.payout": {"activeDeadlineSeconds": 59}},
        "activeDeadlineSeconds",
    ),
    (
        "job longest", {"spec.payout": {"activeDeadlineSeconds": 86_400}},
        {"spec.payout": {"activeDeadlineSeconds": 86_401}}, "activeDeadlineSeconds",
    ),
    (
        "kept", {"spec.payout": {"ttlSecondsAfterFinished": 3_600}},
        {"spec.payout": {"ttlSecondsAfterFinished": 3_599}}, "ttlSecondsAfterFinished",
    ),
    (
        "kept longest", {"spec.payout": {"ttlSecondsAfterFinished": 2_592_000}},
        {"spec.payout": {"ttlSecondsAfterFinished": 2_592_001}}, "ttlSecondsAfterFinished",
    ),
    ("state", {"spec.desiredState": "Suspended"}, {"spec.desiredState": "Paused"}, "desiredState"),
    ("reclaim", {"spec.recordReclaimPolicy": "Delete"}, {"spec.recordReclaimPolicy": "Keep"}, "recordReclaimPolicy"),
    ("unknown field", {}, {"spec.prizepool": 5}, "unknown field"),
    ("spec required", {}, {"spec": REMOVED}, "spec"),
]  # fmt: skip


@pytest.mark.parametrize(("inside", "outside", "why"), [row[1:] for row in BOUNDS], ids=[row[0] for row in BOUNDS])
async def test_a_bound_lets_in_and_keeps_out(
    resources: client.CustomObjectsApi, namespace: str, inside: dict[str, Any], outside: dict[str, Any], why: str
) -> None:
    assert await refusal(resources, namespace, changed(MANIFEST, inside)) is None
    said = await refusal(resources, namespace, changed(MANIFEST, outside))
    assert said is not None
    assert why in said


ACTIVE, SCHEDULED, SETTLING = {"phase": "Active"}, {"phase": "Scheduled"}, {"phase": "Settling"}
LATER, SOONER = "2031-03-06T19:30:00Z", "2031-03-06T18:30:00Z"
CHANGES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ("game", SCHEDULED, {"spec.displayName": "New"}, SCHEDULED, {"spec.game": "other"}, "game may not change"),
    (
        "scoring", SCHEDULED, {"spec.prizePool": 7}, SCHEDULED, {"spec.scoring.tieBreak": "Shared"},
        "scoring may not change",
    ),
    (
        "start", SCHEDULED, {"spec.startTime": "2031-03-06T18:10:00Z"}, ACTIVE,
        {"spec.startTime": "2031-03-06T18:10:00Z"}, "startTime may not change",
    ),
    ("sooner", SCHEDULED, {"spec.endTime": SOONER}, ACTIVE, {"spec.endTime": SOONER}, "only be moved later"),
    ("later", ACTIVE, {"spec.endTime": LATER}, SETTLING, {"spec.endTime": LATER}, "only be moved later"),
    ("no status yet", {}, {"spec.endTime": SOONER}, {"phase": "Completed"}, {"spec.endTime": LATER}, "moved later"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("good_status", "good", "bad_status", "bad", "why"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES]
)
async def test_a_rule_of_change_lets_through_and_keeps_back(
    resources: client.CustomObjectsApi, namespace: str, good_status: dict[str, Any], good: dict[str, Any],
    bad_status: dict[str, Any], bad: dict[str, Any], why: str,
) -> None:  # fmt: skip
    assert await refusal_of_change(resources, namespace, MANIFEST, good_status, good) is None
    said = await refusal_of_change(resources, namespace, MANIFEST, bad_status, bad)
    assert said is not None
    assert why in said


async def test_a_cancelled_tournament_may_not_be_revived(resources: client.CustomObjectsApi, namespace: str) -> None:
    cancelled = changed(MANIFEST, {"spec.desiredState": "Cancelled"})
    said = await refusal_of_change(resources, namespace, cancelled, {}, {"spec.desiredState": "Active"})
    assert said is not None
    assert "may not be revived" in said
    assert await refusal_of_change(resources, namespace, MANIFEST, {}, {"spec.desiredState": "Cancelled"}) is None


async def test_defaults_are_filled_in(resources: client.CustomObjectsApi, namespace: str) -> None:
    made: Any = await resources.create_namespaced_custom_object(
        "palio.gg", "v1alpha1", namespace, "tournaments", MANIFEST, dry_run="All"
    )
    spec = made["spec"]
    assert spec["scoring"] == {"tieBreak": "EarliestAchieved"}
    assert spec["entry"] == {"policy": "UntilEnd", "maxParticipants": 1_000_000}
    assert spec["payout"] == {"backoffLimit": 4, "activeDeadlineSeconds": 900, "ttlSecondsAfterFinished": 86_400}
    assert (spec["desiredState"], spec["recordReclaimPolicy"], spec["currency"]) == ("Active", "Retain", "coins")


@pytest.mark.parametrize(
    ("status", "good"),
    [
        ({"phase": "Active", "participants": 3}, True), ({"phase": "Paused"}, False), ({"participants": -1}, False),
        ({"conditions": [{"type": "Ready", "status": "Yes", "reason": "X", "lastTransitionTime": LATER}]}, False),
        ({"conditions": [{"type": "Ready", "status": "True", "reason": "", "lastTransitionTime": LATER}]}, False),
        ({"payout": {"standingsDigest": "x" * 65}}, False), ({"recordId": "x" * 37}, False),
    ],
)  # fmt: skip
async def test_a_status_is_checked_too(
    resources: client.CustomObjectsApi, namespace: str, status: dict[str, Any], good: bool
) -> None:
    said = await refusal_of_change(resources, namespace, MANIFEST, status, {})
    assert (said is None) is good
