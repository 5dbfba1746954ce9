"""Where boards are read: Redis by Lua, PostgreSQL by the score service's view. Both answer the same questions.

All reads of one answer are one script call or one statement, so epoch, version, size and rows belong together.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from asyncpg import Record
from asyncpg.pgproto import pgproto
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from palio_kit.orderings import (
    OrderingKeys,
    from_microseconds,
    pack_member,
    sort_score,
    to_microseconds,
)
from palio_kit.postgres import Database, sql
from palio_kit.redis import Cache, lua
from palio_leaderboard.domain import (
    SQL_EPOCH,
    AroundQuery,
    Found,
    Moment,
    PageQuery,
    Placed,
    Query,
    Ranks,
    RanksQuery,
    Rules,
    Slice,
    Standing,
    Unchanged,
)

_PACKAGE = "palio_leaderboard"
_SCRIPTS = ("page", "ranks", "around", "sample")
_KEYS = 3
_PLACE = struct.Struct(">qdqq")

Call = list[Any]


@lru_cache(maxsize=4096)
def _keys(board: str) -> list[str]:
    return OrderingKeys.of(board).all()


class RedisBoards:
    """The boards in Redis, as the score service keeps them."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._digests = {name: hashlib.sha1(lua(_PACKAGE, name).encode()).hexdigest() for name in _SCRIPTS}  # noqa: S324 - how Redis names scripts

    async def find(self, queries: Sequence[Query]) -> list[Found | None]:
        """Answer queries in one round trip, one script call each; None where a board is not ready.

        Raises:
            RedisAway: nothing was answered in time.
        """
        replies = await self._run([self._call(query) for query in queries])
        return [_found(query, reply) for query, reply in zip(queries, replies, strict=True)]

    async def sample(self, board: str, rules: Rules, at: float, players: int) -> list[Standing] | None:
        """Consecutive players from a random place (`at` in [0, 1)); None if the board is not ready.

        Raises:
            RedisAway: no answer in time.
        """
        (reply,) = await self._run([self._named("sample", board, str(at), players)])
        return None if reply is None else _rows(reply, rules)

    def _call(self, query: Query) -> Call:
        if isinstance(query, RanksQuery):
            return self._named("ranks", query.board, int(query.rules.ties == "shared"), b"".join(query.users))
        if isinstance(query, AroundQuery):
            return self._named("around", query.board, query.user, query.radius)
        after: list[Any] = []
        if query.after is not None:
            member = pack_member(query.after.reached_at_us, UUID(bytes=query.after.user_id))
            after = [sort_score(query.after.score, query.rules.order), member]
        return self._named("page", query.board, query.limit, *query.known, *after)

    def _named(self, script: str, board: str, *arguments: Any) -> Call:
        return ["EVALSHA", self._digests[script], _KEYS, *_keys(board), *arguments]

    async def _run(self, calls: Sequence[Call]) -> list[Any]:
        async def run(redis: Redis) -> list[Any]:
            try:
                return await _send(redis, calls)
            except NoScriptError:
                for name in _SCRIPTS:
                    await redis.script_load(lua(_PACKAGE, name))
                return await _send(redis, calls)

        return await self._cache.call(run)


async def _send(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    if len(calls) == 1:
        return [await redis.execute_command(*calls[0])]  # type: ignore[no-untyped-call]  # redis-py's own signature
    async with redis.pipeline(transaction=False) as pipeline:
        for call in calls:
            pipeline.execute_command(*call)
        replies: list[Any] = await pipeline.execute()
        return replies


def _found(query: Query, reply: list[Any] | None) -> Found | None:
    if reply is None:
        return None
    if len(reply) == 2:  # noqa: PLR2004 - epoch and version only
        return Unchanged()
    epoch, version, total = reply[0].decode(), int(reply[1]), reply[2]
    if isinstance(query, RanksQuery):
        return Ranks(epoch, [Moment(version, total)] * len(query.users), _places(query, reply[3]))
    return Slice(epoch, version, total, reply[3], reply[4], _rows(reply[5], query.rules))


def _rows(flat: Sequence[bytes], rules: Rules) -> list[Standing]:
    sign = rules.sign
    return [
        Standing(member[8:], sign * int(float(place)), int.from_bytes(member[:8], "big"))
        for member, place in zip(flat[::2], flat[1::2], strict=True)
    ]


def _places(query: RanksQuery, packed: bytes) -> list[Placed | None]:
    sign = query.rules.sign
    return [
        None if index < 0 else Placed(Standing(user, sign * int(place), reached_at_us), index, better)
        for user, (index, place, reached_at_us, better) in zip(query.users, _PLACE.iter_unpack(packed), strict=True)
    ]


class SqlBoards:
    """The same boards where the truth is; each query scans its whole board (there is no index on score)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, query: Query) -> Found:
        """Answer one query.

        Raises:
            Unavailable: PostgreSQL is away or the board too large for its time.
        """
        if isinstance(query, RanksQuery):
            return await self._ranks(query)
        statement, arguments = _page(query) if isinstance(query, PageQuery) else _around(query)
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql(_PACKAGE, statement), query.board, query.rules.sign, *arguments)
        whole, sign = rows[0], query.rules.sign
        standings = [_standing(row, sign) for row in rows if row["user_id"] is not None]
        return Slice(
            SQL_EPOCH, whole["version"], whole["total"], whole["first_index"], whole["first_better"], standings
        )

    async def standings(
        self, board: str, users: Iterable[UUID], from_user: UUID, players: int
    ) -> dict[bytes, tuple[int, int, int]]:
        """(score, reached_at in microseconds, version) of these users and of the next `players` by id.

        Raises:
            Unavailable: PostgreSQL is away.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql(_PACKAGE, "standings"), board, list(users), players, from_user)
        return {
            row["user_id"].bytes: (row["score"], to_microseconds(row["reached_at"]), row["version"]) for row in rows
        }

    async def _ranks(self, query: RanksQuery) -> Ranks:
        users = [UUID(bytes=user) for user in query.users]
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql(_PACKAGE, "ranks"), query.board, query.rules.sign, users)
        sign = query.rules.sign
        placed = {
            row["user_id"].bytes: Placed(
                _standing(row, sign), (row["better"] or 0) + (row["earlier"] or 0), row["better"] or 0
            )
            for row in rows
            if row["user_id"] is not None
        }
        moment = Moment(rows[0]["version"], rows[0]["total"])
        return Ranks(SQL_EPOCH, [moment] * len(users), [placed.get(user) for user in query.users])


def _page(query: PageQuery) -> tuple[str, list[Any]]:
    if query.after is None:
        return "page", [query.limit, None, None, None]
    after = query.after
    place = query.rules.sign * after.score
    return "page", [query.limit, place, from_microseconds(after.reached_at_us), UUID(bytes=after.user_id)]


def _around(query: AroundQuery) -> tuple[str, list[Any]]:
    return "around", [UUID(bytes=query.user), query.radius, query.rules.ties == "shared"]


def _standing(row: Record, sign: int) -> Standing:
    return Standing(row["user_id"].bytes, sign * row["place"], to_microseconds(row["reached_at"]))


class Catalogue:
    """Rules of boards and names of users, from the views of the services that own them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rules_of(self, boards: Sequence[str]) -> dict[str, Rules]:
        """The rules of boards that exist, of those named (`game:` and `tournament:` ones).

        Raises:
            Unavailable: PostgreSQL is away.
        """
        games = [key for family, key in _named(boards) if family == "game"]
        tournaments = [UUID(key) for family, key in _named(boards) if family == "tournament"]
        found: dict[str, Rules] = {}
        async with self._database.connection() as connection:
            if games:
                for row in await connection.fetch(sql(_PACKAGE, "games"), games):
                    found[f"game:{row['game_id']}"] = Rules(row["score_order"], "earliest")
            if tournaments:
                for row in await connection.fetch(sql(_PACKAGE, "tournaments"), tournaments):
                    rules = Rules(row["score_order"], "shared" if row["ties"] == "Shared" else "earliest")
                    found[f"tournament:{row['tournament_id']}"] = rules
        return found

    async def usernames(self, users: Iterable[bytes]) -> dict[bytes, str]:
        """The names of users that exist.

        Raises:
            Unavailable: PostgreSQL is away.
        """
        ids = [pgproto.UUID(user) for user in users]  # made in C, unlike the standard library's
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql(_PACKAGE, "usernames"), ids)
        return {row["user_id"].bytes: row["username"] for row in rows}


def _named(boards: Sequence[str]) -> list[tuple[str, str]]:
    return [(family, key) for family, _, key in (board.partition(":") for board in boards)]
