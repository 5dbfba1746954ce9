"""What is true about a tournament, in words for people and machines: the status of its resource. Pure.

Conditions are the contract and say only what was just read; the phase is for display and never goes back. Every
condition that is false names what happens next, or what somebody has to do.
"""

from collections.abc import Sequence
from typing import Any

from palio_operator.domain import World, deadline_missed, later, next_boundary, pays_now
from palio_operator.models import (
    RETRY,
    JobState,
    Phase,
    Record,
    RecordState,
    TournamentSpec,
)
from palio_operator.resources import FALSE, TRUE, UNKNOWN, Condition, InvalidSpec, rfc3339
from palio_operator.telling import Worth, shown


def describe(world: World) -> dict[str, Any]:
    """The status to be told, with `lastTransitionTime` left to `telling.stamped`."""
    record = world.own
    status: dict[str, Any] = {
        "observedGeneration": world.meta.generation,
        "phase": str(later(world.resource.phase, _phase(world))),
        "conditions": shown(conditions(world), world.meta.generation),
    }
    if record is None:
        kept = ("recordId", "recordRevision", "participants", "effective", "payout")
        return status | {name: world.resource.status[name] for name in kept if name in world.resource.status}
    status |= {
        "recordId": record.id,
        "recordRevision": record.revision,
        "participants": record.participants,
        "effective": {"startTime": rfc3339(record.starts_at), "endTime": rfc3339(record.ends_at)},
    }
    boundary = next_boundary(world)
    if boundary is not None:
        status["nextTransitionTime"] = rfc3339(boundary)
    return status | {"payout": _payout(world, record)}


def _payout(world: World, record: Record) -> dict[str, Any]:
    told: dict[str, Any] = {"attempt": world.meta.attempt}
    earlier = world.resource.status.get("payout") or {}
    if world.job is not None:
        told["jobName"] = world.job.name
    elif "jobName" in earlier:
        told["jobName"] = earlier["jobName"]
    if record.complete and record.settled_at is not None:
        told |= {
            "completionTime": rfc3339(record.settled_at), "prizesTotal": record.awards, "prizesAwarded": record.awards,
            "standingsDigest": record.standings_digest,
        }  # fmt: skip
    return told


def conditions(world: World) -> Sequence[Condition]:
    """All conditions, in the order in which they are shown."""
    accepted, synced = _accepted(world), _synced(world)
    paid = _prizes(world)
    return [accepted, synced, _open(world), paid, _ready(world, accepted, synced), _succeeded(world, accepted, paid)]


def _accepted(world: World) -> Condition:
    spec = world.resource.spec
    if isinstance(spec, InvalidSpec):
        return Condition("Accepted", FALSE, "InvalidSpec", f"{spec}; correct the resource")
    if world.refusal is not None:
        return Condition("Accepted", FALSE, world.refusal.reason, world.refusal.message)
    if world.job is not None and not world.job.owned:
        reason = f"a Job {world.job.name} that is not ours is in the way; it must be deleted or renamed"
        return Condition("Accepted", FALSE, "NameConflict", reason)
    if world.own is not None and world.own.revision == world.meta.generation:
        return Condition("Accepted", TRUE, "Valid", "the resource is understood and was written down")
    told = world.resource.condition("Accepted")
    if told is not None and world.resource.observed_generation == world.meta.generation:
        return told
    return Condition("Accepted", UNKNOWN, "NotYetChecked", _away(world))


def _synced(world: World) -> Condition:
    if not world.store_answers:
        return Condition("RecordSynced", FALSE, "StoreUnavailable", _away(world))
    record = world.own
    if record is None or record.revision != world.meta.generation:
        return Condition("RecordSynced", FALSE, "NotWritten", "this generation is not written down; see Accepted")
    told = world.resource.condition("RecordSynced")
    held = told is not None and told.reason == "DriftCorrected"
    if world.repaired or (held and world.resource.observed_generation == world.meta.generation):
        message = "the record had been changed beside its resource and was put right"
        return Condition("RecordSynced", TRUE, "DriftCorrected", message)
    return Condition("RecordSynced", TRUE, "Synced", "the record says what the resource says")


def _open(world: World) -> Condition:
    record = world.own
    if not world.store_answers:
        unknown = Condition("Open", UNKNOWN, "StoreUnavailable", "scores count by the database's clock all the same")
        return _final(world, "Open") or unknown
    if record is None:
        return Condition("Open", FALSE, "NotStarted", "there is no record")
    if record.state is RecordState.SUSPENDED:
        return Condition("Open", FALSE, "Suspended", "set desiredState to Active to go on; the end does not move")
    return _window(record)


def _final(world: World, kind: str) -> Condition | None:
    """What was told of a tournament that is over: it does not change, whether or not the service answers."""
    return world.resource.condition(kind) if world.resource.phase in (Phase.COMPLETED, Phase.CANCELLED) else None


def _window(record: Record) -> Condition:
    if record.phase is Phase.CANCELLED:
        return Condition("Open", FALSE, "Cancelled", "it was cancelled")
    if record.phase is Phase.SCHEDULED:
        return Condition("Open", FALSE, "NotStarted", f"scores count from {rfc3339(record.starts_at)}")
    if record.phase is Phase.ACTIVE:
        return Condition("Open", TRUE, "WithinWindow", f"scores count until {rfc3339(record.ends_at)}")
    return Condition("Open", FALSE, "Ended", f"scores counted until {rfc3339(record.ends_at)}")


def _prizes(world: World) -> Condition:
    record = world.own
    if not world.store_answers:
        unknown = Condition("PrizesAwarded", UNKNOWN, "StoreUnavailable", _away(world))
        return _final(world, "PrizesAwarded") or unknown
    if record is None:
        return Condition("PrizesAwarded", UNKNOWN, "NotDue", "there is no record")
    if record.complete:
        return _awarded(record)
    if record.phase is Phase.CANCELLED:
        return Condition("PrizesAwarded", FALSE, "Cancelled", "a cancelled tournament pays nothing")
    return _paying(world, record)


def _awarded(record: Record) -> Condition:
    if not record.prizes:
        return Condition("PrizesAwarded", TRUE, "NoPrizes", "the standings are frozen; there were no prizes")
    return Condition("PrizesAwarded", TRUE, "Awarded", f"{record.awards} prizes are in the ledger")


def _paying(world: World, record: Record) -> Condition:
    job, spec = world.job, world.resource.spec
    if isinstance(spec, TournamentSpec) and deadline_missed(world, spec):
        message = f"startingDeadlineSeconds passed before a payout could begin; annotate {RETRY}=1 to pay now"
        return Condition("PrizesAwarded", FALSE, "DeadlineMissed", message)
    again = f"annotate {RETRY}={world.meta.attempt + 1} to try again"
    if record.given_up and not world.payable:
        message = f"the tournament service gave up: {record.failure or 'no reason was kept'}; remedy that and {again}"
        return Condition("PrizesAwarded", FALSE, "SettlementFailed", message)
    if not world.payable:
        return Condition("PrizesAwarded", UNKNOWN, "NotDue", f"due at {rfc3339(record.settles_at)}")
    if job is None or not job.owned:
        return Condition("PrizesAwarded", UNKNOWN, "JobPending", "the Job that pays is not there yet")
    if pays_now(world):
        return Condition("PrizesAwarded", UNKNOWN, "JobRunning", f"the Job {job.name} pays")
    why = job.reason or "its ledger is not complete"
    ended = "ended" if job.state is JobState.SUCCEEDED else "failed"
    return Condition("PrizesAwarded", FALSE, "JobFailed", f"the Job {job.name} {ended}: {why}; {again}")


def _ready(world: World, accepted: Condition, synced: Condition) -> Condition:
    if world.meta.paused:
        return Condition("Ready", UNKNOWN, "ReconciliationPaused", "nothing is done while the annotation says so")
    if world.meta.deleted_at is not None:
        return Condition("Ready", FALSE, "Deleting", "a payout is awaited, or the tournament service")
    for one in (accepted, synced):
        if one.status != TRUE:
            return Condition("Ready", FALSE, one.reason, one.message)
    return Condition("Ready", TRUE, "Reconciled", synced.message)


def _succeeded(world: World, accepted: Condition, paid: Condition) -> Condition:
    record = world.own
    if record is not None and record.complete:
        return Condition("Succeeded", TRUE, "Completed", paid.message)
    if record is not None and world.store_answers and record.phase is Phase.CANCELLED:
        return Condition("Succeeded", FALSE, "Cancelled", paid.message)
    if paid.reason in ("DeadlineMissed", "SettlementFailed"):
        return Condition("Succeeded", FALSE, paid.reason, paid.message)
    if record is None and accepted.status == FALSE and world.store_answers:
        return Condition("Succeeded", FALSE, accepted.reason, accepted.message)
    told = world.resource.condition("Succeeded")
    if not world.store_answers and told is not None and told.status != UNKNOWN:
        return told
    return Condition("Succeeded", UNKNOWN, "InProgress", paid.message)


def _phase(world: World) -> Phase:
    record = world.own
    if record is None:
        return world.resource.phase
    if _prizes(world).reason in ("JobFailed", "DeadlineMissed"):
        return Phase.FAILED
    return record.phase


WORTH = Worth({
    ("Accepted", "InvalidSpec"): True, ("Accepted", "EndTimeInPast"): True, ("Accepted", "NameConflict"): True,
    ("Accepted", "ImmutableFieldChanged"): True,
    ("RecordSynced", "DriftCorrected"): True, ("RecordSynced", "StoreUnavailable"): True,
    ("Open", "WithinWindow"): False, ("Open", "Ended"): False, ("Open", "Suspended"): False,
    ("Open", "Cancelled"): False,
    ("PrizesAwarded", "JobRunning"): False, ("PrizesAwarded", "Awarded"): False, ("PrizesAwarded", "NoPrizes"): False,
    ("PrizesAwarded", "JobFailed"): True, ("PrizesAwarded", "DeadlineMissed"): True,
    ("PrizesAwarded", "SettlementFailed"): True,
    ("Ready", "ReconciliationPaused"): False, ("Ready", "Deleting"): False,
}, {"WithinWindow": "Opened", "JobRunning": "PayoutStarted", "JobFailed": "PayoutFailed"})  # fmt: skip
"""Which of its conditions are worth an event."""


def _away(world: World) -> str:
    return f"the tournament service {world.trouble}; it is asked again"
