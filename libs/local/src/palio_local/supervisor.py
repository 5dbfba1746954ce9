"""Keeps the parts of the stack alive, in one thread: starts again what ended, and ends all in order."""

import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from palio_local.backoff import Backoff
from palio_local.part import Part, StartFailed, suggestion

TICK_S = 0.1
_SERVICES_STOP_S = 6.0
_STORES_STOP_S = 10.0
_POLL_S = 0.02
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Told:
    """Signals as facts: whether we were told to end; `pause` returns early when a signal or a child's end comes."""

    def __init__(self) -> None:
        self.to_end = False
        self._reading, self._writing = socket.socketpair()
        self._reading.setblocking(False)
        self._writing.setblocking(False)

    @contextmanager
    def listening(self) -> Iterator["Told"]:
        """Take the process's signals for as long as the block lasts."""
        signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, self._end) for number in _ENDING}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            yield self
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._reading.close()
            self._writing.close()

    def pause(self, seconds: float) -> None:
        """Wait, but not past a signal."""
        ready, _, _ = select.select([self._reading], [], [], seconds)
        if ready:
            self._reading.recv(4096)

    def _end(self, *_: object) -> None:
        self.to_end = True


@dataclass
class Supervisor:
    """The parts that run now; stores first, so that they end last."""

    stores: Sequence[Part]
    services: Sequence[Part]
    say: Callable[[str, str], None]
    """Told a part's name and what happened to it."""
    on_restart: Callable[[], None] = lambda: None
    _backoffs: dict[str, Backoff] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)

    def start(self, part: Part) -> None:
        """Start one part and look after it from now on."""
        part.start()
        self._backoffs.setdefault(part.name, Backoff()).started(time.monotonic())

    def demand_alive(self) -> None:
        """While starting nothing may end.

        Raises:
            StartFailed: something did.
        """
        for part in self._started():
            if part.has_ended():
                lines = part.last_lines()
                raise StartFailed(part.name, lines, suggestion(lines, part.name))

    def look(self) -> None:
        """Notice what ended and start again what is due."""
        now = time.monotonic()
        for part in self._started():
            if part.name in self._due:
                self._start_again(part, now)
            elif part.has_ended():
                self._due[part.name] = self._backoffs[part.name].ended(now)
                self.say(part.name, "ended; starting it again")
                self._start_again(part, now)

    def stop(self) -> None:
        """End services, then stores; what does not go politely is killed."""
        self._end(self.services, _SERVICES_STOP_S)
        self._end(self.stores, _STORES_STOP_S)

    def _start_again(self, part: Part, now: float) -> None:
        if now < self._due[part.name]:
            return
        del self._due[part.name]
        self.start(part)
        self.on_restart()

    def _started(self) -> list[Part]:
        return [part for part in (*self.stores, *self.services) if part.name in self._backoffs]

    def _end(self, parts: Sequence[Part], timeout_s: float) -> None:
        running = [part for part in parts if part.pid is not None]
        for part in running:
            part.send(signal.SIGTERM)
        left = _wait_for(running, timeout_s)
        for part in left:
            self.say(part.name, "did not end in time; killed")
            part.send(signal.SIGKILL)
        _wait_for(left, timeout_s)


def _wait_for(parts: Sequence[Part], timeout_s: float) -> list[Part]:
    """Wait for their ends; answers who is still there."""
    deadline = time.monotonic() + timeout_s
    left = [part for part in parts if part.pid is not None]
    while left and time.monotonic() < deadline:
        left = [part for part in left if not part.has_ended()]
        if left:
            time.sleep(_POLL_S)
    return left
