"""What was just recorded, told to whoever listens: at once when it is quiet, else what gathered in 20 ms as one event.

Boards are shown ten times a second, so more than fifty events a second would only cost.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from palio_kit import erasures
from palio_kit.erasures import Erased
from palio_kit.events import Publisher
from palio_score.domain import DELETED_PLAYER
from palio_score.models import ScoreNews, ScoresEvent

_APART_S = 0.02
NEWS_MAX = 100


class News:
    """Gathers flushes into `scores` events, the newest 100 submissions in each."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._boards: dict[str, tuple[str, int]] = {}
        self._submissions: deque[ScoreNews] = deque(maxlen=NEWS_MAX)
        self.told: deque[ScoreNews] = deque(maxlen=NEWS_MAX)
        """The newest submissions that were told of, oldest first."""
        self._erased: set[str] = set()
        self._told_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, boards: Mapping[str, tuple[str, int]], submissions: Sequence[ScoreNews]) -> None:
        """Tell of a flush, soon."""
        self._submissions.extend(submissions)
        self.told.extend(submissions)
        for board, state in boards.items():
            known = self._boards.get(board)
            if known is None or known[0] != state[0] or known[1] < state[1]:
                self._boards[board] = state
        if self._timer is None:
            loop = asyncio.get_running_loop()
            wait_s = self._told_at + _APART_S - loop.time()
            if wait_s > 0:
                self._timer = loop.call_later(wait_s, self.send)
            else:
                self.send()

    def forget(self, erased: Erased) -> None:
        """Call these players by no name in what was told and in what waits to be, and have others do the same."""
        gone = set(map(str, erased))
        heard = (*self.told, *self._submissions)
        named = [one for one in heard if one.user_id in gone and one.username != DELETED_PLAYER]
        for submission in named:
            submission.username = DELETED_PLAYER
        erasures.tell(self._publisher, (gone - self._erased).union(one.user_id for one in named))
        self._erased = gone

    def send(self) -> None:
        """Send what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._told_at = asyncio.get_running_loop().time()
        if self._submissions:
            self._publisher.publish("scores", ScoresEvent(self._boards, list(self._submissions)))
            self._boards = {}
            self._submissions.clear()
