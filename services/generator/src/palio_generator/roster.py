"""The demo users: registered when first needed, the same ones ever after."""

import asyncio
from collections.abc import Iterator
from uuid import UUID

from palio_generator.domain import handles
from palio_generator.errors import HandleTaken
from palio_generator.gateway import Gateway, key_of
from palio_generator.store import DemoUser, Store
from palio_kit.problems import Problem, Unauthorized

SLOTS_MAX = 1_000
_VARIANTS = 4
_TAKEN = frozenset({"username_taken", "email_taken"})


class Roster:
    """Who sits in which slot. One registration a slot at a time, `gate` of them altogether."""

    def __init__(self, gateway: Gateway, store: Store, seed: int, gate: asyncio.Semaphore) -> None:
        self._gateway = gateway
        self._store = store
        self._seed = seed
        self._gate = gate
        self._loading = asyncio.Lock()
        self._handles: list[str] = []
        self._users: dict[int, DemoUser] | None = None
        self._entering: dict[int, asyncio.Lock] = {}

    async def users(self) -> dict[int, DemoUser]:
        """Those that are there, by slot."""
        async with self._loading:
            if self._users is None:
                self._users = {user.slot: user for user in await self._store.users()}
        return self._users

    async def at(self, slot: int) -> tuple[DemoUser, bool]:
        """The user of a slot, registered now if need be, and whether this call did it.

        Raises:
            HandleTaken: its name and all variants are somebody else's.
            Problem: the gateway's own.
        """
        users = await self.users()
        async with self._entering.setdefault(slot, asyncio.Lock()):
            if slot in users:
                return users[slot], False
            async with self._gate:
                user, created = await self._enter(slot)
            await self._store.add_user(user)
            users[slot] = user
            return user, created

    async def _enter(self, slot: int) -> tuple[DemoUser, bool]:
        if not self._handles:  # names take a fifth of a second to load
            self._handles = await asyncio.to_thread(handles, self._seed, SLOTS_MAX)
        for username in _variants(self._handles[slot]):
            found = await self._register_or_recognise(username)
            if found is not None:
                return DemoUser(slot, username, found[0]), found[1]
        raise HandleTaken

    async def _register_or_recognise(self, username: str) -> tuple[UUID, bool] | None:
        """The id of a new demo user, or of one the documented password opens; None if it is somebody else's."""
        try:
            return await self._gateway.register(username, key=key_of(self._seed, "user", username))
        except Problem as problem:
            if problem.code not in _TAKEN:
                raise
        try:
            return (await self._gateway.login(username)).user_id, False
        except Problem as problem:
            if problem.status != Unauthorized.status:
                raise
            return None


def _variants(handle: str) -> Iterator[str]:
    yield handle
    for number in range(2, 2 + _VARIANTS):
        yield f"{handle}_{number}"
