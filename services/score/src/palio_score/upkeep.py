"""What heals boards by itself: flushes that Redis missed are applied again, boards that it lost are found.

Both loops may run in every replica at once: applying is versioned, rebuilding holds a lock.
"""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from palio_kit.logs import logger
from palio_kit.problems import Unavailable
from palio_kit.redis import RedisAway
from palio_score import metrics
from palio_score.boards import READY, Boards, Load
from palio_score.book import Book
from palio_score.domain import GLOBAL_NAME
from palio_score.flushes import Flusher
from palio_score.rebuilds import Rebuilds
from palio_score.store import Pending, Store

log = logger(__name__)

_STEP_S = 1.0
_PENDING_AT_ONCE = 100
_PENDING_MAX = 5_000
_DROPPED_AT_ONCE = 10_000
_USERS_AT_ONCE = 2_000
_BOARDS_AT_ONCE = 256
_LIST_EVERY_STEPS = 5


class Healer:
    """Brings to Redis what it missed."""

    def __init__(self, store: Store, boards: Boards, book: Book, flusher: Flusher, rebuilds: Rebuilds) -> None:
        self._store = store
        self._boards = boards
        self._book = book
        self._flusher = flusher
        self._rebuilds = rebuilds

    async def step(self) -> float:
        """One round (a step of `tasks.running`)."""
        try:
            await self._forget_applied()
            if await self._store.more_pending_than(_PENDING_MAX):
                await self._start_over()
            else:
                await self._catch_up()
        except (RedisAway, Unavailable) as error:
            log.debug("healing_waits", error=str(error))
        return _STEP_S

    async def _forget_applied(self) -> None:
        """The next flush would do it; without one the notes would be applied again for nothing."""
        applied = self._flusher.take_applied()
        if applied:
            try:
                await self._store.forget_pending(applied)
            except BaseException:
                self._flusher.give_back(applied)
                raise

    async def _catch_up(self) -> None:
        while pending := await self._store.pending(_PENDING_AT_ONCE):
            await self._apply(pending)
            await self._store.forget_pending([flush.flush_id for flush in pending])
            metrics.HEALED.inc(len(pending))
            log.info("flushes_healed", count=len(pending))

    async def _apply(self, pending: Sequence[Pending]) -> None:
        users: dict[str, set[UUID]] = defaultdict(set)
        for flush in pending:
            for board in flush.boards:
                users[board].update(flush.users)
        for name, players in users.items():
            await self._apply_board(name, list(players))

    async def _apply_board(self, name: str, players: Sequence[UUID]) -> None:
        board = await self._book.board(name)
        if board is None:
            return
        for start in range(0, len(players), _USERS_AT_ONCE):
            rows = await self._store.packed_standings(board, players[start : start + _USERS_AT_ONCE])
            [applied] = await self._boards.apply([Load(board, rows)])
            if applied.state != READY:
                self._rebuilds.request(name)

    async def _start_over(self) -> None:
        """After a long outage rebuilding is less work than applying every flush again."""
        boards: set[str] = set()
        while True:
            async with self._store.dropping_pending(_DROPPED_AT_ONCE) as named:
                await self._boards.forget(named)
            if not named:
                break
            boards.update(named)
        log.warning("boards_start_over", boards=len(boards))
        for board in boards:
            self._rebuilds.request(board)


class Watch:
    """Finds boards that Redis lost: a few each second, all of them when the global one is gone."""

    def __init__(self, store: Store, boards: Boards, rebuilds: Rebuilds) -> None:
        self._store = store
        self._boards = boards
        self._rebuilds = rebuilds
        self._names: list[str] = []
        self._steps = 0
        self._at = 0

    async def step(self) -> float:
        """One look (a step of `tasks.running`)."""
        try:
            await self._look()
        except (RedisAway, Unavailable) as error:
            log.debug("watch_waits", error=str(error))
        return _STEP_S

    async def _look(self) -> None:
        if self._steps % _LIST_EVERY_STEPS == 0 or not self._names:
            self._names = await self._store.active_boards()
        self._steps += 1
        run = await self._boards.run_id()
        everything = bool(await self._boards.unready([GLOBAL_NAME], run))
        for _ in range(0, len(self._names) if everything else 1, _BOARDS_AT_ONCE):
            for board in await self._boards.unready(self._next_names(), run):
                self._rebuilds.request(board)

    def _next_names(self) -> list[str]:
        if self._at >= len(self._names):
            self._at = 0
        names = self._names[self._at : self._at + _BOARDS_AT_ONCE]
        self._at += _BOARDS_AT_ONCE
        return names
