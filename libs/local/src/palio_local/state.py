"""What is running in a data directory: a lock held by the launcher for as long as it lives, and a file of addresses.

The lock decides, not the file: the kernel drops it however the launcher ends, so a stale file is recognised as one.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from palio_local.layout import Layout

_STOP_TIMEOUT_S = 20.0
_POLL_S = 0.05
_LOCK_TIMEOUT_S = 0.3


class AlreadyRunning(RuntimeError):
    """Another launcher holds the lock of this data directory."""


@contextmanager
def held(layout: Layout) -> Iterator[None]:
    """Hold the lock; what a dead launcher left behind is removed first, what we wrote at the end.

    Raises:
        AlreadyRunning: somebody else holds it.
    """
    layout.run.mkdir(parents=True, exist_ok=True)
    with _lock_file(layout).open("a+") as lock:
        if not _taken(lock):
            raise AlreadyRunning(str(layout.root))
        _state_file(layout).unlink(missing_ok=True)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            _state_file(layout).unlink(missing_ok=True)
            lock.truncate(0)


def is_running(layout: Layout) -> bool:
    """Whether a launcher holds the lock."""
    try:
        with _lock_file(layout).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def write(layout: Layout, document: dict[str, Any]) -> None:
    """Publish the addresses; the file names passwords, so it is ours only."""
    unfinished = layout.run / "state.unfinished"
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(document, indent=2))
    unfinished.rename(_state_file(layout))


def read(layout: Layout) -> dict[str, Any] | None:
    """The addresses, once everything was ready; None if nothing runs here or it is still starting."""
    if not is_running(layout):
        return None
    try:
        document: dict[str, Any] = json.loads(_state_file(layout).read_text())
    except FileNotFoundError:
        return None
    return document


def wait_for(layout: Layout, timeout_s: float) -> dict[str, Any] | None:
    """The addresses as soon as a starting stack is ready; None if it ended or took too long."""
    deadline = time.monotonic() + timeout_s
    while is_running(layout) and time.monotonic() < deadline:
        document = read(layout)
        if document is not None:
            return document
        time.sleep(_POLL_S)
    return None


def stop(layout: Layout) -> bool:
    """End the launcher and wait until all is gone; False if nothing ran."""
    if not is_running(layout):
        return False
    import psutil  # noqa: PLC0415 - only needed here

    launcher = int(_lock_file(layout).read_text())
    parts = psutil.Process(launcher).children(recursive=True)
    os.kill(launcher, signal.SIGTERM)
    if not _gone(layout, _STOP_TIMEOUT_S):
        with contextlib.suppress(ProcessLookupError):
            os.kill(launcher, signal.SIGKILL)
        _gone(layout, _STOP_TIMEOUT_S)
    _, alive = psutil.wait_procs(parts, timeout=_STOP_TIMEOUT_S)
    for part in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            part.kill()
    return True


def _taken(lock: IO[str]) -> bool:
    """Try for a moment: someone who only asks whether we run holds the lock for an instant too."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        else:
            return True


def _gone(layout: Layout, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while is_running(layout):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _lock_file(layout: Layout) -> Path:
    return layout.run / "lock"


def _state_file(layout: Layout) -> Path:
    return layout.run / "state.json"
