"""Who is behind an id, remembered: a board is read far more often than somebody changes his name.

Fails open: while PostgreSQL is away, old names are shown, and a placeholder for those never seen.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID

from palio_kit.erasures import Erased
from palio_kit.problems import Unavailable
from palio_leaderboard import metrics
from palio_leaderboard.domain import GLOBAL_RULES, Rules, is_board
from palio_leaderboard.errors import BoardNotFound
from palio_leaderboard.rendering import Name, json_text
from palio_leaderboard.store import Catalogue

UNKNOWN = "Unknown player"
DELETED = "Deleted player"

_LOOKUP_WAIT_S = 0.3
_PAUSE_S = 1.0
_MISSING_FRESH_S = 1.0
_BOARDS_MAX = 50_000


class Usernames:
    """Names of users, the least recently added dropped first."""

    def __init__(self, catalogue: Catalogue, *, entries_max: int, fresh_s: float) -> None:
        self._catalogue = catalogue
        self._entries_max = entries_max
        self._fresh_s = fresh_s
        self._entries: OrderedDict[bytes, Name] = OrderedDict()
        self._asks_again_at = 0.0
        self._hits = metrics.USERNAMES.labels("hit")
        self._misses = metrics.USERNAMES.labels("miss")

    async def of(self, users: Iterable[bytes]) -> dict[bytes, Name]:
        """The names of all these users; never fails, and waits a third of a second at most."""
        now = time.monotonic()
        entries = self._entries
        names: dict[bytes, Name] = {}
        missing: list[bytes] = []
        for user in users:
            name = entries.get(user)
            if name is not None:
                names[user] = name
            if name is None or name.fresh_until < now:
                missing.append(user)
        self._hits.inc(len(names))
        if missing:
            self._misses.inc(len(missing))
            names |= await self._look_up(missing, now)
        return names

    def forget(self, erased: Erased) -> list[UUID]:
        """Drop the names of these users; those who had one here."""
        named = [user for user in erased if (name := self._entries.get(user.bytes)) and name.text != DELETED]
        for user in named:
            del self._entries[user.bytes]
        return named

    async def _look_up(self, users: list[bytes], now: float) -> dict[bytes, Name]:
        if now >= self._asks_again_at:
            asking = asyncio.create_task(self._ask(users))
            await asyncio.wait({asking}, timeout=_LOOKUP_WAIT_S)
            if asking.done():
                return asking.result()
            self._asks_again_at = time.monotonic() + _PAUSE_S
        return self._without(users)

    async def _ask(self, users: list[bytes]) -> dict[bytes, Name]:
        try:
            found = await self._catalogue.usernames(users)
        except Unavailable:
            self._asks_again_at = time.monotonic() + _PAUSE_S
            return self._without(users)
        fresh_until = time.monotonic() + self._fresh_s
        names = {user: Name(text := found.get(user, UNKNOWN), json_text(text), fresh_until) for user in users}
        self._keep(names)
        return names

    def _without(self, users: list[bytes]) -> dict[bytes, Name]:
        unknown = Name(UNKNOWN, json_text(UNKNOWN), 0.0)
        return {user: self._entries.get(user, unknown) for user in users}

    def _keep(self, names: dict[bytes, Name]) -> None:
        for user, name in names.items():
            self._entries[user] = name
            self._entries.move_to_end(user)
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)


class Boards:
    """Which boards there are and how they are ordered; known for ever once seen, as rules never change."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._rules: dict[str, Rules] = {"global": GLOBAL_RULES}
        self._missing_until: dict[str, float] = {}

    async def rules_of(self, boards: Iterable[str]) -> dict[str, Rules | BoardNotFound | Unavailable]:
        """The rules of each board, or why there are none."""
        asked = set(boards)
        unknown = [board for board in asked if board not in self._rules and self._may_exist(board)]
        away = await self._learn(unknown) if unknown else None
        return {
            board: self._rules.get(board) or (away if board in unknown and away else BoardNotFound()) for board in asked
        }

    def known(self) -> dict[str, Rules]:
        """The boards seen so far."""
        return dict(self._rules)

    def _may_exist(self, board: str) -> bool:
        return is_board(board) and self._missing_until.get(board, 0.0) < time.monotonic()

    async def _learn(self, boards: list[str]) -> Unavailable | None:
        try:
            found = await self._catalogue.rules_of(boards)
        except Unavailable as problem:
            return problem
        if len(self._rules) + len(found) > _BOARDS_MAX:
            self._rules = {"global": GLOBAL_RULES}
        self._rules |= found
        if len(self._missing_until) > _BOARDS_MAX:
            self._missing_until.clear()
        until = time.monotonic() + _MISSING_FRESH_S
        self._missing_until |= {board: until for board in boards if board not in found}
        return None
