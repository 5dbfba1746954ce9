"""Children that do not outlive us: on Linux the kernel signals them when their parent is gone, however it went."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Loaded here, not in the child: between fork and exec nothing should be imported.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def leashed(death_signal: signal.Signals, *, parent_pid: int | None = None) -> Callable[[], None]:
    """What a new child runs first, so that it gets `death_signal` when the thread that started it ends.

    Start children from the main thread: Linux ties this to the thread, not to the process. Where the kernel has no such
    thing, servers left behind by a killed launcher are found and ended by the next start.
    """
    parent = parent_pid or os.getpid()

    def bind() -> None:
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was asked
            os.kill(os.getpid(), death_signal)

    return bind
