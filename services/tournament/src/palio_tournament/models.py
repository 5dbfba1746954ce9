"""What goes over the wire at the tournament routes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from palio_kit.wire import SAFE_INTEGER_MAX, Answer, Instant, Moment, Page, PlainText, Slug, UuidText, Wire
from palio_tournament.domain import DesiredState, EntryPolicy, Keep, Order, Phase, RecordState, Ties, Tournament

_PARTICIPANTS_MAX = 1_000_000
_PRIZES_MAX = 100
_SETTLEMENT_DELAY_MAX_S = 86_400
_EARLIEST_YEAR, _LATEST_YEAR = 2000, 2199

Rank = Annotated[int, Field(ge=1, le=_PARTICIPANTS_MAX)]
Amount = Annotated[int, Field(ge=1, le=SAFE_INTEGER_MAX)]
Name = Annotated[PlainText, Field(min_length=1, max_length=80)]


def _near(moment: datetime) -> datetime:
    if not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise ValueError(f"years {_EARLIEST_YEAR} to {_LATEST_YEAR} are taken")
    return moment


Boundary = Annotated[Moment, AfterValidator(_near)]
"""A start or an end."""


class PrizeRequest(Wire):
    """An amount for each rank of a range."""

    key: Slug | None = Field(None, description="unique in the tournament; `rank-1` or `rank-2-10` if left out")
    rank_first: Rank
    rank_last: Rank
    amount: Amount


class CreateTournament(Wire):
    """A tournament to be; what is left out comes from the game or the defaults."""

    name: Name
    game_id: Slug
    max_participants: int = Field(ge=2, le=_PARTICIPANTS_MAX)
    prize_pool: int = Field(ge=0, le=SAFE_INTEGER_MAX)
    start_time: Boundary
    end_time: Boundary
    keep: Annotated[Keep, Field(strict=False)] | None = None
    order: Annotated[Order, Field(strict=False)] | None = None
    ties: Annotated[Ties, Field(strict=False)] = Ties.EARLIEST_ACHIEVED
    prizes: list[PrizeRequest] | None = Field(
        None, max_length=_PRIZES_MAX, description="together at most `prize_pool`; 50/30/20 per cent of it if left out"
    )
    entry: Annotated[EntryPolicy, Field(strict=False)] = EntryPolicy.UNTIL_END
    settlement_delay_s: int = Field(2, ge=0, le=_SETTLEMENT_DELAY_MAX_S)
    currency: Slug = "coins"


class PutRecord(CreateTournament):
    """A tournament as its resource wants it, in one of the resource's revisions."""

    revision: int = Field(
        ge=1, le=SAFE_INTEGER_MAX, description="the resource's generation; an older one changes nothing"
    )
    owner: UuidText = Field(description="the resource's uid")
    source: Annotated[str, Field(min_length=3, max_length=320)] = Field(description="the resource's namespace/name")
    adopt: bool = Field(False, description="take over the record of an earlier resource of the same namespace and name")
    desired_state: Annotated[DesiredState, Field(strict=False)] = DesiredState.ACTIVE
    created_by: UuidText | None = Field(None, description="who asked for it over REST")


class JoinRequest(Wire):
    """Who wants to play where."""

    tournament_id: UuidText
    user_id: UuidText


class PrizeAnswer(Answer):
    """An amount for each rank of a range."""

    key: str
    rank_first: int
    rank_last: int
    amount: int


class TournamentAnswer(Answer):
    """A tournament as it is now."""

    id: UUID
    name: str
    game_id: str
    format: str = "ScoreRace"
    keep: Keep
    order: Order
    ties: Ties
    phase: Phase
    start_time: Instant
    end_time: Instant
    settles_at: Instant
    entry: EntryPolicy
    max_participants: int
    participants: int
    prize_pool: int
    currency: str
    prizes: list[PrizeAnswer]
    created_by: UUID
    created_at: Instant
    standings_digest: str | None
    settled_at: Instant | None

    @classmethod
    def of(cls, tournament: Tournament) -> "TournamentAnswer":
        """What we tell about a tournament."""
        rules = tournament.rules
        prizes = [
            PrizeAnswer(key=prize.key, rank_first=prize.rank_first, rank_last=prize.rank_last, amount=prize.amount)
            for prize in rules.prizes
        ]
        return cls(
            id=rules.id, name=rules.name, game_id=rules.game_id, keep=rules.keep, order=rules.order, ties=rules.ties,
            phase=tournament.phase, start_time=rules.starts_at, end_time=rules.ends_at, settles_at=rules.settles_at,
            entry=rules.entry, max_participants=rules.max_participants, participants=tournament.participants,
            prize_pool=rules.prize_pool, currency=rules.currency, prizes=prizes, created_by=rules.created_by,
            created_at=tournament.created_at, standings_digest=tournament.standings_digest,
            settled_at=tournament.settled_at,
        )  # fmt: skip


class EntryAnswer(Answer):
    """A place in a tournament."""

    tournament_id: UUID
    user_id: UUID
    joined_at: Instant


class StandingAnswer(Answer):
    """One row of the standings."""

    rank: int
    user_id: UUID
    username: str
    score: int
    reached_at: Instant


class StandingsPage(Page[StandingAnswer]):
    """One page of the standings; `final` ones were frozen by the settlement."""

    order: Order
    ties: Ties
    final: bool


class AwardAnswer(Answer):
    """A prize that was paid."""

    prize_key: str
    user_id: UUID
    username: str
    rank: int
    amount: int
    currency: str
    transfer_id: UUID
    paid_at: Instant
    reversed_at: Instant | None


class AwardsPage(Page[AwardAnswer]):
    """One page of what a tournament paid; `unclaimed` is what its pool still holds."""

    unclaimed: int


class ReversalAnswer(Answer):
    """An award that was taken back."""

    transfer_id: UUID
    reverses: UUID


class BalanceAnswer(Answer):
    """What a wallet holds of one currency."""

    currency: str
    amount: int


class WalletAnswer(Answer):
    """A player's wallet."""

    balances: list[BalanceAnswer]
    entries_url: str = "/api/v1/wallet/entries"


class WalletEntryAnswer(Answer):
    """One movement in a wallet."""

    transfer_id: UUID
    tournament_id: UUID
    tournament_name: str
    kind: str
    prize_key: str | None
    currency: str
    amount: int
    created_at: Instant


class RecordAnswer(Answer):
    """A record as an operator needs it; `now` and `phase` are by the database's clock."""

    id: UUID
    owner: UUID | None
    source: str | None
    revision: int
    state: RecordState
    phase: Phase
    now: Instant
    participants: int
    name: str
    game_id: str
    keep: Keep
    order: Order
    ties: Ties
    start_time: Instant
    end_time: Instant
    settles_at: Instant
    entry: EntryPolicy
    max_participants: int
    prize_pool: int
    currency: str
    prizes: list[PrizeAnswer]
    split_by_default: bool
    standings_digest: str | None
    settled_at: Instant | None
    awards: int
    paid: int
    failure: str | None


class RecordWritten(Answer):
    """A record after it was put; `repaired` says that somebody had changed it beside its resource."""

    record: RecordAnswer
    changed: bool
    repaired: bool
