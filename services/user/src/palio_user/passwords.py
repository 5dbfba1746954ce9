"""Argon2id, off the event loop and bounded: each hash takes 46 MiB and some 40 ms of a core.

A request that is cancelled keeps its place until its hash ends, because the thread cannot be stopped: freeing the place
earlier would let impatient clients pile up any number of hashes.
"""

import asyncio
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from palio_kit.problems import Unavailable
from palio_user import domain

T = TypeVar("T")

_MEMORY_KIB = 47104  # OWASP Password Storage: m=46 MiB, t=1, p=1


class HashingBusy(Unavailable):
    """Too many sign-ins are waiting already; nothing was looked at. Try again."""

    code, title = "hashing_busy", "Too many sign-ins at once"


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self, *, threads: int, queue_max: int) -> None:
        self._hasher = PasswordHasher(time_cost=1, memory_cost=_MEMORY_KIB, parallelism=1)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._places = threading.BoundedSemaphore(threads + queue_max)
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """A new hash of the password.

        Raises:
            HashingBusy: too many are waiting.
        """
        return await self._run(lambda: self._hasher.hash(domain.normal_password(password)))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether it is the password of that hash; None does the same work and never matches.

        Raises:
            HashingBusy: too many are waiting.
        """
        right = await self._run(lambda: self._verify(stored or self._nobodys, password))
        return right and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let running hashes end, drop waiting ones."""
        self._executor.shutdown(cancel_futures=True)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, domain.normal_password(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise HashingBusy
        future = self._executor.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)
