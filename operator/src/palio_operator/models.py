"""What the operator reads: a resource, its record, its Job. Frozen values, parsed once at the edge.

The API server has checked shapes already; what still does not make sense becomes an `InvalidSpec`, never a crash.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from unicodedata import normalize

from palio_operator.resources import (
    GROUP,
    TOURNAMENT,
    Condition,
    InvalidSpec,
    Kind,
    ObjectMeta,
    metadata_fields,
    moment,
)
from palio_operator.telling import told_before

ADOPT = f"{GROUP}/adopt-record"
RETRY = f"{GROUP}/retry-payout"
CREATED_BY = f"{GROUP}/created-by"
ATTEMPTS_MAX = 99

_UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


class Phase(StrEnum):
    """A summary for people; the record's phases and two of the resource's own."""

    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    ACTIVE = "Active"
    SETTLING = "Settling"
    FAILED = "Failed"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"


class DesiredState(StrEnum):
    """What the resource wants its tournament to be."""

    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    CANCELLED = "Cancelled"


class RecordState(StrEnum):
    """What was decided about the record."""

    OPEN = "open"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class JobState(StrEnum):
    """How a Job stands."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Prize:
    """An amount for each rank of a range."""

    rank_first: int
    rank_last: int
    amount: int
    key: str = ""

    @property
    def named(self) -> "Prize":
        """With the key that the tournament service gives one without."""
        first, last = self.rank_first, self.rank_last
        return replace(self, key=self.key or (f"rank-{first}" if first == last else f"rank-{first}-{last}"))


@dataclass(frozen=True, slots=True)
class Payout:
    """How the Job that pays is run; `starting_deadline_s` is None if it is never too late."""

    starting_deadline_s: int | None = None
    backoff_limit: int = 4
    active_deadline_s: int = 900
    ttl_s: int = 86_400


@dataclass(frozen=True, slots=True)
class TournamentSpec:
    """What a resource asks for, in the words of the tournament service."""

    name: str
    game_id: str
    starts_at: datetime
    ends_at: datetime
    order: str | None
    keep: str | None
    ties: str
    entry: str
    max_participants: int
    prize_pool: int
    currency: str
    prizes: tuple[Prize, ...]
    settlement_delay_s: int
    payout: Payout
    desired_state: DesiredState
    purges: bool

    @classmethod
    def parse(cls, name: str, spec: Mapping[str, Any]) -> "TournamentSpec":
        """Read the `spec` of the resource called `name`.

        Raises:
            InvalidSpec: it does not make sense.
        """
        try:
            return _spec(name, spec)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidSpec(f"the spec cannot be understood: {error!r}") from error


_ORDERS = {"Descending": "desc", "Ascending": "asc", None: None}
_KEEPS = {"Best": "best", "Sum": "sum", "Latest": "last", None: None}


def _spec(name: str, spec: Mapping[str, Any]) -> TournamentSpec:
    scoring, entry, payout = (spec.get(key) or {} for key in ("scoring", "entry", "payout"))
    prizes = tuple(
        Prize(int(prize["rankFrom"]), int(prize["rankTo"]), int(prize["amount"]), prize.get("key", "")).named
        for prize in sorted(spec.get("prizes") or [], key=lambda prize: int(prize["rankFrom"]))
    )
    promised = sum(prize.amount * (prize.rank_last - prize.rank_first + 1) for prize in prizes)
    deadline = payout.get("startingDeadlineSeconds")
    return TournamentSpec(
        name=normalize("NFC", spec.get("displayName") or name),  # as the record keeps it, or it would look changed
        game_id=str(spec["game"]),
        starts_at=moment(spec["startTime"]),
        ends_at=moment(spec["endTime"]),
        order=_ORDERS[scoring.get("order")],
        keep=_KEEPS[scoring.get("aggregation")],
        ties=scoring.get("tieBreak", "EarliestAchieved"),
        entry=entry.get("policy", "UntilEnd"),
        max_participants=int(entry.get("maxParticipants", 1_000_000)),
        prize_pool=int(spec.get("prizePool", 0)) or promised,
        currency=spec.get("currency", "coins"),
        prizes=prizes,
        settlement_delay_s=int(spec.get("settlementDelaySeconds", 2)),
        payout=Payout(
            None if deadline is None else int(deadline),
            int(payout.get("backoffLimit", 4)),
            int(payout.get("activeDeadlineSeconds", 900)),
            int(payout.get("ttlSecondsAfterFinished", 86_400)),
        ),
        desired_state=DesiredState(spec.get("desiredState", "Active")),
        purges=spec.get("recordReclaimPolicy", "Retain") == "Delete",
    )


@dataclass(frozen=True, slots=True)
class Meta(ObjectMeta):
    """Which tournament, and what its annotations ask for; `source` is what a later one must be called to adopt it."""

    kind: ClassVar[Kind] = TOURNAMENT
    adopts: str | None = None
    attempt: int = 0
    created_by: str | None = None

    @property
    def record_id(self) -> str:
        """The tournament's id: the resource's uid, unless it adopts an earlier record."""
        return self.adopts or self.uid

    @property
    def job_name(self) -> str:
        """The Job of this attempt: the same name whoever asks, however often."""
        again = f"-r{self.attempt}" if self.attempt else ""
        return f"{self.name}-payout-{self.record_id[:8]}{again}"

    @classmethod
    def parse(cls, metadata: Mapping[str, Any]) -> "Meta":
        """Read a resource's `metadata`; an annotation that makes no sense is as if it were not there."""
        annotations = metadata.get("annotations") or {}
        adopts, created_by = annotations.get(ADOPT, ""), annotations.get(CREATED_BY, "")
        attempt = annotations.get(RETRY, "")
        return cls(
            **metadata_fields(metadata),
            adopts=adopts if _UUID.match(adopts) else None,
            attempt=min(int(attempt), ATTEMPTS_MAX) if attempt.isascii() and attempt.isdigit() else 0,
            created_by=created_by if _UUID.match(created_by) else None,
        )


@dataclass(frozen=True, slots=True)
class Resource:
    """A `Tournament` as the API server holds it; `spec` is what is wrong with it if it cannot be understood."""

    meta: Meta
    spec: TournamentSpec | InvalidSpec
    status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def phase(self) -> Phase:
        """The phase that was told last."""
        told = self.status.get("phase", "")
        return Phase(told) if told in Phase.__members__.values() else Phase.PENDING

    def condition(self, kind: str) -> Condition | None:
        """The condition that was told last."""
        return told_before(self.status, kind)

    @property
    def observed_generation(self) -> int:
        """The generation that the status speaks of."""
        return int(self.status.get("observedGeneration") or 0)

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Resource":
        """Read a resource."""
        meta = Meta.parse(body["metadata"])
        try:
            spec: TournamentSpec | InvalidSpec = TournamentSpec.parse(meta.name, body.get("spec") or {})
        except InvalidSpec as error:
            spec = error
        return cls(meta, spec, body.get("status") or {})


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the tournament service holds it; `now` and `phase` are by the database's clock."""

    id: str
    owner: str | None
    revision: int
    state: RecordState
    phase: Phase
    now: datetime
    participants: int
    name: str
    game_id: str
    keep: str
    order: str
    ties: str
    starts_at: datetime
    ends_at: datetime
    settles_at: datetime
    entry: str
    max_participants: int
    prize_pool: int
    currency: str
    prizes: tuple[Prize, ...]
    split_by_default: bool
    standings_digest: str | None = None
    settled_at: datetime | None = None
    awards: int = 0
    failure: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the ledger holds every award: standings, awards and state are committed together."""
        return self.state is RecordState.COMPLETED

    @property
    def due(self) -> bool:
        """Whether it is time to pay."""
        return self.state is RecordState.OPEN and self.phase is Phase.SETTLING and self.now >= self.settles_at

    @property
    def given_up(self) -> bool:
        """Whether the tournament service, where it settles by itself, tried often and does so no more."""
        return self.state is RecordState.FAILED

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> "Record":
        """Read the tournament service's answer."""
        return cls(
            id=told["id"], owner=told["owner"], revision=told["revision"], state=RecordState(told["state"]),
            phase=Phase(told["phase"]), now=moment(told["now"]), participants=told["participants"],
            name=told["name"], game_id=told["game_id"], keep=told["keep"], order=told["order"], ties=told["ties"],
            starts_at=moment(told["start_time"]), ends_at=moment(told["end_time"]),
            settles_at=moment(told["settles_at"]), entry=told["entry"], max_participants=told["max_participants"],
            prize_pool=told["prize_pool"], currency=told["currency"],
            prizes=tuple(
                Prize(one["rank_first"], one["rank_last"], one["amount"], one["key"]) for one in told["prizes"]
            ),
            split_by_default=told["split_by_default"], standings_digest=told["standings_digest"],
            settled_at=moment(told["settled_at"]) if told["settled_at"] else None, awards=told["awards"],
            failure=told["failure"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PayoutJob:
    """A Job of the name we would give ours; `owned` if it is ours."""

    name: str
    owned: bool
    state: JobState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the tournament service did not write a revision: a reason of the condition `Accepted`, and words."""

    reason: str
    message: str
