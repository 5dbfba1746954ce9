"""How a status is told: conditions dated by when they changed, and events for the changes worth one. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from palio_operator.resources import Condition, rfc3339

_MESSAGE_MAX = 1024


@dataclass(frozen=True, slots=True)
class Notice:
    """An event to be posted on the resource."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Worth:
    """Which conditions, as (type, reason), are worth an event when they come true, and whether it is a warning.

    `names` gives the event another reason than the condition's.
    """

    warnings: Mapping[tuple[str, str], bool]
    names: Mapping[str, str]


def shown(conditions: Iterable[Condition], generation: int) -> list[dict[str, Any]]:
    """Conditions as a status holds them, with `lastTransitionTime` left to `stamped`."""
    return [
        {"type": one.type, "status": one.status, "reason": one.reason, "message": one.message[:_MESSAGE_MAX],
         "observedGeneration": generation}
        for one in conditions
    ]  # fmt: skip


def told_before(status: Mapping[str, Any], kind: str) -> Condition | None:
    """The condition of that type that was told last."""
    for told in status.get("conditions") or []:
        if told.get("type") == kind:
            return Condition(kind, told["status"], told["reason"], told.get("message", ""))
    return None


def stamped(status: Mapping[str, Any], told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The status with the time at which each condition changed: now, or what was told if it did not."""
    before = {one["type"]: one for one in told.get("conditions") or []}
    stamped_conditions = []
    for one in status["conditions"]:
        earlier = before.get(one["type"])
        unchanged = earlier is not None and earlier["status"] == one["status"]
        since = earlier["lastTransitionTime"] if earlier is not None and unchanged else _seconds(now)
        stamped_conditions.append(one | {"lastTransitionTime": since})
    return {**status, "conditions": stamped_conditions}


def notices(told: Mapping[str, Any], now: Mapping[str, Any], worth: Worth) -> Sequence[Notice]:
    """The events between two statuses: one for each change worth telling."""
    before = {one["type"]: (one["status"], one["reason"]) for one in told.get("conditions") or []}
    return [
        Notice(worth.names.get(one["reason"], one["reason"]), one["message"], warning)
        for one in now["conditions"]
        if (warning := worth.warnings.get((one["type"], one["reason"]))) is not None
        and before.get(one["type"]) != (one["status"], one["reason"])
    ]


def _seconds(when: datetime) -> str:
    return rfc3339(when.replace(microsecond=0))
