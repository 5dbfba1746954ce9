"""What one can do with tournaments: create, find, join, leave, cancel, see standings and prizes, look into a wallet.

Whatever depends on the phase or on the number of places is decided under the tournament's row lock, by the database's
clock read after the lock was granted.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from palio_kit.callers import Caller
from palio_kit.idempotency import Idempotency, Keyed, Outcome
from palio_kit.ids import new_id
from palio_kit.orderings import from_microseconds, to_microseconds
from palio_kit.paging import decode_cursor, encode_cursor
from palio_kit.postgres import Connection, Database
from palio_kit.problems import FieldError, Invalid
from palio_kit.wire import Answer, Page
from palio_tournament import domain, metrics, models, store
from palio_tournament.announcer import Announcer
from palio_tournament.domain import Entry, Order, Phase, Prize, Rules, Tournament
from palio_tournament.errors import (
    AwardNotFound,
    GameNotFound,
    NotEntered,
    TournamentClosed,
    TournamentFull,
    TournamentNotFound,
    TournamentSettled,
    UserNotFound,
)
from palio_tournament.resources import Resources

_RECORD_LOOK_S = 0.05
_MICROSECONDS_MAX = 7_258_118_400_000_000  # the year 2200

Microseconds = Annotated[int, msgspec.Meta(ge=0, le=_MICROSECONDS_MAX)]
Position = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
BigInteger = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class NewestKey(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Where a page of tournaments ends."""

    created_us: Microseconds
    id: UUID


class StandingKey(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Where a page of standings ends: for a running board by its order, for a frozen one by the player."""

    place: BigInteger
    reached_us: Microseconds
    user_id: UUID


class PositionKey(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Where a page of awards ends."""

    position: Position


class TransferKey(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Where a page of wallet entries ends."""

    id: UUID


@dataclass(frozen=True, slots=True)
class Tournaments:
    """The use cases, over this service's database and the live feed."""

    database: Database
    idempotency: Idempotency
    announcer: Announcer
    cluster: Resources | None = None
    record_wait_s: float = 3.0

    # Creating and finding

    async def create(self, caller: Caller, keyed: Keyed, request: models.CreateTournament) -> Outcome:
        """Create a tournament.

        Raises:
            Forbidden: the caller is neither organiser nor admin.
            GameNotFound, Invalid: the body contradicts the catalogue, the clock or itself.
        """
        caller.require("organiser", "admin")

        async def effect(connection: Connection) -> Outcome:
            facts = await store.creation_facts(connection, request.game_id)
            rules = new_rules(request, facts, caller.user_id, new_id())
            if self.cluster is not None:
                uid = await self.cluster.create(rules, request.settlement_delay_s, keyed.key)
                return _outcome(201, models.TournamentAnswer.of(_to_be(replace(rules, id=uid), facts.now)))
            await store.insert_tournament(connection, rules)
            return _outcome(201, models.TournamentAnswer.of(await _found(connection, rules.id)))

        outcome = await self.idempotency.run(str(caller.user_id), keyed, effect)
        if self.cluster is not None:  # the operator writes the record, and that tells the feed
            await self._recorded(UUID(msgspec.json.decode(outcome.body)["id"]))
        elif not outcome.replayed:
            self.announcer.created(msgspec.json.decode(outcome.body))
        return outcome

    async def _recorded(self, tournament_id: UUID) -> None:
        """Wait until the operator has written a record, but not for long: the resource is there, it will come."""
        deadline = time.monotonic() + self.record_wait_s
        while time.monotonic() < deadline:
            async with self.database.connection() as connection:
                if await store.record(connection, tournament_id) is not None:
                    return
            await asyncio.sleep(_RECORD_LOOK_S)

    async def page(
        self, *, game_id: str | None, phase: Phase | None, cursor: str | None, limit: int
    ) -> Page[models.TournamentAnswer]:
        """Tournaments, newest first."""
        key = decode_cursor(cursor, NewestKey) if cursor else None
        after = (from_microseconds(key.created_us), key.id) if key else None
        async with self.database.connection() as connection:
            ids = await store.tournament_ids(connection, game_id=game_id, phase=phase, after=after, limit=limit + 1)
            found = await store.tournaments(connection, ids[:limit])
        more = len(ids) > limit
        last = NewestKey(to_microseconds(found[-1].created_at), found[-1].id) if more and found else None
        return Page[models.TournamentAnswer](
            items=[models.TournamentAnswer.of(one) for one in found], next_cursor=last and encode_cursor(last)
        )

    async def tournament(self, tournament_id: UUID) -> models.TournamentAnswer:
        """One tournament."""
        async with self.database.connection() as connection:
            return models.TournamentAnswer.of(await _found(connection, tournament_id))

    async def cancel(self, caller: Caller, tournament_id: UUID) -> models.TournamentAnswer:
        """Cancel a tournament that is not settled; cancelling again answers the same.

        Raises:
            TournamentNotFound, TournamentSettled: as their names say.
            Forbidden: the caller neither created it nor is an admin.
        """
        async with self.database.transaction() as connection:
            tournament = await _locked(connection, tournament_id)
            kept = await store.record(connection, tournament_id)
            if tournament.rules.created_by != caller.user_id:
                caller.require("admin")
            if tournament.phase is Phase.COMPLETED:
                raise TournamentSettled
            if self.cluster is not None and kept is not None and kept.owner is not None and kept.source is not None:
                await self.cluster.cancel(kept.source, kept.owner)
            await store.cancel(connection, tournament_id)
            cancelled = await _found(connection, tournament_id)
        await self.announcer.tell_phases()
        return models.TournamentAnswer.of(cancelled)

    # Taking part

    async def join(self, caller: Caller, keyed: Keyed, tournament_id: UUID, user_id: UUID) -> Outcome:
        """Give a player a place: 201 the first time, 200 with the same entry after that.

        Raises:
            NotYourself: it is someone else, and the caller is no server.
            TournamentNotFound, TournamentFull, TournamentClosed, UserNotFound: as their names say.
        """
        player = caller.acting_as(user_id)

        async def effect(connection: Connection) -> Outcome:
            if player != caller.user_id and not await store.is_player(connection, player):
                raise UserNotFound(errors=[FieldError("/user_id", "nobody has this id")])
            entry, created = await _enter(connection, tournament_id, player)
            answer = models.EntryAnswer(tournament_id=tournament_id, user_id=player, joined_at=entry.joined_at)
            return _outcome(201 if created else 200, answer)

        outcome = await self.idempotency.run(str(caller.user_id), keyed, effect)
        if outcome.status == 201 and not outcome.replayed:  # noqa: PLR2004 - Created
            metrics.JOINS.inc()
            self.announcer.joined(tournament_id)
        return outcome

    async def leave(self, caller: Caller, tournament_id: UUID, user_id: UUID) -> None:
        """Give a place back, which is possible until the start.

        Raises:
            NotYourself, TournamentNotFound, NotEntered: as their names say.
            TournamentClosed: it has started.
        """
        player = caller.acting_as(user_id)
        async with self.database.transaction() as connection:
            tournament = await _locked(connection, tournament_id)
            _, joined_at = await store.entry_facts(connection, tournament_id, player)
            if joined_at is None:
                raise NotEntered
            if tournament.phase is not Phase.SCHEDULED:
                raise TournamentClosed("Leaving is possible until the start.")
            await store.delete_entry(connection, tournament_id, player)
        self.announcer.joined(tournament_id)

    # Results

    async def standings(self, tournament_id: UUID, *, cursor: str | None, limit: int) -> models.StandingsPage:
        """The board as it runs, or as it was frozen by the settlement; a cursor lives through the freeze."""
        key = decode_cursor(cursor, StandingKey) if cursor else None
        async with self.database.connection() as connection:
            tournament = await _found(connection, tournament_id)
            rows = await _standings(connection, tournament, key, limit + 1)
        items = [
            models.StandingAnswer(
                rank=row.standing.rank, user_id=row.standing.user_id, username=row.username,
                score=row.standing.score, reached_at=row.standing.reached_at,
            )
            for row in rows[:limit]
        ]  # fmt: skip
        more = encode_cursor(_standing_key(tournament.rules.order, items[-1])) if len(rows) > limit else None
        return models.StandingsPage(
            items=items, next_cursor=more, order=tournament.rules.order, ties=tournament.rules.ties,
            final=tournament.phase is Phase.COMPLETED,
        )  # fmt: skip

    async def awards(self, tournament_id: UUID, *, cursor: str | None, limit: int) -> models.AwardsPage:
        """What a tournament paid; nothing before it is settled."""
        after = decode_cursor(cursor, PositionKey).position if cursor else 0
        async with self.database.connection() as connection:
            tournament = await _found(connection, tournament_id)
            paid = await store.awards(connection, [tournament_id], after_position=after, limit=limit + 1)
            pool = domain.pool_account(tournament_id)
            unclaimed = await store.balance(connection, pool, tournament.rules.currency)
        more = encode_cursor(PositionKey(paid[limit - 1].position)) if len(paid) > limit else None
        return models.AwardsPage(items=[_award(one) for one in paid[:limit]], next_cursor=more, unclaimed=unclaimed)

    async def reverse(self, caller: Caller, keyed: Keyed, tournament_id: UUID, award_id: UUID) -> Outcome:
        """Take an award back into the pool by a new transfer: 201 the first time, 200 with the same one after that.

        Raises:
            Forbidden: the caller is no admin.
            TournamentNotFound, AwardNotFound: as their names say.
        """
        caller.require("admin")

        async def effect(connection: Connection) -> Outcome:
            tournament = await _locked(connection, tournament_id)
            reversal_id, created = await _reverse(connection, tournament, award_id, made_by=str(caller.user_id))
            answer = models.ReversalAnswer(transfer_id=reversal_id, reverses=award_id)
            return _outcome(201 if created else 200, answer)

        return await self.idempotency.run(str(caller.user_id), keyed, effect)

    async def wallet(self, caller: Caller) -> models.WalletAnswer:
        """What the caller holds."""
        async with self.database.connection() as connection:
            held = await store.balances(connection, domain.player_account(caller.user_id))
        return models.WalletAnswer(
            balances=[models.BalanceAnswer(currency=currency, amount=amount) for currency, amount in held.items()]
        )

    async def wallet_entries(self, caller: Caller, *, cursor: str | None, limit: int) -> Page[models.WalletEntryAnswer]:
        """What came into the caller's wallet and left it, newest first."""
        before = decode_cursor(cursor, TransferKey).id if cursor else None
        async with self.database.connection() as connection:
            account = domain.player_account(caller.user_id)
            entries = await store.wallet_entries(connection, account, before=before, limit=limit + 1)
        more = encode_cursor(TransferKey(entries[limit - 1].transfer_id)) if len(entries) > limit else None
        return Page[models.WalletEntryAnswer](
            items=[
                models.WalletEntryAnswer(
                    transfer_id=entry.transfer_id, tournament_id=entry.tournament_id,
                    tournament_name=entry.tournament_name, kind=entry.kind, prize_key=entry.prize_key,
                    currency=entry.currency, amount=entry.amount, created_at=entry.created_at,
                )
                for entry in entries[:limit]
            ],
            next_cursor=more,
        )  # fmt: skip


def _to_be(rules: Rules, now: datetime) -> Tournament:
    """A tournament that was just asked for, before its record is written."""
    phase = Phase.SCHEDULED if now < rules.starts_at else Phase.ACTIVE
    return Tournament(rules, phase, 0, now, None, None)


async def _found(connection: Connection, tournament_id: UUID) -> Tournament:
    tournament = await store.tournament(connection, tournament_id)
    if tournament is None:
        raise TournamentNotFound
    return tournament


async def _locked(connection: Connection, tournament_id: UUID) -> Tournament:
    """The tournament, held until the transaction ends; its phase is that of the clock after the lock was granted."""
    if not await store.lock(connection, tournament_id):
        raise TournamentNotFound
    return await _found(connection, tournament_id)


async def _enter(connection: Connection, tournament_id: UUID, player: UUID) -> tuple[Entry, bool]:
    tournament = await _locked(connection, tournament_id)
    now, joined_at = await store.entry_facts(connection, tournament_id, player)
    if joined_at is not None:
        return Entry(tournament_id, player, joined_at), False
    if not domain.may_join(tournament.rules, tournament.phase, now):
        raise TournamentClosed
    if tournament.participants >= tournament.rules.max_participants:
        raise TournamentFull
    entry = Entry(tournament_id, player, now)
    await store.insert_entry(connection, entry)
    return entry, True


async def _reverse(
    connection: Connection, tournament: Tournament, award_id: UUID, *, made_by: str
) -> tuple[UUID, bool]:
    award = await store.transfer(connection, tournament.id, award_id)
    if award is None or award.kind != "award":
        raise AwardNotFound
    earlier = await store.reversal_of(connection, award_id)
    if earlier is not None:
        return earlier, False
    reversal = domain.reversal(award, new_id())
    await store.pay(connection, {tournament.id: (tournament.rules.currency, [reversal])}, made_by=made_by)
    return reversal.id, True


async def _standings(
    connection: Connection, tournament: Tournament, key: StandingKey | None, limit: int
) -> list[store.NamedStanding]:
    if tournament.phase is Phase.COMPLETED:
        return await store.final_standings(connection, tournament.id, after=key.user_id if key else None, limit=limit)
    after = store.BoardPlace(key.place, from_microseconds(key.reached_us), key.user_id) if key else None
    return await store.live_standings(connection, tournament.rules, after=after, limit=limit)


def _standing_key(order: Order, row: models.StandingAnswer) -> StandingKey:
    place = -row.score if order is Order.DESCENDING else row.score
    return StandingKey(place, to_microseconds(row.reached_at), row.user_id)


def new_rules(
    request: models.CreateTournament, facts: store.CreationFacts, creator: UUID, tournament_id: UUID
) -> Rules:
    """The rules of a tournament to be created.

    Raises:
        GameNotFound, Invalid: the request contradicts the catalogue, the clock or itself.
    """
    if facts.keep is None or facts.order is None:
        raise GameNotFound(errors=[FieldError("/game_id", "no game has this id")])
    prizes = prizes_of(request)
    check(request.start_time, request.end_time, facts.now, prizes, request.prize_pool)
    return Rules(
        id=tournament_id, name=request.name, game_id=request.game_id, keep=request.keep or facts.keep,
        order=request.order or facts.order, ties=request.ties, starts_at=request.start_time,
        ends_at=request.end_time, settles_at=request.end_time + timedelta(seconds=request.settlement_delay_s),
        entry=request.entry, max_participants=request.max_participants, prize_pool=request.prize_pool,
        currency=request.currency, prizes=prizes, created_by=creator,
    )  # fmt: skip


def prizes_of(request: models.CreateTournament) -> tuple[Prize, ...]:
    """The prizes a request asks for, best first; its pool divided if it names none."""
    if request.prizes is None:
        return domain.default_prizes(request.prize_pool)
    return tuple(
        Prize(asked.key or domain.prize_key(asked.rank_first, asked.rank_last), asked.rank_first, asked.rank_last,
              asked.amount)
        for asked in sorted(request.prizes, key=lambda asked: asked.rank_first)
    )  # fmt: skip


def check(start: datetime, end: datetime, now: datetime, prizes: tuple[Prize, ...], prize_pool: int) -> None:
    """Go on only with a window and prizes that hold.

    Raises:
        Invalid: they do not; its pointers say where.
    """
    try:
        domain.check_window(start, end, now)
        domain.check_prizes(prizes, prize_pool)
    except domain.BadWindow as error:
        raise Invalid(errors=[FieldError(f"/{error.field}", str(error))]) from error
    except domain.BadPrizes as error:
        raise Invalid(errors=[FieldError("/prizes", str(error))]) from error


def _award(paid: store.PaidAward) -> models.AwardAnswer:
    award = paid.award
    return models.AwardAnswer(
        prize_key=award.prize_key, user_id=award.user_id, username=paid.username, rank=award.rank,
        amount=award.amount, currency=paid.currency, transfer_id=paid.transfer_id, paid_at=paid.paid_at,
        reversed_at=paid.reversed_at,
    )  # fmt: skip


def _outcome(status: int, answer: Answer) -> Outcome:
    return Outcome(status, answer.model_dump_json().encode())
