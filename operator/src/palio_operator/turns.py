"""Taking turns: causes that concern one resource wait for one another, and so many resources are looked at at most."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from palio_operator import metrics
from palio_operator.resources import Kind

_AT_ONCE = 16
"""Reconciliations of a kind at the same time: a restart with a thousand resources must not flood those it asks."""

STEPS_MAX = 8
"""More than any path needs; a plan that still wants to act then waits for the next reconciliation."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """When to look again, seconds; `released` if the resource may go or is gone, `frees` if others may wait for it."""

    wait_s: float
    released: bool = False
    frees: bool = False


class Turns:
    """The locks of one kind's resources; nothing else is remembered between two reconciliations."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._locks: dict[str, asyncio.Lock] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def take(self, uid: str, reconcile: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Reconcile a resource when it is its turn, and count how that went."""
        started, result = time.perf_counter(), "error"
        async with self._locks.setdefault(uid, asyncio.Lock()), self._room:
            try:
                outcome = await reconcile()
                result = "done"
            finally:
                metrics.RECONCILES.labels(self._kind.name, result).inc()
                metrics.RECONCILE_SECONDS.labels(self._kind.name).observe(time.perf_counter() - started)
        if outcome.released:
            self._locks.pop(uid, None)
        return outcome
