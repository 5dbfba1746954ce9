"""A run's course: when its barrier opens, which phase it is in, what it ends as, which seconds may be told. Pure.

Time comes in and is the database's. A run ends once; what it ends as follows from what its runners did until then.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

START_LEAD_S = 3.0
"""From the opening of the barrier to the start: time for every runner to hear of it, each asks twice a second."""
SOLE_LEAD_S = 0.5
"""The same for one runner, who hears of it at once."""
REPORT_GRACE_S = 120.0
"""How long after its end a run waits for its reports."""
TELLING_GRACE_SECONDS = 3
"""A second is told live when all its runners handed it in, or when the newest one is so much further."""


class Phase(StrEnum):
    """What a run is at. The last three are ends."""

    WAITING = "waiting"
    RUNNING = "running"
    REPORTING = "reporting"
    FINISHED = "finished"
    STOPPED = "stopped"
    LOST = "lost"


OVER = frozenset({Phase.FINISHED, Phase.STOPPED, Phase.LOST})


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How far a run is. `ready` counts runners that were ever ready; `failed` those that never will report."""

    runners: int
    duration_s: float
    startup_deadline_s: int
    created_at: datetime
    start_at: datetime | None = None
    stop_asked_at: datetime | None = None
    outcome: Phase | None = None
    ready: int = 0
    reported: int = 0
    failed: int = 0

    @property
    def ends_at(self) -> datetime | None:
        """When load ends, if its start is known."""
        return None if self.start_at is None else self.start_at + timedelta(seconds=self.duration_s)

    @property
    def opens(self) -> bool:
        """Whether the barrier opens now: all are ready, nobody fell, and nobody wants it stopped."""
        waits = self.outcome is None and self.start_at is None and self.stop_asked_at is None
        return waits and self.ready == self.runners and self.failed == 0

    @property
    def lead_s(self) -> float:
        """From the opening of its barrier to its start."""
        return SOLE_LEAD_S if self.runners == 1 else START_LEAD_S


def phase(course: Course, now: datetime) -> Phase:
    """What a run is at."""
    if course.outcome is not None:
        return course.outcome
    if course.reported:
        return Phase.REPORTING
    if course.start_at is None or course.ends_at is None or now < course.start_at:
        return Phase.WAITING
    return Phase.RUNNING if now < course.ends_at else Phase.REPORTING


def is_overdue(course: Course, now: datetime) -> bool:
    """Whether nobody will finish it any more: its runners were not ready in time, or did not report in time."""
    if course.outcome is not None:
        return False
    if course.ends_at is None:
        return now >= course.created_at + timedelta(seconds=course.startup_deadline_s)
    return now >= course.ends_at + timedelta(seconds=REPORT_GRACE_S)


def ending(course: Course, *, now: datetime) -> Phase | None:
    """What a run ends as now; None if it goes on, or is over.

    A runner that fell before the start takes the run with it: without it the load would be another one.
    """
    if course.outcome is not None:
        return None
    all_done = course.reported + course.failed >= course.runners
    fell_early = course.start_at is None and course.failed > 0
    if all_done or fell_early or is_overdue(course, now):
        return end_of(course)
    return None


def end_of(course: Course) -> Phase:
    """What a run is if it ends here: stopped if that was asked for, else finished if all reported, else lost."""
    if course.stop_asked_at is not None:
        return Phase.STOPPED
    return Phase.FINISHED if course.reported == course.runners else Phase.LOST


def tellable(told: int, handed_in: Mapping[int, int], course: Course) -> Iterator[int]:
    """The seconds after `told` that may be told now, in order.

    Args:
        handed_in: how many runners handed in each second.
    """
    awaited = course.runners - course.failed
    newest = max(handed_in, default=-1)
    for second in sorted(second for second in handed_in if second > told):
        if handed_in[second] < awaited and second > newest - TELLING_GRACE_SECONDS:
            return
        yield second
