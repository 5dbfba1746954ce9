"""Work done in a forked process: what needs an event loop or blocks must not happen in the parent of services."""

import contextlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import IO, NoReturn

from palio_local.leash import leashed


class ErrandFailed(RuntimeError):
    """The work raised; the message is its traceback."""


class Errand:
    """One piece of work, running."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self._said: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `join`; unnamed, so nothing is left
        sys.stdout.flush()
        bind = leashed(signal.SIGKILL)
        self._pid = os.fork()
        if self._pid == 0:
            bind()
            self._run(work)

    def join(self) -> None:
        """Wait for the end.

        Raises:
            ErrandFailed: it did not work.
        """
        with self._said:
            _, status = os.waitpid(self._pid, 0)
            if status != 0:
                self._said.seek(0)
                raise ErrandFailed(self._said.read() or f"{self.name} ended with status {status}")

    def _run(self, work: Callable[[], None]) -> NoReturn:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            with contextlib.suppress(OSError):
                self._said.write(traceback.format_exc())
                self._said.flush()
        finally:
            os._exit(status)
