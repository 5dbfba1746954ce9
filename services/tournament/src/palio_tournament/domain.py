"""How tournaments run and who is paid what: phases, entry, prizes over final standings, and the ledger's postings.

Pure rules only. Money is integers in the currency's smallest unit; nothing is lost or made by rounding: the remainder
of a shared prize goes to whoever reached the score first. Awards are a function of the frozen standings and nothing
else, so anybody can compute them again.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DEFAULT_SHARES_PERCENT = (50, 30, 20)
HOUSE = "house"


class Phase(StrEnum):
    """Where a tournament is in its life, by its state and the database's clock."""

    SCHEDULED = "Scheduled"
    ACTIVE = "Active"
    SETTLING = "Settling"
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


class Keep(StrEnum):
    """What a player's standing is made of."""

    BEST = "best"
    SUM = "sum"
    LAST = "last"


class Order(StrEnum):
    """Which scores are better: the higher or the lower ones."""

    DESCENDING = "desc"
    ASCENDING = "asc"


class Ties(StrEnum):
    """What equal scores mean: the earlier one is better, or they share rank and prizes."""

    EARLIEST_ACHIEVED = "EarliestAchieved"
    SHARED = "Shared"


class EntryPolicy(StrEnum):
    """How long one may join."""

    UNTIL_END = "UntilEnd"
    UNTIL_START = "UntilStart"


@dataclass(frozen=True, slots=True)
class Prize:
    """An amount for each rank in `rank_first..rank_last` (1-based, inclusive)."""

    key: str
    rank_first: int
    rank_last: int
    amount: int

    @property
    def total(self) -> int:
        """What the whole range costs."""
        return self.amount * (self.rank_last - self.rank_first + 1)

    def within(self, rank_first: int, rank_last: int) -> int:
        """What the ranks that lie in both ranges cost."""
        return self.amount * max(0, min(self.rank_last, rank_last) - max(self.rank_first, rank_first) + 1)


@dataclass(frozen=True, slots=True)
class Rules:
    """What was agreed when the tournament was created; none of it ever changes."""

    id: UUID
    name: str
    game_id: str
    keep: Keep
    order: Order
    ties: Ties
    starts_at: datetime
    ends_at: datetime
    settles_at: datetime
    entry: EntryPolicy
    max_participants: int
    prize_pool: int
    currency: str
    prizes: tuple[Prize, ...]
    created_by: UUID

    @property
    def entry_closes_at(self) -> datetime:
        """The first moment at which nobody may join any more."""
        return self.starts_at if self.entry is EntryPolicy.UNTIL_START else self.ends_at


@dataclass(frozen=True, slots=True)
class Tournament:
    """A tournament as it is now."""

    rules: Rules
    phase: Phase
    participants: int
    created_at: datetime
    standings_digest: str | None
    settled_at: datetime | None

    @property
    def id(self) -> UUID:
        """The rules' id."""
        return self.rules.id


class RecordState(StrEnum):
    """What somebody decided about a tournament; its phase follows from this and the clock."""

    OPEN = "open"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class DesiredState(StrEnum):
    """What a resource wants its tournament to be."""

    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class Claim:
    """Which resource a record is written from: its uid, `namespace/name`, and how often it was edited."""

    owner: UUID
    source: str
    revision: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A player's place in a tournament."""

    tournament_id: UUID
    user_id: UUID
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of an ordered board: `position` counts rows, `rank` may be shared by equal scores."""

    position: int
    rank: int
    user_id: UUID
    score: int
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class Award:
    """What one player receives; `(prize_key, user_id)` is unique within a tournament."""

    prize_key: str
    user_id: UUID
    rank: int
    amount: int


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of a transfer: `amount` comes into `account` (or leaves it, if negative)."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of money; its postings sum to zero."""

    id: UUID
    kind: str
    postings: tuple[Posting, ...]
    prize_key: str | None = None
    user_id: UUID | None = None
    reverses: UUID | None = None


class BadWindow(ValueError):
    """The times of a tournament contradict each other or the clock; `field` names the culprit."""

    def __init__(self, at: str, reason: str) -> None:
        super().__init__(reason)
        self.field = at


class BadPrizes(ValueError):
    """The prizes contradict each other or the pool."""


def check_window(start: datetime, end: datetime, now: datetime) -> None:
    """Go on only with a window that is forward and not over.

    Raises:
        BadWindow: it is not.
    """
    if end <= start:
        raise BadWindow("end_time", "the end must come after the start")
    if end <= now:
        raise BadWindow("end_time", "the end is in the past")


def check_prizes(prizes: Sequence[Prize], prize_pool: int) -> None:
    """Go on only with prizes whose ranges are apart and that the pool can pay; what they leave stays in the pool.

    Raises:
        BadPrizes: they are not.
    """
    if any(prize.rank_last < prize.rank_first for prize in prizes):
        raise BadPrizes("a range must not end before it begins")
    ordered = sorted(prizes, key=lambda prize: prize.rank_first)
    if any(earlier.rank_last >= later.rank_first for earlier, later in pairwise(ordered)):
        raise BadPrizes("ranges must not overlap")
    if len({prize.key for prize in prizes}) != len(prizes):
        raise BadPrizes("keys must differ")
    if sum(prize.total for prize in prizes) > prize_pool:
        raise BadPrizes("together they are more than the prize pool")


def prize_key(rank_first: int, rank_last: int) -> str:
    """The key of a prize that was given none."""
    return f"rank-{rank_first}" if rank_first == rank_last else f"rank-{rank_first}-{rank_last}"


def default_prizes(prize_pool: int) -> tuple[Prize, ...]:
    """The pool as 50, 30 and 20 per cent for the first three; what rounding leaves goes to the first."""
    amounts = [prize_pool * share // 100 for share in _DEFAULT_SHARES_PERCENT]
    amounts[0] += prize_pool - sum(amounts)
    return tuple(
        Prize(prize_key(rank, rank), rank, rank, amount) for rank, amount in enumerate(amounts, start=1) if amount
    )


_SCORING = ("game_id", "keep", "order", "ties")
_UNTIL_START = (
    "name", "starts_at", "settles_at", "entry", "max_participants", "prize_pool", "currency", "prizes", "ends_at",
)  # fmt: skip


def frozen_changes(kept: Rules, wanted: Rules, phase: Phase) -> list[str]:
    """The rules that differ and may not change in this phase; names of `Rules`.

    Scoring never changes. While a tournament runs it may be renamed and its end may be put off; after its end, nothing.
    """
    changed = [name for name in (*_SCORING, *_UNTIL_START) if getattr(kept, name) != getattr(wanted, name)]
    allowed: set[str] = set()
    if phase is Phase.SCHEDULED:
        allowed = set(_UNTIL_START)
    elif phase is Phase.ACTIVE and wanted.ends_at >= kept.ends_at:
        allowed = {"name", "ends_at"}
        if wanted.settles_at - wanted.ends_at == kept.settles_at - kept.ends_at:
            allowed.add("settles_at")
    return [name for name in changed if name not in allowed]


def states_before(desired: DesiredState) -> tuple[RecordState, tuple[RecordState, ...]]:
    """The state that a desire leads to, and those from which it does; what is final stays."""
    if desired is DesiredState.CANCELLED:
        living = (RecordState.OPEN, RecordState.SUSPENDED, RecordState.WITHDRAWN, RecordState.FAILED)
        return RecordState.CANCELLED, living
    if desired is DesiredState.SUSPENDED:
        return RecordState.SUSPENDED, (RecordState.OPEN, RecordState.WITHDRAWN)
    return RecordState.OPEN, (RecordState.SUSPENDED, RecordState.WITHDRAWN)


def may_join(rules: Rules, phase: Phase, now: datetime) -> bool:
    """Whether entry is open: from creation until the end, or the start, by the rules."""
    return phase in (Phase.SCHEDULED, Phase.ACTIVE) and now < rules.entry_closes_at


def split_evenly(total: int, parts: int) -> list[int]:
    """Divide `total` into `parts` integers that differ by at most one, larger ones first."""
    share, remainder = divmod(total, parts)
    return [share + 1] * remainder + [share] * (parts - remainder)


def award(rules: Rules, standings: Sequence[Standing]) -> list[Award]:
    """Who gets what. `standings` are the final ones in order, from position 1 to the last that a prize reaches."""
    shared = rules.ties is Ties.SHARED
    return award_shared(rules.prizes, standings) if shared else award_by_position(rules.prizes, standings)


def award_by_position(prizes: Iterable[Prize], standings: Sequence[Standing]) -> list[Award]:
    """Every position gets its own prize: equal scores were already ordered by who came first."""
    return [
        Award(prize.key, standing.user_id, standing.rank, prize.amount)
        for prize in prizes
        for standing in standings[prize.rank_first - 1 : prize.rank_last]
    ]


def award_shared(prizes: Sequence[Prize], standings: Sequence[Standing]) -> list[Award]:
    """Players of equal rank pool the prizes of the positions they hold together and split them evenly.

    The award bears the key of the best prize in the pool. A share of nothing is no award.
    """
    ordered = sorted(prizes, key=lambda prize: prize.rank_first)
    awards: list[Award] = []
    for rank, group in groupby(standings, key=lambda standing: standing.rank):
        tied = list(group)
        last = rank + len(tied) - 1
        reached = [prize for prize in ordered if prize.within(rank, last)]
        pooled = sum(prize.within(rank, last) for prize in reached)
        shares = zip(tied, split_evenly(pooled, len(tied)), strict=True)
        awards += [Award(reached[0].key, player.user_id, rank, share) for player, share in shares if share]
    return awards


def last_rank_paid(prizes: Iterable[Prize]) -> int:
    """The last rank that any prize reaches; 0 without prizes."""
    return max((prize.rank_last for prize in prizes), default=0)


def pool_account(tournament_id: UUID) -> str:
    """Where a tournament's money waits."""
    return f"pool:{tournament_id}"


def player_account(user_id: UUID) -> str:
    """A player's wallet."""
    return f"player:{user_id}"


def transfers(rules: Rules, awards: Iterable[Award], ids: Iterator[UUID]) -> list[Transfer]:
    """The house funds the pool, the pool pays the awards; what nobody won stays in the pool."""
    pool = pool_account(rules.id)
    made = []
    if rules.prize_pool:
        made.append(Transfer(next(ids), "funding", _move(HOUSE, pool, rules.prize_pool)))
    for won in awards:
        postings = _move(pool, player_account(won.user_id), won.amount)
        made.append(Transfer(next(ids), "award", postings, won.prize_key, won.user_id))
    return made


def reversal(award_made: Transfer, new_id: UUID) -> Transfer:
    """The transfer that takes an award back; the award itself stays on record."""
    postings = tuple(Posting(posting.account, -posting.amount) for posting in award_made.postings)
    return Transfer(new_id, "reversal", postings, award_made.prize_key, award_made.user_id, award_made.id)


def _move(source: str, target: str, amount: int) -> tuple[Posting, ...]:
    return (Posting(source, -amount), Posting(target, amount))


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def canonical_rules(rules: Rules) -> str:
    """The rules that decide an outcome as a line of JSON: sorted keys, no spaces, times in microseconds since 1970."""
    document = {
        "id": str(rules.id), "game_id": rules.game_id, "format": "ScoreRace", "keep": rules.keep,
        "order": rules.order, "ties": rules.ties, "starts_at": _microseconds(rules.starts_at),
        "ends_at": _microseconds(rules.ends_at), "prize_pool": rules.prize_pool, "currency": rules.currency,
        "prizes": [
            [prize.key, prize.rank_first, prize.rank_last, prize.amount]
            for prize in sorted(rules.prizes, key=lambda prize: prize.rank_first)
        ],
    }  # fmt: skip
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@dataclass(slots=True)
class Reckoning:
    """Reads final standings once, in order: hashes all of them, keeps those that a prize may reach.

    The digest is the SHA-256 of the line of `canonical_rules`, then one line
    `position rank user_id score reached_at` for each row (single spaces, the time in microseconds since 1970),
    each line ended by a line feed.
    """

    rules: Rules
    players: int = 0
    _paid: list[Standing] = field(default_factory=list)
    _hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _last_rank_paid: int = field(init=False)

    def __post_init__(self) -> None:
        self._last_rank_paid = last_rank_paid(self.rules.prizes)
        self._hash.update(f"{canonical_rules(self.rules)}\n".encode())

    def add(self, row: Standing) -> None:
        """Take the next row."""
        self.players += 1
        line = f"{row.position} {row.rank} {row.user_id} {row.score} {_microseconds(row.reached_at)}\n"
        self._hash.update(line.encode())
        if row.rank <= self._last_rank_paid:
            self._paid.append(row)

    @property
    def digest(self) -> str:
        """Of what was added so far, in hexadecimal."""
        return self._hash.hexdigest()

    def awards(self) -> list[Award]:
        """What the prizes pay over what was added."""
        return award(self.rules, self._paid)


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a tournament ended; `changed` is False when it had been settled before."""

    tournament_id: UUID
    changed: bool
    settled_at: datetime
    standings_digest: str
    awards: int
    paid: int
    unclaimed: int
    currency: str
