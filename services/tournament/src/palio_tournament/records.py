"""Records that resources rule: the operator's side of a tournament, one absolute write and one read.

A write says everything, so it may come twice, late, or after somebody edited the row by hand: an older revision
changes nothing, the same one repairs, a newer one changes what the phase still allows. Everything happens under locks
on the record, by the database's clock.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from palio_kit.postgres import Connection, Database
from palio_kit.problems import FieldError, Invalid
from palio_tournament import domain, models, service, store
from palio_tournament.announcer import Announcer
from palio_tournament.domain import Claim, Phase, RecordState, Rules, Tournament
from palio_tournament.errors import RecordOfAnother, TournamentFrozen, TournamentNotFound

NOBODY = UUID(int=0)
"""The creator of what no user of ours created."""

_FIELDS = {
    "starts_at": "start_time", "ends_at": "end_time", "settles_at": "settlement_delay_s",
}  # fmt: skip
_LIVING = (RecordState.OPEN, RecordState.SUSPENDED, RecordState.FAILED)


@dataclass(frozen=True, slots=True)
class Records:
    """What the operator may do with a record."""

    database: Database
    announcer: Announcer
    home: str
    """The platform's own namespace: only there may a resource take over what was made over REST."""

    async def get(self, tournament_id: UUID) -> models.RecordAnswer:
        """The record as it is now.

        Raises:
            TournamentNotFound: there is none.
        """
        async with self.database.connection() as connection:
            answer = await _answer(connection, tournament_id)
        if answer is None:
            raise TournamentNotFound
        return answer

    async def put(self, tournament_id: UUID, request: models.PutRecord) -> models.RecordWritten:
        """Make the record what its resource wants.

        Raises:
            Invalid, GameNotFound: it contradicts the catalogue, the clock or itself.
            TournamentFrozen: something changed that may not change any more; nothing was written.
            RecordOfAnother: the record belongs to another resource.
            TournamentNotFound: there is none to adopt.
        """
        async with self.database.transaction() as connection:
            await store.lock_record(connection, tournament_id)
            before = await _answer(connection, tournament_id)
            repaired = await _write(connection, tournament_id, request, self.home)
            after = await _answer(connection, tournament_id)
        assert after is not None
        await self._tell(before, after)
        changed = before is None or before.model_copy(update={"now": after.now, "phase": after.phase}) != after
        return models.RecordWritten(record=after, changed=changed, repaired=repaired)

    async def withdraw(self, tournament_id: UUID, owner: UUID, *, purge: bool) -> None:
        """Let go of a record whose resource is deleted; doing so again changes nothing.

        What was not settled is closed: kept for a later resource to adopt, or removed if `purge`. What was settled
        stays as it is, and with `purge` is told in no list any more.
        """
        async with self.database.transaction() as connection:
            await store.lock_record(connection, tournament_id)
            kept = await store.record(connection, tournament_id)
            if kept is None or kept.owner != owner:
                return
            if purge and kept.awards == 0 and kept.state is not RecordState.COMPLETED:
                await store.purge_record(connection, tournament_id)
            elif purge:
                await store.hide_record(connection, tournament_id)
            else:
                await store.set_state(connection, tournament_id, RecordState.WITHDRAWN, only_from=_LIVING)
        await self.announcer.tell_phases()

    async def _tell(self, before: models.RecordAnswer | None, after: models.RecordAnswer) -> None:
        if before is None:
            async with self.database.connection() as connection:
                tournament = await store.tournament(connection, after.id)
            if tournament is not None:
                self.announcer.created(models.TournamentAnswer.of(tournament).model_dump(mode="json"))
        elif before.state is not after.state:
            await self.announcer.tell_phases()


async def _write(connection: Connection, tournament_id: UUID, request: models.PutRecord, home: str) -> bool:
    """True if a repair was needed."""
    claim = Claim(UUID(request.owner), request.source, request.revision)
    kept = await store.tournament(connection, tournament_id)
    facts = await store.record(connection, tournament_id)
    if kept is None or facts is None:
        if request.adopt:
            raise TournamentNotFound("There is no record of that id to take over.")
        await _insert(connection, tournament_id, request, claim)
        repaired = False
    else:
        adopted = _adopted(facts, claim, home, adopt=request.adopt)
        if claim.revision < facts.revision and not adopted:
            return False
        anew = adopted or claim.revision > facts.revision
        repaired = await _update(connection, kept, request, claim, anew=anew)
    state, only_from = domain.states_before(request.desired_state)
    moved = await store.set_state(connection, tournament_id, state, only_from=only_from)
    return repaired or (moved and not (kept is None or facts is None or anew))


async def _insert(connection: Connection, tournament_id: UUID, request: models.PutRecord, claim: Claim) -> None:
    facts = await store.creation_facts(connection, request.game_id)
    creator = UUID(request.created_by) if request.created_by else NOBODY
    rules = service.new_rules(request, facts, creator, tournament_id)
    await store.insert_tournament(connection, rules)
    await store.claim(connection, tournament_id, claim)


def _adopted(facts: store.RecordFacts, claim: Claim, home: str, *, adopt: bool) -> bool:
    if facts.owner == claim.owner:
        return False
    if facts.owner is not None and not (adopt and facts.source == claim.source):
        raise RecordOfAnother
    if facts.owner is None and not (adopt and claim.source.startswith(f"{home}/")):
        raise RecordOfAnother(f"The record was made over REST; only a resource in {home} that adopts it takes it over.")
    return True


async def _update(
    connection: Connection, kept: Tournament, request: models.PutRecord, claim: Claim, *, anew: bool
) -> bool:
    """Write what differs; True if it differed though the revision is the same, so somebody had edited the row."""
    wanted = _wanted(kept.rules, request)
    differs = wanted != kept.rules
    if differs and anew:
        await _check_change(connection, kept, wanted)
    await store.claim(connection, kept.id, claim)
    if differs:
        await store.update_rules(connection, wanted, paid=kept.phase is Phase.COMPLETED)
    return differs and not anew


async def _check_change(connection: Connection, kept: Tournament, wanted: Rules) -> None:
    frozen = domain.frozen_changes(kept.rules, wanted, kept.phase)
    if frozen:
        pointers = [FieldError(f"/{_FIELDS.get(name, name)}", "may not change any more") for name in frozen]
        raise TournamentFrozen(errors=pointers)
    if wanted.max_participants < kept.participants:
        raise Invalid(errors=[FieldError("/max_participants", "more players than that have joined")])
    facts = await store.creation_facts(connection, wanted.game_id)
    service.check(wanted.starts_at, wanted.ends_at, facts.now, wanted.prizes, wanted.prize_pool)


def _wanted(kept: Rules, request: models.PutRecord) -> Rules:
    """The rules that the resource wants; scoring it leaves open stays as it was settled at first."""
    return replace(
        kept, name=request.name, game_id=request.game_id, keep=request.keep or kept.keep,
        order=request.order or kept.order, ties=request.ties, starts_at=request.start_time,
        ends_at=request.end_time, settles_at=request.end_time + timedelta(seconds=request.settlement_delay_s),
        entry=request.entry, max_participants=request.max_participants, prize_pool=request.prize_pool,
        currency=request.currency, prizes=service.prizes_of(request),
    )  # fmt: skip


async def _answer(connection: Connection, tournament_id: UUID) -> models.RecordAnswer | None:
    facts = await store.record(connection, tournament_id)
    tournament = await store.tournament(connection, tournament_id)
    if facts is None or tournament is None:
        return None
    told = models.TournamentAnswer.of(tournament)
    shared = {name: getattr(told, name) for name in models.RecordAnswer.model_fields if hasattr(told, name)}
    return models.RecordAnswer(
        **shared, owner=facts.owner, source=facts.source, revision=facts.revision, state=facts.state, now=facts.now,
        split_by_default=tournament.rules.prizes == domain.default_prizes(tournament.rules.prize_pool),
        awards=facts.awards, paid=facts.paid, failure=facts.failure,
    )  # fmt: skip
