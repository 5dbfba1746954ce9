"""PostgreSQL: submissions, standings, idempotency keys, and the notes of what Redis may not have.

One flush is one transaction: the acceptance lock rides with BEGIN, the clock and the open tournaments are read,
standings take their shares in one statement, submissions are written with what counted. Everybody locks rows in one
order, so concurrent flushes wait for each other and never deadlock.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from palio_kit.postgres import Connection, Database, sql
from palio_score.domain import (
    GLOBAL,
    Board,
    Rules,
    Seat,
    Share,
    Sheet,
    Standing,
    Window,
    board_kind,
    fold,
    game_board,
    tournament_board,
)

SUBMIT_ROUTE = "POST /api/v1/scores"
BATCH_ROUTE = "POST /api/v1/scores/batch"

_ACCEPTANCE_LOCK = "SELECT pg_advisory_xact_lock_shared(7461, 1)"
_FIRST_ID = UUID(int=0)
ROW_BYTES = 40
_encode = msgspec.json.Encoder().encode
_USER_BYTES = 16


@dataclass(frozen=True, slots=True)
class Submission:
    """A stored submission."""

    submission_id: UUID
    user_id: UUID
    game_id: str
    score: int
    accepted_at: datetime
    counted: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept under an idempotency key; the body is empty until the answer was added."""

    fingerprint: bytes
    status: int
    body: bytes
    submission_id: UUID | None
    young: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """A flush that Redis may not have."""

    flush_id: UUID
    boards: list[str]
    users: list[UUID]


class Claim(Struct, frozen=True, gc=False):
    """An idempotency key and what it stands for; the fingerprint in hexadecimal."""

    caller: str
    key: str
    fingerprint: str
    submission_id: str


class KeyedAnswer(Struct, frozen=True, gc=False):
    """The exact answer to keep under a key."""

    caller: str
    key: str
    fingerprint: str
    submission_id: str
    body: str


class NewSubmission(Struct, frozen=True, gc=False):
    """A submission as record.sql takes it."""

    id: str
    user_id: str
    game_id: str
    score: int
    accepted_at: datetime
    counted: bool


class _Play(Struct, frozen=True, gc=False):
    game_id: str
    user_id: str


class _ShareRow(Struct, frozen=True, gc=False):
    board: str
    user_id: str
    rule: str
    score: int
    total: int
    reached_at: datetime
    submissions: int
    counts_globally: bool


class _Entered(Struct, gc=False):
    """An open tournament that a player has joined."""

    tournament_id: str
    game_id: str
    user_id: str
    keep: str
    score_order: str
    ties: str
    starts_at: datetime
    ends_at: datetime
    joined_at: datetime


class _Taken(Struct, gc=False):
    """A standing that took a share: found by `position` in what was sent, global ones by their player."""

    score: int
    total: int
    reached_at: datetime
    version: int
    submissions: int
    previous_score: int | None
    previous_reached_at: datetime | None
    position: int = 0
    user_id: str = ""

    def tell(self, seat: Seat, share: Share) -> None:
        """Tell the seat what stands now and what stood before."""
        now = Standing(self.score, self.total, self.reached_at, self.version, self.submissions)
        held = None
        if self.previous_score is not None and self.previous_reached_at is not None:
            changed = (self.score, self.reached_at) != (self.previous_score, self.previous_reached_at)
            held = Standing(
                self.previous_score, self.total - share.total, self.previous_reached_at, self.version - changed,
                self.submissions - share.submissions,
            )  # fmt: skip
        seat.took(held, now)


_decode_entered = msgspec.json.Decoder(list[_Entered]).decode
_decode_taken = msgspec.json.Decoder(list[_Taken]).decode
_NO_SHARE = Share(0, 0, datetime.min.replace(tzinfo=UTC), 0)


class Flush:
    """One open transaction that holds the acceptance lock."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self, sheet: Sheet) -> datetime:
        """The database's clock; adds the open tournaments that players of the sheet have joined."""
        asked = _document([_Play(game_id, user_id) for game_id, user_id in sheet.places])
        row = await self._connection.fetchrow(_sql("open_windows"), asked)
        assert row is not None
        for entered in _decode_entered(row["entered"]):
            board = tournament_board(entered.tournament_id, entered.score_order, entered.keep, entered.ties)
            seat = sheet.seat(board, entered.user_id)
            window = Window(entered.tournament_id, seat, entered.starts_at, entered.ends_at, entered.joined_at)
            sheet.places[entered.game_id, entered.user_id].windows.append(window)
        now: datetime = row["now"]
        return now

    async def take(self, sheet: Sheet) -> None:
        """Let standings take what was played; each seat learns what stands now and what stood before."""
        seats = sheet.played()
        shares = [fold(seat.board, seat.efforts) for seat in seats]
        asked = _document([_share_row(seat, share) for seat, share in zip(seats, shares, strict=True)])
        row = await self._connection.fetchrow(_sql("take"), asked)
        assert row is not None
        for taken in _decode_taken(row["taken"]):
            taken.tell(seats[taken.position - 1], shares[taken.position - 1])
        for taken in _decode_taken(row["overall"]):
            taken.tell(sheet.overall[taken.user_id], _NO_SHARE)

    async def claim(self, claims: Mapping[int, Claim]) -> dict[int, Kept | None]:
        """Claim keys; those taken before, with what is kept there (None: swept this moment).

        Raises:
            asyncpg.LockNotAvailableError: a twin in another process has not ended in time.
        """
        rows = await self._connection.fetch(_sql("claim_keys"), SUBMIT_ROUTE, _document(list(claims.values())))
        if len(rows) == len(claims):
            return {}
        claimed = {(row[0], row[1]) for row in rows}
        taken = {index: claim for index, claim in claims.items() if (claim.caller, claim.key) not in claimed}
        callers, keys = [claim.caller for claim in taken.values()], [claim.key for claim in taken.values()]
        return dict(zip(taken, await _find_keys(self._connection, callers, keys), strict=True))

    async def record(
        self, submissions: Sequence[NewSubmission], changed: Sequence[Seat], *, flush_id: UUID, applied: Sequence[UUID]
    ) -> None:
        """Write the submissions, note what Redis has to learn, forget the flushes that it has."""
        boards = _array({seat.board.name for seat in changed})
        users = _array({seat.user_id for seat in changed})
        await self._connection.execute(_sql("record"), _document(submissions), flush_id, boards, users, applied)


def _share_row(seat: Seat, share: Share) -> _ShareRow:
    return _ShareRow(
        seat.board.name, seat.user_id, seat.board.rule, share.score, share.total, share.reached_at, share.submissions,
        seat.counts_globally,
    )  # fmt: skip


def _document(rows: Sequence[Struct]) -> str:
    """Rows as one JSON parameter: through asyncpg an array a column costs five times as much to send."""
    return _encode(rows).decode()


def _array(words: Iterable[str]) -> str:
    """An array literal of ids and names of boards, which need no quotes; cheap for the same reason."""
    return "{" + ",".join(words) + "}"


class Rebuilding:
    """One open transaction that holds the right to rebuild a board."""

    def __init__(self, connection: Connection, board: Board) -> None:
        self._connection = connection
        self._board = board

    async def more_than(self, players: int) -> bool:
        """Whether the board has more players."""
        more: bool = await self._connection.fetchval(_sql("more_than"), self._board.name, players)
        return more

    async def chunk(self, after: UUID | None, rows: int) -> bytes:
        """The next packed standings after a player; empty at the end."""
        packed: bytes | None = await self._connection.fetchval(
            _sql("packed_chunk"), self._board.name, self._board.more_is_better, after or _FIRST_ID, rows
        )
        return packed or b""


def last_player(packed: bytes) -> UUID:
    """The player of the last packed standing."""
    return UUID(bytes=packed[-ROW_BYTES : -ROW_BYTES + _USER_BYTES])


class Store:
    """The score schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def flush(self) -> AsyncIterator[Flush]:
        """One flush's transaction; see `Database.transaction` for what it raises."""
        async with self._database.transaction(opening=_ACCEPTANCE_LOCK) as connection:
            yield Flush(connection)

    async def flush_within(self, connection: Connection) -> Flush:
        """A flush in a transaction that is open already."""
        await connection.execute(_ACCEPTANCE_LOCK)
        return Flush(connection)

    @asynccontextmanager
    async def rebuilding(self, board: Board) -> AsyncIterator[Rebuilding | None]:
        """The right to rebuild a board while the block lasts; None if somebody else has it."""
        async with self._database.transaction() as connection:
            mine = await connection.fetchval(_sql("lock_rebuild"), board.name)
            yield Rebuilding(connection, board) if mine else None

    async def keep_bodies(self, answers: Sequence[KeyedAnswer]) -> None:
        """Add the exact answers to their keys."""
        async with self._database.connection() as connection:
            await connection.execute(_sql("keep_bodies"), SUBMIT_ROUTE, _document(answers))

    async def find_keys(self, callers: Sequence[str], keys: Sequence[str]) -> list[Kept | None]:
        """What is kept under each key."""
        async with self._database.connection() as connection:
            return await _find_keys(connection, callers, keys)

    async def submissions(self, ids: Sequence[UUID]) -> dict[UUID, Submission]:
        """Submissions by id."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_sql("find_submissions"), ids)
        return {row["id"]: _submission(row) for row in rows}

    async def history(self, user_id: UUID, game_id: str | None, before: UUID, count: int) -> list[Submission]:
        """Up to `count` submissions of a player with ids below `before`, newest first."""
        async with self._database.connection() as connection:
            return [
                _submission(row) for row in await connection.fetch(_sql("history"), user_id, before, game_id, count)
            ]

    async def recent(self, count: int) -> list[tuple[Submission, str]]:
        """The newest submissions of all players and their players' names."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_sql("recent"), count)
        return [(_submission(row), row["username"] or "") for row in rows]

    async def rules(self, game_id: str) -> Rules | None:
        """The rules of a game."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_sql("game_rules"), game_id)
        if row is None:
            return None
        board = game_board(row["game_id"], row["score_order"], row["keep"])
        return Rules(row["game_id"], board, row["score_min"], row["score_max"], row["counts_globally"])

    async def board(self, name: str) -> Board | None:
        """A board by its name."""
        kind, identifier = board_kind(name)
        if kind == "game":
            rules = await self.rules(identifier)
            return None if rules is None else rules.board
        if kind == "tournament":
            return await self._tournament_board(identifier)
        return GLOBAL if kind else None

    async def _tournament_board(self, identifier: str) -> Board | None:
        try:
            tournament_id = UUID(identifier)
        except ValueError:
            return None
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_sql("tournament_board"), tournament_id)
        return None if row is None else tournament_board(tournament_id, row["score_order"], row["keep"], row["ties"])

    async def usernames(self, users: Sequence[str]) -> dict[str, str]:
        """Names of those who exist, by id."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_sql("usernames"), users)
        return {str(row["user_id"]): row["username"] for row in rows}

    async def active_boards(self) -> list[str]:
        """Names of the boards that are being played on."""
        async with self._database.connection() as connection:
            return [row["board"] for row in await connection.fetch(_sql("active_boards"))]

    async def pending(self, count: int) -> list[Pending]:
        """The oldest flushes that Redis may not have."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_sql("pending"), count)
        return [Pending(row["flush_id"], row["boards"], row["users"]) for row in rows]

    async def more_pending_than(self, count: int) -> bool:
        """Whether more flushes than that wait."""
        async with self._database.connection() as connection:
            more: bool = await connection.fetchval(_sql("many_pending"), count)
        return more

    @asynccontextmanager
    async def dropping_pending(self, count: int) -> AsyncIterator[list[str]]:
        """Drop the oldest notes when the block ends; yields the boards that the block must see to."""
        async with self._database.transaction() as connection:
            yield [row["board"] for row in await connection.fetch(_sql("drop_pending"), count)]

    async def forget_pending(self, flushes: Sequence[UUID]) -> None:
        """Redis has these."""
        async with self._database.connection() as connection:
            await connection.execute(_sql("forget_pending"), flushes)

    async def packed_standings(self, board: Board, users: Sequence[UUID]) -> bytes:
        """Some players' standings on one board, packed."""
        async with self._database.connection() as connection:
            packed = await connection.fetchval(_sql("packed_standings"), board.name, board.more_is_better, users)
        return packed or b""

    async def undurable_settings(self) -> list[str]:
        """The server's settings that would lose acknowledged scores."""
        async with self._database.connection() as connection:
            return [f"{row['name']}={row['setting']}" for row in await connection.fetch(_sql("durability"))]


async def _find_keys(connection: Connection, callers: Sequence[str], keys: Sequence[str]) -> list[Kept | None]:
    found: list[Kept | None] = [None] * len(keys)
    for row in await connection.fetch(_sql("find_keys"), SUBMIT_ROUTE, callers, keys):
        found[row["position"] - 1] = Kept(
            row["fingerprint"], row["status"], row["body"], row["submission_id"], row["young"]
        )
    return found


def _submission(row: asyncpg.Record) -> Submission:
    return Submission(row["id"], row["user_id"], row["game_id"], row["score"], row["accepted_at"], row["counted"])


def _sql(name: str) -> str:
    return sql("palio_score", name)
