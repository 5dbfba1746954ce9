"""All SQL of the tournament service: tournaments and entries, settlement, the ledger.

Functions take the connection they run on, so that whoever opens a transaction sees its whole extent. What a statement
guarantees is said in its file.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg

from palio_kit.postgres import Connection
from palio_kit.postgres import sql as load_sql
from palio_tournament.domain import (
    Award,
    Claim,
    Entry,
    EntryPolicy,
    Keep,
    Order,
    Phase,
    Posting,
    Prize,
    RecordState,
    Rules,
    Settlement,
    Standing,
    Ties,
    Tournament,
    Transfer,
)

sql = partial(load_sql, "palio_tournament")

_ROWS_PER_READ = 2_000
_ROWS_PER_INSERT = 10_000


@dataclass(frozen=True, slots=True)
class CreationFacts:
    """What creating a tournament depends on; `keep` and `order` are None if there is no such game."""

    now: datetime
    keep: Keep | None
    order: Order | None


@dataclass(frozen=True, slots=True)
class NamedStanding:
    """A standing with its player's name."""

    standing: Standing
    username: str


@dataclass(frozen=True, slots=True)
class PaidAward:
    """An award with the transfer that paid it."""

    tournament_id: UUID
    award: Award
    position: int
    username: str
    currency: str
    transfer_id: UUID
    paid_at: datetime
    reversed_at: datetime | None


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """One movement in a player's account."""

    transfer_id: UUID
    tournament_id: UUID
    tournament_name: str
    kind: str
    prize_key: str | None
    currency: str
    amount: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BoardPlace:
    """Where in a board's order a page ends; `place` is smaller for better scores."""

    place: int
    reached_at: datetime
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Due:
    """A tournament to settle, and how large it may be."""

    tournament_id: UUID
    participants: int


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What an operator must know of a record besides the tournament itself."""

    state: RecordState
    revision: int
    owner: UUID | None
    source: str | None
    failure: str | None
    now: datetime
    awards: int
    paid: int


# Tournaments


async def creation_facts(connection: Connection, game_id: str) -> CreationFacts:
    """The clock and the game's defaults."""
    row = await _one(connection, "creation_facts", game_id)
    if row["keep"] is None:
        return CreationFacts(row["now"], None, None)
    return CreationFacts(row["now"], Keep(row["keep"]), Order(row["score_order"]))


async def insert_tournament(connection: Connection, rules: Rules) -> None:
    """Write a tournament down."""
    await connection.execute(
        sql("insert_tournament"), rules.id, rules.name, rules.game_id, rules.keep, rules.order, rules.ties,
        rules.starts_at, rules.ends_at, rules.settles_at, rules.entry, rules.max_participants, rules.prize_pool,
        rules.currency, rules.created_by,
    )  # fmt: skip
    await connection.execute(
        sql("insert_prizes"), rules.id, [prize.key for prize in rules.prizes],
        [prize.rank_first for prize in rules.prizes], [prize.rank_last for prize in rules.prizes],
        [prize.amount for prize in rules.prizes],
    )  # fmt: skip


async def tournaments(connection: Connection, ids: Sequence[UUID]) -> list[Tournament]:
    """Those of the ids that there are, in the ids' order."""
    rows = await connection.fetch(sql("tournaments_by_id"), ids)
    prizes: dict[UUID, list[Prize]] = defaultdict(list)
    for row in await connection.fetch(sql("prizes_by_tournament"), ids):
        prizes[row["tournament_id"]].append(
            Prize(row["key"], row["rank_first"], row["rank_last"], row["amount"]),
        )
    found = {row["id"]: _tournament(row, prizes[row["id"]]) for row in rows}
    return [found[tournament_id] for tournament_id in ids if tournament_id in found]


async def tournament(connection: Connection, tournament_id: UUID) -> Tournament | None:
    """One tournament."""
    found = await tournaments(connection, [tournament_id])
    return found[0] if found else None


async def tournament_ids(
    connection: Connection,
    *,
    game_id: str | None,
    phase: Phase | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[UUID]:
    """One page of ids, newest first."""
    created_at, last_id = after or (None, None)
    rows = await connection.fetch(sql("tournaments_page"), game_id, phase, created_at, last_id, limit)
    return [row["id"] for row in rows]


async def lock(connection: Connection, tournament_id: UUID) -> bool:
    """Hold a tournament's row until the transaction ends; False if there is none."""
    return await connection.fetchval(sql("lock_tournament"), tournament_id) is not None


async def cancel(connection: Connection, tournament_id: UUID) -> None:
    """Cancel a locked tournament that is not settled."""
    await connection.execute(sql("cancel"), tournament_id)


async def reopen(connection: Connection, tournament_id: UUID) -> bool:
    """Let a failed tournament be settled again; False if it is not failed."""
    return bool((await connection.execute(sql("reopen"), tournament_id)).endswith(" 1"))


# Records that resources rule


async def lock_record(connection: Connection, tournament_id: UUID) -> None:
    """Hold a record, there or not, until the transaction ends: against other writers, and against settlement."""
    await connection.execute(sql("lock_record"), tournament_id)
    await connection.execute(sql("lock_tournament"), tournament_id)


async def record(connection: Connection, tournament_id: UUID) -> RecordFacts | None:
    """How a record stands."""
    row = await connection.fetchrow(sql("record"), tournament_id)
    if row is None:
        return None
    return RecordFacts(
        RecordState(row["state"]), row["revision"], row["owner"], row["source"], row["failure"], row["now"],
        row["awards"], row["paid"],
    )  # fmt: skip


async def claim(connection: Connection, tournament_id: UUID, claim: Claim) -> None:
    """Say what a locked record was written from."""
    await connection.execute(sql("claim_record"), tournament_id, claim.revision, claim.owner, claim.source)


async def update_rules(connection: Connection, rules: Rules, *, paid: bool) -> None:
    """Write the rules of a locked record anew.

    Args:
        paid: its prizes were paid, so they can be given their values back but not exchanged.
    """
    await connection.execute(
        sql("update_rules"), rules.id, rules.name, rules.game_id, rules.keep, rules.order, rules.ties,
        rules.starts_at, rules.ends_at, rules.settles_at, rules.entry, rules.max_participants, rules.prize_pool,
        rules.currency,
    )  # fmt: skip
    if not paid:
        await connection.execute(sql("delete_prizes"), rules.id)
    await connection.execute(
        sql("restore_prizes" if paid else "insert_prizes"), rules.id, [prize.key for prize in rules.prizes],
        [prize.rank_first for prize in rules.prizes], [prize.rank_last for prize in rules.prizes],
        [prize.amount for prize in rules.prizes],
    )  # fmt: skip


async def set_state(
    connection: Connection, tournament_id: UUID, state: RecordState, *, only_from: Sequence[RecordState]
) -> bool:
    """Move a locked record to a state; False if it was in none of those."""
    return bool((await connection.execute(sql("set_state"), tournament_id, state, only_from)).endswith(" 1"))


async def hide_record(connection: Connection, tournament_id: UUID) -> None:
    """Leave a locked record out of lists from now on."""
    await connection.execute(sql("hide_record"), tournament_id)


async def purge_record(connection: Connection, tournament_id: UUID) -> None:
    """Remove a locked record that paid nothing, with entries and prizes."""
    await connection.execute(sql("purge_record"), tournament_id)


# Entries


async def entry_facts(connection: Connection, tournament_id: UUID, user_id: UUID) -> tuple[datetime, datetime | None]:
    """The database's clock, and when the player joined. The tournament's row must be locked."""
    row = await _one(connection, "entry_facts", tournament_id, user_id)
    return row["now"], row["joined_at"]


async def insert_entry(connection: Connection, entry: Entry) -> None:
    """Give a player a place. The tournament's row must be locked and have one left."""
    await connection.execute(sql("insert_entry"), entry.tournament_id, entry.user_id, entry.joined_at)


async def delete_entry(connection: Connection, tournament_id: UUID, user_id: UUID) -> None:
    """Give a place back. The tournament's row must be locked."""
    await connection.execute(sql("delete_entry"), tournament_id, user_id)


async def is_player(connection: Connection, user_id: UUID) -> bool:
    """Whether somebody of that id has an account."""
    return bool(await connection.fetchval(sql("is_player"), user_id))


# Standings


async def live_standings(
    connection: Connection, rules: Rules, *, after: BoardPlace | None, limit: int
) -> list[NamedStanding]:
    """One page of a running board."""
    place = (after.place, after.reached_at, after.user_id) if after else (None, None, None)
    rows = await connection.fetch(sql("live_standings"), board(rules.id), rules.order, rules.ties, *place, limit)
    return [NamedStanding(_standing(row), row["username"]) for row in rows]


async def final_standings(
    connection: Connection, tournament_id: UUID, *, after: UUID | None, limit: int
) -> list[NamedStanding]:
    """One page of frozen standings, after a player."""
    rows = await connection.fetch(sql("final_standings"), tournament_id, after, limit)
    return [NamedStanding(_standing(row), row["username"]) for row in rows]


def board(tournament_id: UUID) -> str:
    """The name of a tournament's board."""
    return f"tournament:{tournament_id}"


# Settlement


async def due(connection: Connection, limit: int) -> list[Due]:
    """What must be settled now, oldest first."""
    return [Due(row["id"], row["participants"]) for row in await connection.fetch(sql("due"), limit)]


async def pass_barrier(connection: Connection) -> None:
    """Return once every score accepted before this moment is committed."""
    await connection.execute("SET LOCAL lock_timeout = '500ms'")
    await connection.execute(sql("barrier"))


async def allow_long_work(connection: Connection) -> None:
    """Let a settlement's transaction think longer between statements, and wait longer for a rival, than a request's."""
    await connection.execute(
        "SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL lock_timeout = '20s'",
    )


async def lock_due(connection: Connection, ids: Collection[UUID], *, wait: bool) -> list[UUID]:
    """Hold those that are still due; ones held by another settler are awaited or left out."""
    rows = await connection.fetch(sql("await_due" if wait else "lock_due"), ids)
    return [row["id"] for row in rows]


async def freeze_standings(connection: Connection, ids: Sequence[UUID]) -> None:
    """Copy the boards of locked tournaments. The barrier must have been passed after their ends."""
    await connection.execute(sql("freeze_standings"), ids, [board(tournament_id) for tournament_id in ids])


async def frozen_standings(connection: Connection, ids: Sequence[UUID]) -> AsyncIterator[tuple[UUID, Standing]]:
    """The frozen rows of tournaments, each one's in order. Needs a transaction; holds 2,000 rows at a time."""
    async for row in connection.cursor(sql("frozen_standings"), ids, prefetch=_ROWS_PER_READ):
        yield row["tournament_id"], _standing(row)


async def pay(connection: Connection, made: Mapping[UUID, tuple[str, Sequence[Transfer]]], *, made_by: str) -> None:
    """Record transfers: tournament id → currency and transfers. At commit each must balance."""
    rows = [(transfer, at, currency) for at, (currency, several) in made.items() for transfer in several]
    for first in range(0, len(rows), _ROWS_PER_INSERT):
        await _pay(connection, rows[first : first + _ROWS_PER_INSERT], made_by)


async def _pay(connection: Connection, rows: Sequence[tuple[Transfer, UUID, str]], made_by: str) -> None:
    await connection.execute(
        sql("insert_transfers"),
        [transfer.id for transfer, _, _ in rows],
        [tournament_id for _, tournament_id, _ in rows],
        [transfer.kind for transfer, _, _ in rows],
        [transfer.prize_key for transfer, _, _ in rows],
        [transfer.user_id for transfer, _, _ in rows],
        [transfer.reverses for transfer, _, _ in rows],
        made_by,
    )
    sides = [(transfer.id, side, currency) for transfer, _, currency in rows for side in transfer.postings]
    await connection.execute(
        sql("insert_ledger_entries"),
        [transfer_id for transfer_id, _, _ in sides],
        [side.account for _, side, _ in sides],
        [currency for _, _, currency in sides],
        [side.amount for _, side, _ in sides],
    )


async def complete(connection: Connection, digests: Mapping[UUID, str]) -> None:
    """Close settled tournaments for ever."""
    await connection.execute(sql("complete"), list(digests), list(digests.values()))


async def note_failure(connection: Connection, tournament_id: UUID, reason: str, *, attempts_max: int) -> None:
    """Count a failed attempt; at `attempts_max` the tournament is failed."""
    await connection.execute(sql("note_failure"), tournament_id, reason, attempts_max)


async def settlement(connection: Connection, tournament_id: UUID, *, changed: bool) -> Settlement | None:
    """How a tournament was settled, if it was."""
    row = await connection.fetchrow(sql("settlement"), tournament_id)
    if row is None:
        return None
    return Settlement(
        tournament_id, changed, row["settled_at"], row["standings_digest"], row["awards"], row["paid"],
        row["unclaimed"], row["currency"],
    )  # fmt: skip


# Announcements


async def announce(connection: Connection, limit: int) -> list[tuple[UUID, Phase]]:
    """Phases that were reached and never told; each is returned once, to one caller."""
    rows = await connection.fetch(sql("announce"), limit)
    return [(row["id"], Phase(row["phase"])) for row in rows]


async def seconds_to_next_boundary(connection: Connection) -> float | None:
    """How long until something starts, ends or is to be settled; None if nothing is to come."""
    seconds: float | None = await connection.fetchval(sql("next_boundary"))
    return seconds


# The ledger


async def awards(
    connection: Connection, ids: Sequence[UUID], *, after_position: int = 0, limit: int
) -> list[PaidAward]:
    """What tournaments paid, by tournament and final position."""
    return [_paid(row) for row in await connection.fetch(sql("awards"), ids, after_position, limit)]


async def balance(connection: Connection, account: str, currency: str) -> int:
    """What an account holds of one currency."""
    return int(await connection.fetchval(sql("pool_balance"), account, currency))


async def balances(connection: Connection, account: str) -> dict[str, int]:
    """What an account holds, by currency."""
    return {row["currency"]: row["amount"] for row in await connection.fetch(sql("wallet_balances"), account)}


async def wallet_entries(connection: Connection, account: str, *, before: UUID | None, limit: int) -> list[WalletEntry]:
    """An account's movements, newest first."""
    rows = await connection.fetch(sql("wallet_entries"), account, before, limit)
    return [WalletEntry(**row) for row in rows]


async def transfer(connection: Connection, tournament_id: UUID, transfer_id: UUID) -> Transfer | None:
    """A transfer with its postings."""
    row = await connection.fetchrow(sql("transfer"), transfer_id, tournament_id)
    if row is None:
        return None
    postings = tuple(Posting(*side) for side in zip(row["accounts"], row["amounts"], strict=True))
    return Transfer(row["id"], row["kind"], postings, row["prize_key"], row["user_id"], row["reverses"])


async def reversal_of(connection: Connection, award_id: UUID) -> UUID | None:
    """The transfer that took an award back."""
    found: UUID | None = await connection.fetchval(sql("reversal_of"), award_id)
    return found


# Rows to values


async def _one(connection: Connection, name: str, *values: object) -> asyncpg.Record:
    row = await connection.fetchrow(sql(name), *values)
    assert row is not None, name
    return row


def _tournament(row: asyncpg.Record, prizes: Sequence[Prize]) -> Tournament:
    rules = Rules(
        row["id"], row["name"], row["game_id"], Keep(row["keep"]), Order(row["score_order"]), Ties(row["ties"]),
        row["starts_at"], row["ends_at"], row["settles_at"], EntryPolicy(row["entry"]), row["max_participants"],
        row["prize_pool"], row["currency"], tuple(prizes), row["created_by"],
    )  # fmt: skip
    return Tournament(
        rules, Phase(row["phase"]), row["participants"], row["created_at"], row["standings_digest"], row["settled_at"]
    )


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(row["position"], row["rank"], row["user_id"], row["score"], row["reached_at"])


def _paid(row: asyncpg.Record) -> PaidAward:
    return PaidAward(
        row["tournament_id"], Award(row["prize_key"], row["user_id"], row["rank"], row["amount"]), row["position"],
        row["username"], row["currency"], row["transfer_id"], row["paid_at"], row["reversed_at"],
    )  # fmt: skip
