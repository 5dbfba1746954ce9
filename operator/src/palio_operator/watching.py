"""A canary for the watch: changes that are there but never came through it.

kopf can lose a watch without noticing (kopf#1120, #996). So all resources are listed now and then beside the watch;
a change that the list shows and the watch does not, for minutes, means the watch is dead, and the liveness probe has
the process started again. Until then such a change is at least acted upon by those who run a loop already.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from palio_operator import metrics
from palio_operator.kube import Kubernetes
from palio_operator.models import ADOPT, RETRY
from palio_operator.resources import PAUSE, Kind

Key = tuple[str, int, bool]
Asked = tuple[str | None, ...]
_ASKING = (ADOPT, RETRY, PAUSE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at all resources tells of one."""

    uid: str
    namespace: str
    generation: int
    deleting: bool

    @classmethod
    def parse(cls, metadata: Mapping[str, Any]) -> "Seen":
        """Read a resource's `metadata`."""
        generation = int(metadata.get("generation", 1))
        return cls(metadata["uid"], metadata["namespace"], generation, "deletionTimestamp" in metadata)


@dataclass(frozen=True, slots=True)
class Canary:
    """What came through the watch, and since when something has not; times are monotonic seconds."""

    stalled_after_s: float
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[int, bool, Asked]] = field(default_factory=dict)
    _missing_since: dict[Key, float] = field(default_factory=dict)

    def saw(self, metadata: Mapping[str, Any], *, gone: bool) -> bool:
        """Note what came through the watch; True if it asks for a look: it is new, edited, or to be deleted."""
        uid = str(metadata["uid"])
        if gone:
            self._seen.pop(uid, None)
            return True
        annotations = metadata.get("annotations") or {}
        asked = tuple(annotations.get(name) for name in _ASKING)
        now = (int(metadata.get("generation", 1)), "deletionTimestamp" in metadata, asked)
        before = self._seen.get(uid)
        self._seen[uid] = now
        return before != now

    def compare(self, listed: Iterable[Seen]) -> list[str]:
        """Compare with all that there is; uids of resources with a change that has not come."""
        now = self.clock()
        missing = {
            (one.uid, one.generation, one.deleting) for one in listed if not self._knows(one)
        }  # fmt: skip
        for key in [key for key in self._missing_since if key not in missing]:
            del self._missing_since[key]
        for key in missing:
            self._missing_since.setdefault(key, now)
        metrics.WATCH_AGE_SECONDS.set(self.age_s())
        return [uid for uid, _, _ in missing]

    def _knows(self, one: Seen) -> bool:
        seen = self._seen.get(one.uid)
        return seen is not None and seen[0] >= one.generation and seen[1] >= one.deleting

    def age_s(self) -> float:
        """How long the oldest change has not come."""
        return self.clock() - min(self._missing_since.values(), default=self.clock())

    @property
    def stalled(self) -> bool:
        """Whether the watch must be given up for dead."""
        return self.age_s() > self.stalled_after_s


@dataclass(frozen=True, slots=True)
class Places:
    """The namespaces that are looked after: all of them if none is named; globs are understood."""

    kubernetes: Kubernetes
    namespaces: Sequence[str]

    async def resources(self, kind: Kind) -> Collection[Mapping[str, Any]]:
        """All resources of a kind that are ours to look after.

        Raises:
            KubernetesAway: they are not known.
        """
        patterns = self.namespaces
        if patterns and not any(set(pattern) & set("*?[!,") for pattern in patterns):
            return [one for name in patterns for one in await self.kubernetes.resources(kind, name)]
        listed = await self.kubernetes.resources(kind)
        return [
            one for one in listed
            if not patterns or any(fnmatchcase(one["metadata"]["namespace"], each) for each in patterns)
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Auditor:
    """Lists what there is and compares, again and again."""

    places: Places
    kinds: Sequence[Kind]
    canary: Canary
    every_s: float
    wake: Callable[[str], None]

    async def step(self) -> float:
        """Compare once (a step of `tasks.running`); answer the pause."""
        listed = [one for kind in self.kinds for one in await self.places.resources(kind)]
        for uid in self.canary.compare(Seen.parse(one["metadata"]) for one in listed):
            self.wake(uid)
        return self.every_s
