"""When to start something again that ended: at once the first time, later if it keeps ending (pure: time comes in)."""

from dataclasses import dataclass

_DELAYS_S = (0.0, 0.25, 1.0, 2.0, 4.0)
_STEADY_S = 30.0


@dataclass
class Backoff:
    """The restarts of one part; the delay never exceeds 4 s, and half a minute of life forgives everything."""

    ends: int = 0
    started_at: float = 0.0

    def started(self, now: float) -> None:
        """It was started."""
        self.started_at = now

    def ended(self, now: float) -> float:
        """It ended; answers when to start it again."""
        self.ends = 1 if now - self.started_at > _STEADY_S else self.ends + 1
        return now + _DELAYS_S[min(self.ends, len(_DELAYS_S)) - 1]
