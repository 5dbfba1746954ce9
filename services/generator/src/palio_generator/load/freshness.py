"""How long a score takes from being written to the gateway until a socket reads the frame that tells it.

A busy feed shows its newest fifty scores a frame and counts the others as skipped. Those must not fall out of the
measure, being the ones that waited longest: scores that were answered and were sent before the oldest one shown are
taken to be in that frame.
"""

from collections import deque
from collections.abc import Sequence

from palio_generator.load.frames import Score, Told
from palio_generator.load.histograms import Histogram

PENDING_MAX = 50_000
FORGET_S = 20.0
_REMEMBERED = 16


class Pending:
    """Scores that were sent and not yet seen on one channel, in order of sending."""

    def __init__(self) -> None:
        self._sent_at: dict[Score, float] = {}
        self._answered: set[Score] = set()

    def sent(self, score: Score, at: float) -> None:
        """A score goes out; one that waits already keeps its earlier moment."""
        if len(self._sent_at) < PENDING_MAX:
            self._sent_at.setdefault(score, at)

    def answered(self, score: Score) -> None:
        """It was accepted."""
        if score in self._sent_at:
            self._answered.add(score)

    def failed(self, score: Score) -> None:
        """It was not."""
        self._drop(score)

    def seen(self, shown: Sequence[Score], skipped: int) -> list[float]:
        """When the scores of a frame had been sent: those shown, and those skipped as far as they can be told."""
        moments = [at for at in (self._drop(score) for score in shown) if at is not None]
        if skipped and moments:
            moments += self._passed_over(min(moments), skipped)
        return moments

    def forget(self, before: float) -> None:
        """Give up on what was sent before a moment: it never reached the channel."""
        for score in [score for score, at in self._sent_at.items() if at < before]:
            self._drop(score)

    def _passed_over(self, oldest_shown: float, skipped: int) -> list[float]:
        passed: list[Score] = []
        for score, at in self._sent_at.items():
            if at >= oldest_shown or len(passed) == skipped:
                break
            if score in self._answered:
                passed.append(score)
        return [at for at in map(self._drop, passed) if at is not None]

    def _drop(self, score: Score) -> float | None:
        self._answered.discard(score)
        return self._sent_at.pop(score, None)


class Audience:
    """All sockets' frames of one kind of channel, as one histogram.

    Each frame on each socket adds the weight of all its scores with the age of one of them, by turns: with many
    sockets that is the distribution over all scores and sockets, for the price of one record a frame.
    """

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._frames: deque[tuple[tuple[str, str, int], list[float]]] = deque(maxlen=_REMEMBERED)
        self._turn = 0
        self.whole = Histogram()
        self.second = Histogram()
        self.measured_from = float("inf")

    def heard(self, told: Told, at: float) -> None:
        """A socket read a frame."""
        moments = self._moments(told)
        if not moments:
            return
        self._turn += 1
        age_s = at - moments[self._turn % len(moments)]
        self.second.record(age_s, len(moments))
        if at >= self.measured_from:
            self.whole.record(age_s, len(moments))

    def _moments(self, told: Told) -> list[float]:
        name = (told.channel, told.epoch, told.version)
        for known, moments in self._frames:
            if known == name:
                return moments
        # A snapshot shows what is, not what just happened: a newcomer would find old scores in it.
        moments = [] if told.base is None else self._pending.seen(told.scores, told.skipped)
        self._frames.append((name, moments))
        return moments
