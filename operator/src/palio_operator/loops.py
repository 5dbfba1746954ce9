"""One loop for each resource: reconcile, sleep until the next boundary or a wake-up, and again, until it is gone.

A loop never gives up: kopf would not start it again. Sleeping is by the monotonic clock, deciding by a store's.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from palio_kit.logs import logger
from palio_operator import metrics
from palio_operator.kube import KubernetesAway
from palio_operator.resources import Kind
from palio_operator.turns import Outcome

log = logger(__name__)

_BACKOFF_FIRST_S, _BACKOFF_MAX_S = 0.5, 15.0
_WAIT_MIN_S = 0.01

Reconcile = Callable[[str, str, str], Awaitable[Outcome]]
"""Make the resource of this namespace, name and uid true, once."""


class Loops:
    """The loops of one kind that are running, by uid; `resync_s` is the pause of one whose resource may go."""

    def __init__(self, kind: Kind, reconcile: Reconcile, resync_s: float) -> None:
        self.kind = kind
        self._reconcile = reconcile
        self._resync_s = resync_s
        self._bells: dict[str, asyncio.Event] = {}

    def wake(self, uid: str) -> None:
        """Have a resource looked at now, if it has a loop."""
        bell = self._bells.get(uid)
        if bell is not None:
            bell.set()

    async def reconcile(self, namespace: str, name: str, uid: str) -> Outcome:
        """Reconcile once, and wake those who waited for that.

        Raises:
            KubernetesAway: the API server does not answer.
        """
        outcome = await self._reconcile(namespace, name, uid)
        if outcome.frees:
            for other in self._bells.keys() - {uid}:
                self.wake(other)
        return outcome

    async def live(self, namespace: str, name: str, uid: str, *, ended: Callable[[], bool]) -> None:
        """Run a resource's loop until `ended` or the resource is gone."""
        bell = self._bells.setdefault(uid, asyncio.Event())
        metrics.LOOPS.labels(self.kind.name).set(len(self._bells))
        failures = 0
        try:
            while not ended():
                bell.clear()
                wait_s = await self._turn(namespace, name, uid)
                if wait_s is None:
                    failures += 1
                    wait_s = backoff_s(failures)
                else:
                    failures = 0
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(wait_s, _WAIT_MIN_S)):
                        await bell.wait()
        finally:
            self._bells.pop(uid, None)
            metrics.LOOPS.labels(self.kind.name).set(len(self._bells))

    async def _turn(self, namespace: str, name: str, uid: str) -> float | None:
        """Reconcile once; the pause, or None if it failed. A resource that is gone is looked at rarely until we end."""
        told = {"kind": self.kind.name, "resource": f"{namespace}/{name}"}
        try:
            outcome = await self.reconcile(namespace, name, uid)
        except KubernetesAway as error:
            log.warning("kubernetes_away", error=str(error), **told)
            return None
        except Exception:  # the loop's edge: whatever one resource meets must end neither its loop nor the others
            log.exception("reconcile_failed", uid=uid, **told)
            return None
        return self._resync_s if outcome.released else outcome.wait_s


def backoff_s(failures: int) -> float:
    """The pause after so many failures in a row: twice as long each time, bounded, spread at random."""
    longest = min(_BACKOFF_MAX_S, _BACKOFF_FIRST_S * 2 ** min(failures, 10))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter
