"""Being woken at exact moments: a kernel timer on Linux (about 0.05 ms), the loop's own millisecond ticks elsewhere."""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from typing import Protocol

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_EXPIRATIONS_BYTES = 8
_TICK_S = 0.001
_SHORTEST_S = 2e-4
"""Wakes closer together than this cost more than they are worth; several requests are then sent at one wake."""

Act = Callable[[float], float | None]
"""Does what is due at a moment of the monotonic clock; answers when it wants to be called next, None for never."""


class Pacer(Protocol):
    """Calls an `Act` when it wants to be called."""

    def start(self, at: float) -> None:
        """Call it for the first time at a moment of the monotonic clock."""
        ...

    def close(self) -> None:
        """Never call it again."""
        ...


def pacer(act: Act) -> Pacer:
    """The best pacer this system has; within a running loop."""
    try:
        return KernelTimer(act)
    except (AttributeError, OSError):
        return Ticks(act)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class KernelTimer:
    """A timerfd in the event loop's own set of descriptors.

    Raises:
        AttributeError, OSError: this system has none.
    """

    def __init__(self, act: Act) -> None:
        self._act = act
        self._loop = asyncio.get_running_loop()
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._descriptor: int = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _Itimerspec()
        self._spec_reference = ctypes.byref(self._spec)
        self._loop.add_reader(self._descriptor, self._woken)

    def start(self, at: float) -> None:
        """Arm it."""
        self._arm(at)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _woken(self) -> None:
        os.read(self._descriptor, _EXPIRATIONS_BYTES)
        now = time.monotonic()
        wanted = self._act(now)
        if wanted is not None and self._descriptor >= 0:
            self._arm(max(wanted, now + _SHORTEST_S))

    def _arm(self, at: float) -> None:
        seconds = int(at)
        self._spec.value.seconds = seconds
        self._spec.value.nanoseconds = int((at - seconds) * 1e9)
        self._settime(self._descriptor, _ABSOLUTE, self._spec_reference, None)


class Ticks:
    """The loop's timers, which go by milliseconds and may come one early: what is not due yet waits for the next."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None

    def start(self, at: float) -> None:
        """Begin to tick."""
        self._handle = self._loop.call_later(max(0.0, at - time.monotonic()), self._tick)

    def close(self) -> None:
        """Tick no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _tick(self) -> None:
        now = time.monotonic()
        wanted = self._act(now)
        if wanted is not None and self._handle is not None:
            self._handle = self._loop.call_later(max(_TICK_S, wanted - now), self._tick)
