"""Boards built anew from SQL: missing ones, drifted ones, all of them after a long outage of Redis.

A rebuild empties the board and loads it through the same versioned script as live scores, which go on meanwhile; so it
never matters which of the two comes first. It holds a lock, not a snapshot: each chunk sees what is committed.
"""

import asyncio
from uuid import UUID

from palio_kit.ids import new_id
from palio_kit.logs import logger
from palio_kit.problems import Unavailable
from palio_kit.redis import RedisAway
from palio_score import metrics
from palio_score.boards import Boards, Load
from palio_score.book import Book
from palio_score.domain import Board
from palio_score.store import Rebuilding, Store, last_player

log = logger(__name__)

_WAITING_MAX = 10_000
_AGAIN_S = 1.0


class Rebuilds:
    """Builds boards, one big one at a time; small ones also while a score waits for its rank."""

    def __init__(self, store: Store, boards: Boards, book: Book, *, rows: int, small_max: int) -> None:
        self._store = store
        self._boards = boards
        self._book = book
        self._rows = rows
        self._small_max = small_max
        self._waiting: dict[str, bool] = {}
        self._running: dict[str, asyncio.Future[bool]] = {}
        """Builds of this process by board: whether it is ready now. Of a big board that is told before it is built."""
        self._wake = asyncio.Event()

    def request(self, board: str, *, even_ready: bool = False) -> None:
        """Have a board rebuilt soon; asking twice is asking once.

        Args:
            even_ready: also if it turns out to be ready by then, because it is known to be wrong.
        """
        if len(self._waiting) < _WAITING_MAX:
            self._waiting[board] = even_ready or self._waiting.get(board, False)
            self._wake.set()

    async def step(self) -> float:
        """Rebuild the board that waits longest (a step of `tasks.running`)."""
        await self._wake.wait()
        if not self._waiting:
            self._wake.clear()
            return 0.0
        name = next(iter(self._waiting))
        even_ready = self._waiting.pop(name)
        try:
            await self._see_to(name, even_ready)
        except (RedisAway, Unavailable):
            self.request(name, even_ready=even_ready)
            return _AGAIN_S
        return 0.0

    async def _see_to(self, name: str, even_ready: bool) -> None:
        board = await self._book.board(name)
        if board is None:
            return
        if even_ready or await self._boards.unready([name], await self._boards.run_id()):
            await self.rebuild(board)

    async def small(self, board: Board, *, missing: bool) -> bool:
        """Have a small board ready at once: built now if it is `missing`, or by who is at it in this process.

        True is worth another look: a board that was not missing, and that nobody is at, may be ready since.

        Raises:
            RedisAway: Redis did not answer.
            Unavailable: PostgreSQL did not.
        """
        running = self._running.get(board.name)
        if running is not None:
            return await asyncio.shield(running)
        return not missing or await self.rebuild(board, players_max=self._small_max)

    async def rebuild(self, board: Board, *, players_max: int | None = None) -> bool:
        """Build a board; False if it has more than `players_max`, somebody else builds it, or Redis lost it meanwhile.

        Raises:
            RedisAway: Redis did not answer; the board stays unready and is found again.
            Unavailable: PostgreSQL did not; likewise.
        """
        if board.name in self._running:
            return False
        running = self._running[board.name] = asyncio.get_running_loop().create_future()
        done = False
        try:
            done = await self._rebuild(board, players_max, running)
        finally:
            del self._running[board.name]
            _tell(running, ready=done)
        return done

    async def _rebuild(self, board: Board, players_max: int | None, running: asyncio.Future[bool]) -> bool:
        async with self._store.rebuilding(board) as source:
            if source is None:
                return False
            if await source.more_than(self._small_max):
                _tell(running, ready=False)
            if players_max is not None and running.done():
                return False
            with metrics.REBUILD_SECONDS.time():
                done = await self._build(board, source)
        metrics.REBUILDS.labels("done" if done else "lost").inc()
        log.info("board_rebuilt", board=board.name, done=done)
        return done

    async def _build(self, board: Board, source: Rebuilding) -> bool:
        build = str(new_id())
        await self._boards.begin(board.name, build, await self._boards.run_id())
        loaded = await self._load(board, source, build)
        return loaded and await self._boards.finish(board.name, build, str(new_id()))

    async def _load(self, board: Board, source: Rebuilding, build: str) -> bool:
        """Load chunk after chunk, reading the next one while Redis takes the last."""
        after: UUID | None = None
        chunk = await source.chunk(after, self._rows)
        while chunk:
            after = last_player(chunk)
            load = asyncio.create_task(self._boards.apply([Load(board, chunk, build=build)]))
            try:
                chunk = await source.chunk(after, self._rows)
            finally:
                [applied] = await load
            if not applied.state:
                return False
        return True


def _tell(running: asyncio.Future[bool], *, ready: bool) -> None:
    if not running.done():
        running.set_result(ready)
