"""A server that always takes the same time: what a load generator says of it can be checked against arithmetic.

`python -m support.fixed_server DELAY_MS` prints its port and answers every request after the delay with 201 (POST) or
200, on any number of connections, until it is ended. Delay 0 answers at once.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import uvloop
from typing_extensions import override

TESTS = Path(__file__).parents[1]
_BODY = b'{"ok":true}'
_HEAD = b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_ANSWERS = {
    method: _HEAD % (status, len(_BODY)) + _BODY for method, status in ((b"POST", 201), (b"GET ", 200))
}  # fmt: skip


class Answering(asyncio.Protocol):
    """One connection; a request is over where its content-length says."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._received = b""
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        data = self._received + data
        head_end = data.find(b"\r\n\r\n")
        start = data.find(b"content-length: ", 0, head_end)
        size = int(data[start + 16 : data.find(b"\r", start + 16)]) if start >= 0 else 0
        if head_end < 0 or len(data) < head_end + 4 + size:
            self._received = data
            return
        self._received = b""
        answer = _ANSWERS[data[:4]]
        if not self._delay_s:
            self._write(answer)
        else:
            asyncio.get_running_loop().call_later(self._delay_s, partial(self._write, answer))

    def _write(self, answer: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(answer)


@dataclass(frozen=True)
class FixedServer:
    """A running one."""

    pid: int
    port: int


@contextmanager
def running(delay_ms: float) -> Iterator[FixedServer]:
    """Start one, and end it."""
    command = [sys.executable, "-m", "support.fixed_server", str(delay_ms)]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield FixedServer(process.pid, int(process.stdout.readline()))
        finally:
            process.kill()


async def _serve(delay_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Answering(delay_s), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(float(sys.argv[1]) / 1000))
