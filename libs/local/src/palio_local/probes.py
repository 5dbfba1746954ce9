"""Asking services whether they are ready: all at once, without a thread, without waiting for the slow ones in turn."""

import contextlib
import select
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_REQUEST = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
_RETRY_S = 0.05
_ANSWER_TIMEOUT_S = 5.0


@dataclass
class Probe:
    """Asks one port until it says 200."""

    port: int
    ready: bool = False
    _connection: socket.socket | None = field(default=None, repr=False)
    _next_at: float = 0.0
    _deadline: float = 0.0

    @property
    def waits_for(self) -> socket.socket | None:
        """The connection on which an answer is awaited."""
        return self._connection

    def ask(self, now: float) -> None:
        """Send the question, if none is on its way and it is time."""
        if self._connection is not None and now > self._deadline:
            self.give_up(now)
        if self.ready or self._connection is not None or now < self._next_at:
            return
        try:
            self._connection = socket.create_connection(("127.0.0.1", self.port), 1.0)
            self._connection.sendall(_REQUEST)
            self._deadline = now + _ANSWER_TIMEOUT_S
        except OSError:
            self.give_up(now)

    def hear(self, now: float) -> None:
        """Read the answer that came."""
        assert self._connection is not None
        with contextlib.suppress(OSError):
            self.ready = b" 200 " in self._connection.recv(64)
        self.give_up(now)

    def give_up(self, now: float) -> None:
        """Close, and ask again a little later unless the answer was good."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._next_at = now + _RETRY_S


def wait_until_ready(ports: Mapping[str, int], *, timeout_s: float, check: Callable[[], None]) -> set[str]:
    """Ask all until each was ready once or time is up; answers who was not.

    Args:
        check: called between questions; raises to end the wait.
    """
    probes = {name: Probe(port) for name, port in ports.items()}
    deadline = time.monotonic() + timeout_s
    try:
        while unready := {name for name, probe in probes.items() if not probe.ready}:
            now = time.monotonic()
            if now > deadline:
                return unready
            check()
            for probe in probes.values():
                probe.ask(now)
            _hear(probes.values())
    finally:
        for probe in probes.values():
            probe.give_up(0)
    return set()


def _hear(probes: "object") -> None:
    waiting = {probe.waits_for: probe for probe in probes if probe.waits_for is not None}  # type: ignore[attr-defined]
    answered, _, _ = select.select(list(waiting), [], [], _RETRY_S)
    for connection in answered:
        waiting[connection].hear(time.monotonic())
