"""Being woken on time on a machine whose cores are shared with what is measured, where the system permits it.

A generator that queues for a core like everybody else measures that queue: with two cores and three times as many
busy processes requests left 2 to 6 ms late (p99) at normal priority, also at a better nice value, and 0.07 ms late so.
It sleeps most of the time; Linux takes the core from it if it ever runs for a whole second.
"""

import os

REAL_TIME, NORMAL = "real-time", "normal"
_LOWEST = 1


def take() -> None:
    """Ask for the lowest real-time priority, for this process alone; without the right to it nothing changes."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(_LOWEST))
    except (AttributeError, OSError):
        return


def taken() -> str:
    """How this process is scheduled."""
    try:
        policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    except (AttributeError, OSError):
        return NORMAL
    return REAL_TIME if policy == os.SCHED_RR else NORMAL
