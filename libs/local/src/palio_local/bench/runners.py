"""The load engine's processes: fed a plan each, begun together, their messages read as they come.

The engine runs in processes of its own so that drawing a progress bar cannot make a request late.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from palio_generator.load import messages
from palio_generator.load.messages import Message
from palio_generator.load.plan import Plan
from palio_local.leash import leashed

_COMMAND = (sys.executable, "-m", "palio_generator.load", "--barrier")
_LEAD_S = 0.2
_LINE_BYTES_MAX = 16 * 1024 * 1024
_END_TIMEOUT_S = 5.0


class Runners:
    """The processes of one run."""

    def __init__(self, processes: "Sequence[subprocess.Popen[bytes]]") -> None:
        self._processes = processes
        self._lost = 0

    def messages(self) -> Iterator[Message]:
        """What they say, until all have ended. All begin when the last one is ready."""
        ready = 0
        for message in self._lines():
            if isinstance(message, messages.Ready):
                ready += 1
                if ready == len(self._processes):
                    self._start()
            yield message

    def stop(self) -> None:
        """End the run early and well."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End it now."""
        self._signal(signal.SIGKILL)

    def _start(self) -> None:
        line = messages.encode(messages.Start(time.time() + _LEAD_S)) + b"\n"
        for process in self._processes:
            _write(process.stdin, line)

    def _lines(self) -> Iterator[Message]:
        with selectors.DefaultSelector() as selector:
            for process in self._processes:
                assert process.stdout is not None
                selector.register(process.stdout, selectors.EVENT_READ, bytearray())
            while selector.get_map():
                for key, _ in selector.select():
                    data = os.read(key.fd, 65_536)
                    if not data:
                        selector.unregister(key.fileobj)
                    yield from _cut(key.data, data)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)


def _cut(buffer: bytearray, data: bytes) -> Iterator[Message]:
    buffer += data
    *lines, rest = bytes(buffer).split(b"\n")
    if len(rest) > _LINE_BYTES_MAX:
        raise ValueError("a runner's line has no end")
    buffer[:] = rest
    for line in lines:
        yield messages.read(line)


def _write(pipe: IO[bytes] | None, line: bytes) -> None:
    assert pipe is not None
    try:
        pipe.write(line)
        pipe.flush()
    except BrokenPipeError:
        return  # it has ended; what it said last is still to be read


@contextmanager
def started(plan: Plan, count: int, environment: Mapping[str, str]) -> Iterator[Runners]:
    """Start `count` runners of a plan, each with its share; none is left when this ends."""
    processes = [
        subprocess.Popen(
            _COMMAND, env=os.environ | dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for us to pass on
            preexec_fn=leashed(signal.SIGKILL),  # noqa: PLW1509 - this command has no threads
        )
        for _ in range(count)
    ]  # fmt: skip
    runners = Runners(processes)
    try:
        for process, share in zip(processes, plan.shares(count), strict=True):
            _write(process.stdin, messages.encode(share) + b"\n")
        yield runners
    finally:
        runners.kill()
        for process in processes:
            process.wait(_END_TIMEOUT_S)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
