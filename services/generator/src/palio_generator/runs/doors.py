"""What a runner says to the store, and hears: the same words in this process and over HTTP.

Every call may be repeated; what was said already changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from palio_generator.load.plan import Plan
from palio_generator.load.results import Report, Second

ROWS_AT_ONCE_MAX = 60
DETAIL_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Signal:
    """At the barrier: seconds left until the start, None while somebody is not ready; or `stop`."""

    wait_s: float | None
    stop: bool


@dataclass(frozen=True, slots=True)
class Preparing:
    """How far a runner's preparing is."""

    what: str
    done: int
    total: int


class Door(Protocol):
    """The store, as one run's runner sees it. Each call raises `Problem`; 503 is worth another try."""

    async def plan(self, run_id: UUID, runner: int) -> Plan:
        """The share of that runner."""

    async def preparing(self, run_id: UUID, runner: int, what: str, done: int, total: int) -> None:
        """How far preparing is; nobody relies on it."""

    async def ready(self, run_id: UUID, runner: int) -> Signal:
        """It is prepared; asked again until the start is known."""

    async def seconds(self, run_id: UUID, runner: int, rows: Sequence[Second]) -> bool:
        """Hand in at most 60 rows; whether to stop."""

    async def report(self, run_id: UUID, runner: int, report: Report) -> None:
        """Hand in the end."""

    async def failed(self, run_id: UUID, runner: int, code: str, detail: str) -> None:
        """There will be no report."""
