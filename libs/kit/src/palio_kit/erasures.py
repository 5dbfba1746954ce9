"""Accounts erased while a token of theirs may still be valid: looked for each second, kept in memory.

A token says who somebody was when it was signed, and hot paths believe a remembered one without asking anybody. So it
is asked beside them, of the database: there is no event that could be lost, and a new process knows it at once.
"""

from collections.abc import Callable, Iterable
from uuid import UUID

from palio_kit.callers import UserTokens
from palio_kit.events import Publisher
from palio_kit.postgres import Database

Erased = frozenset[UUID]
"""Who was erased within the last 20 minutes: longer than an access token lives."""

Forget = Callable[[Erased], None]
"""Drops what a service remembers of them; called at each look, so that what was under way is dropped at the next."""

_LOOK_S = 1.0
_ERASED = "SELECT user_id FROM users.erased_v1"


class Erasures:
    """One service's look at who was erased."""

    def __init__(self, database: Database, tokens: UserTokens, *forget: Forget) -> None:
        self._database = database
        self._forget: tuple[Forget, ...] = (tokens.refuse, *forget)

    async def step(self) -> float:
        """Look, refuse and forget (a step of `tasks.running`)."""
        async with self._database.connection() as connection:
            erased = frozenset(row["user_id"] for row in await connection.fetch(_ERASED))
        for forget in self._forget:
            forget(erased)
        return _LOOK_S


def tell(publisher: Publisher, users: Iterable[object]) -> None:
    """Tell those who have no database, but remember what they heard, of names that were dropped here."""
    if ids := sorted(map(str, users)):
        publisher.publish("account", {"change": "deleted", "user_ids": ids})
