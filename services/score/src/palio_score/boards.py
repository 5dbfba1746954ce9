"""Redis: boards, written only here and only by scripts that take nothing older than what stands.

Standings travel packed in 40 bytes each (player, sort score, reached_at, version), from PostgreSQL to Lua without being
looked at on the way. All boards of a flush go in one round trip.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha1

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from palio_kit.orderings import OrderingKeys
from palio_kit.redis import Cache, lua
from palio_score.domain import Board, RankChange, Seat

_ROW = struct.Struct(">16sdQQ")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
READY = "ready"


def pack_seats(seats: Sequence[Seat], *, more_is_better: bool) -> bytes:
    """Standings as apply.lua takes them; a seat that was only looked at asks for its rank by version 0."""
    sign = -1 if more_is_better else 1
    return b"".join([_pack(seat, sign) for seat in seats])


def _pack(seat: Seat, sign: int) -> bytes:
    player, now = bytes.fromhex(seat.user_id.replace("-", "")), seat.now
    if now is None:
        return _ROW.pack(player, 0, 0, 0)
    return _ROW.pack(player, sign * now.score, (now.reached_at - _EPOCH) // _MICROSECOND, now.version)


@dataclass(frozen=True, slots=True)
class Load:
    """Standings for one board. Ranks are answered unless a rebuild brings them."""

    board: Board
    rows: bytes
    ranked: bool = False
    build: str = ""


class Applied(msgspec.Struct, array_like=True, gc=False):
    """One board after a load: state ("" if it is not there), and (rank, previous rank, sort score) for each row."""

    state: str
    epoch: str
    version: int
    ranks: list[float]

    def rank_changes(self, board: Board) -> list[RankChange | None]:
        """Each row's place; None where it is not known."""
        sign = -1 if board.more_is_better else 1
        flat = self.ranks
        return [
            RankChange(int(flat[at + 2]) * sign, int(flat[at]), int(flat[at + 1]) or None) if flat[at] else None
            for at in range(0, len(flat), 3)
        ]


_decoder = msgspec.msgpack.Decoder(Applied)


class Script:
    """A script run by its digest. redis-py's own would ask before each pipeline whether the server knows it."""

    def __init__(self, name: str) -> None:
        self.text = lua("palio_score", name)
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Boards:
    """All boards in Redis. Every call raises `RedisAway` if Redis does not answer in time."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._apply = Script("apply")
        self._begin = Script("begin")
        self._finish = Script("finish")

    async def apply(self, loads: Sequence[Load]) -> list[Applied]:
        """Apply standings, each board at once, all in one round trip."""
        calls = [(load.board.name, load.rows, _ranking(load), load.build) for load in loads]
        return [_decoder.decode(answer) for answer in await self._run(self._apply, calls)]

    async def begin(self, board: str, build: str, run: str) -> None:
        """Empty the board and mark it as being built."""
        await self._run(self._begin, [(board, build, run)])

    async def finish(self, board: str, build: str, epoch: str) -> bool:
        """Mark it as ready; False if the board was lost or taken over meanwhile."""
        return bool((await self._run(self._finish, [(board, build, epoch)]))[0])

    async def forget(self, boards: Sequence[str]) -> None:
        """Make boards missing, so that they are rebuilt."""
        commands = [("UNLINK", OrderingKeys.of(board).meta) for board in boards]
        if commands:
            await self._cache.call(lambda _: self._cache.lanes.exchange(commands))

    async def run_id(self) -> str:
        """Which Redis process answers; a new one may have lost writes. "" where servers do not tell."""

        async def ask(redis: Redis) -> str:
            try:
                return str((await redis.info("server")).get("run_id", ""))
            except ResponseError:
                return ""

        return await self._cache.call(ask)

    async def unready(self, boards: Sequence[str], run: str) -> list[str]:
        """Those that are missing, not ready, or made in another Redis process."""
        commands = [("HMGET", OrderingKeys.of(board).meta, "state", "run") for board in boards]
        metas = await self._cache.call(lambda _: self._cache.lanes.exchange(commands)) if commands else []
        sound = [READY.encode(), run.encode()]
        return [board for board, meta in zip(boards, metas, strict=True) if meta != sound]

    async def _run(self, script: Script, calls: Sequence[tuple[str | bytes, ...]]) -> list[bytes]:
        commands = [
            ("EVALSHA", script.digest, 3, *OrderingKeys.of(str(board)).all(), *arguments) for board, *arguments in calls
        ]

        async def run(redis: Redis) -> list[bytes]:
            try:
                return await self._cache.lanes.exchange(commands)
            except NoScriptError:  # a new Redis; what was applied already is applied again without effect
                await redis.script_load(script.text)
                return await self._cache.lanes.exchange(commands)

        return await self._cache.call(run)


def _ranking(load: Load) -> str:
    if not load.ranked:
        return ""
    return "shared" if load.board.ties == "Shared" else "own"
