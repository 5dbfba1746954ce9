"""What the hot path knows by heart: rules, boards and players' names, asked from PostgreSQL at most once a second.

Rules and boards never change, so what was found is kept for good; what was not found is asked again after a second.
"""

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, TypeVar

from palio_kit.erasures import Erased
from palio_score.domain import Board, Rules
from palio_score.errors import GameNotFound
from palio_score.store import Store

T = TypeVar("T")

_ENTRIES_MAX = 100_000
_MISSING_S = 1.0
_NAME_FRESH_S = 60.0
_NEVER = float("-inf")
USER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_GAME_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z")


class Memory(Generic[T]):
    """Found answers for `fresh_s`, missing ones for a second (pure: time comes in)."""

    def __init__(self, *, fresh_s: float = float("inf")) -> None:
        self.found: dict[str, T] = {}
        self._fresh_s = fresh_s
        self._expires: dict[str, float] = {}

    def ask_again(self, key: str, now: float) -> bool:
        """Whether nothing usable is known."""
        return now >= self._expires.get(key, _NEVER)

    def stale(self, keys: Iterable[str], now: float) -> list[str]:
        """Those of the keys of which nothing usable is known."""
        expires = self._expires
        return [key for key in keys if now >= expires.get(key, _NEVER)]

    def note(self, key: str, answer: T | None, now: float) -> None:
        """Remember an answer, None for a missing one."""
        if len(self._expires) >= _ENTRIES_MAX:
            self.found.clear()
            self._expires.clear()
        if answer is None:
            self.found.pop(key, None)
            self._expires[key] = now + _MISSING_S
        else:
            self.found[key] = answer
            self._expires[key] = now + self._fresh_s

    def forget(self, keys: Iterable[str]) -> None:
        """Know nothing of these."""
        for key in keys:
            self.found.pop(key, None)
            self._expires.pop(key, None)


class Book:
    """Everything the service reads from others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: Memory[Rules] = Memory()
        self._boards: Memory[Board] = Memory()
        self._names: Memory[str] = Memory(fresh_s=_NAME_FRESH_S)
        self.known_rules = self._rules.found.get
        """The rules of a game if they are known already; no awaiting, for the hot path."""

    async def rules(self, game_id: str) -> Rules:
        """The rules of a game.

        Raises:
            GameNotFound: there is none of that id.
        """
        known = self._rules.found.get(game_id)
        if known is not None or not _GAME_ID.match(game_id):  # what cannot be an id is neither asked for nor kept
            return _found(known)
        rules = await self._look_up(self._rules, game_id, self._store.rules)
        return _found(rules)

    async def board(self, name: str) -> Board | None:
        """A board by its name."""
        return await self._look_up(self._boards, name, self._store.board)

    async def names(self, users: Iterable[str]) -> Mapping[str, str]:
        """Names of players, those asked for among them if they exist."""
        now = time.monotonic()
        unknown = [user for user in self._names.stale(users, now) if USER_ID.match(user)]
        if unknown:
            names = await self._store.usernames(unknown)
            for user in unknown:
                self._names.note(user, names.get(user), now)
        return self._names.found

    def forget(self, erased: Erased) -> None:
        """Believe no name of these players any longer."""
        self._names.forget(map(str, erased))

    async def _look_up(self, memory: Memory[T], key: str, ask: Callable[[str], Awaitable[T | None]]) -> T | None:
        now = time.monotonic()
        if memory.ask_again(key, now):
            memory.note(key, await ask(key), now)
        return memory.found.get(key)


def _found(rules: Rules | None) -> Rules:
    if rules is None:
        raise GameNotFound
    return rules
