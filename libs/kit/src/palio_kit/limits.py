"""Token buckets, in this process: a limit is per pod, which keeps a flood out and costs a microsecond."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """`per_second` on average, `burst` at once."""

    per_second: float
    burst: int


class Buckets:
    """One bucket a key, least recently used dropped beyond `keys_max` (pure: time comes in)."""

    def __init__(self, allowance: Allowance, *, keys_max: int = 100_000) -> None:
        self.allowance = allowance
        self._keys_max = keys_max
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, now: float, count: float = 1) -> float:
        """Take `count`; 0 if there was enough, else the seconds until there is (nothing is taken then)."""
        level, at = self._levels.get(key, (float(self.allowance.burst), now))
        level = min(self.allowance.burst, level + (now - at) * self.allowance.per_second)
        wait_s = 0.0 if level >= count else (count - level) / self.allowance.per_second
        self._levels[key] = (level if wait_s else level - count, now)
        self._levels.move_to_end(key)
        if len(self._levels) > self._keys_max:
            self._levels.popitem(last=False)
        return wait_s

    def remaining(self, key: Hashable) -> int:
        """What is left in the bucket, as of the last `take`."""
        return int(self._levels.get(key, (float(self.allowance.burst), 0.0))[0])
