"""Tells the live feed what happened to tournaments, after it is committed.

Which phase was told last stands in the database, so a settlement by another process is told here, and one of several
replicas tells it. Joins come in floods and are told as the state they led to, at most twice a second each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from palio_kit.events import Publisher
from palio_kit.postgres import Database
from palio_tournament import store
from palio_tournament.domain import Phase, Tournament
from palio_tournament.models import TournamentAnswer

_ANNOUNCED_AT_ONCE = 200
_PRIZES_AT_ONCE = 500
_JOINED_WAITING_MAX = 1_000
_JOINED_AT_ONCE = 20
JOINED_EVERY_S = 0.5

_CHANGES = {
    Phase.ACTIVE: "opened",
    Phase.SETTLING: "closed",
    Phase.COMPLETED: "settled",
    Phase.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Announcer:
    """Publishes `tournament` and `prize` events."""

    database: Database
    publisher: Publisher
    _joined: dict[UUID, None] = field(default_factory=dict)

    def created(self, tournament: object) -> None:
        """Tell of a new tournament, given as the REST answer says it."""
        self.publisher.publish("tournament", {"change": "created", "tournament": tournament})

    def joined(self, tournament_id: UUID) -> None:
        """Tell of a join, soon."""
        if len(self._joined) < _JOINED_WAITING_MAX:
            self._joined[tournament_id] = None

    async def tell_joined(self) -> float:
        """Tell what joins led to (a step of `tasks.running`)."""
        ids = list(self._joined)[:_JOINED_AT_ONCE]
        for tournament_id in ids:
            del self._joined[tournament_id]
        if ids:
            async with self.database.connection() as connection:
                for tournament in await store.tournaments(connection, ids):
                    self._tell("joined", tournament)
        return JOINED_EVERY_S

    async def tell_phases(self) -> None:
        """Tell every phase that was reached and not yet told."""
        while await self._tell_some_phases() == _ANNOUNCED_AT_ONCE:
            pass

    async def _tell_some_phases(self) -> int:
        async with self.database.transaction() as connection:
            reached = dict(await store.announce(connection, _ANNOUNCED_AT_ONCE))
        if not reached:
            return 0
        async with self.database.connection() as connection:
            tournaments = await store.tournaments(connection, list(reached))
            settled = [tournament_id for tournament_id, phase in reached.items() if phase is Phase.COMPLETED]
            paid = await store.awards(connection, settled, limit=_PRIZES_AT_ONCE) if settled else []
        for tournament in tournaments:
            if reached[tournament.id] in _CHANGES:
                self._tell(_CHANGES[reached[tournament.id]], tournament)
        self._tell_prizes(paid)
        return len(reached)

    def _tell(self, change: str, tournament: Tournament) -> None:
        told = TournamentAnswer.of(tournament).model_dump(mode="json")
        self.publisher.publish("tournament", {"change": change, "tournament": told})

    def _tell_prizes(self, paid: Iterable[store.PaidAward]) -> None:
        for one in paid:
            award = one.award
            self.publisher.publish("prize", {
                "tournament_id": str(one.tournament_id), "user_id": str(award.user_id), "rank": award.rank,
                "amount": award.amount, "currency": one.currency,
            })  # fmt: skip
