"""The load generator: a process of its own that runs one closed loop after another, as told on standard input.

A raw protocol on uvloop, one request in flight per connection, answers looked at only as far as needed: about five
microseconds a request, so that two shared cores measure the servers. It samples the servers' processor time itself,
at the very edges of the measured window.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import uvloop
from typing_extensions import override

from bench import bare, workloads
from bench.machine import cpu_seconds
from bench.workloads import Next, Players

_SUCCESS = range(200, 300)
_BODY_SHOWN = 400
_DRAIN_S = 10.0
_ALL_S = 120.0


@dataclass
class Window:
    """What was counted between `open` and `close`; latencies in seconds."""

    latencies: list[float] = field(default_factory=list)
    operations: int = 0
    opened_at: float = 0.0
    closed_at: float = 0.0
    own_cpu_s: float = 0.0
    servers_cpu_s: dict[str, float] = field(default_factory=dict)
    is_open: bool = False

    def open(self, roots: dict[str, int]) -> None:
        """Start counting."""
        self.servers_cpu_s = cpu_seconds(roots)
        self.own_cpu_s = time.process_time()
        self.opened_at = time.perf_counter()
        self.is_open = True

    def close(self, roots: dict[str, int]) -> None:
        """Stop counting."""
        self.is_open = False
        self.closed_at = time.perf_counter()
        self.own_cpu_s = time.process_time() - self.own_cpu_s
        after = cpu_seconds(roots)
        self.servers_cpu_s = {name: after[name] - before for name, before in self.servers_cpu_s.items()}

    def count(self, latency_s: float, operations: int) -> None:
        """One answer came."""
        if self.is_open:
            self.latencies.append(latency_s)
            self.operations += operations

    def summary(self) -> dict[str, Any]:
        """As one result."""
        ordered = sorted(self.latencies) or [0.0]
        seconds = self.closed_at - self.opened_at
        return {
            "operations": self.operations, "requests": len(self.latencies), "seconds": seconds,
            "rate": self.operations / seconds,
            "p50_ms": 1000 * ordered[len(ordered) // 2], "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)],
            "generator_cpu": self.own_cpu_s / seconds, "servers_cpu_s": self.servers_cpu_s,
        }  # fmt: skip


class Loop:
    """One closed loop: its requests, its window, and what was answered."""

    def __init__(self, make: Next, operations_each: int) -> None:
        self.make = make
        self.operations_each = operations_each
        self.window = Window()
        self.sending = True
        self.statuses: Counter[int] = Counter()
        self.without_ranks = 0
        self.first_failure = ""

    def answered(self, status: int, answer: bytes, latency_s: float) -> None:
        """Count one answer."""
        self.statuses[status] += 1
        self.window.count(latency_s, self.operations_each)
        if status not in _SUCCESS:
            self.first_failure = self.first_failure or f"{status}: {answer[-_BODY_SHOWN:].decode(errors='replace')}"
        elif b'"ranks":null' in answer:
            self.without_ranks += 1


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request in flight."""

    def __init__(self, loop: Loop, ended: asyncio.Future[None]) -> None:
        self._loop = loop
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._sent_at = 0.0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its bases
        self._send()

    @override
    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0 or len(data) < head_end + 4 + _content_length(data, head_end):
            self._received = data
            return
        self._received = b""
        self._loop.answered(int(data[9:12]), data, time.perf_counter() - self._sent_at)
        self._send()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(exc or ConnectionError("the server closed a connection"))

    def _send(self) -> None:
        assert self._transport is not None
        request = self._loop.make() if self._loop.sending else None
        if request is None:
            if not self._ended.done():
                self._ended.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def _content_length(data: bytes, head_end: int) -> int:
    start = data.find(b"content-length: ", 0, head_end)
    return int(data[start + 16 : data.find(b"\r", start + 16)]) if start >= 0 else 0


async def run_http(command: dict[str, Any], make: Next) -> dict[str, Any]:
    """Run one closed loop against the gateway; without `seconds` until the requests are used up."""
    loop = Loop(make, command.get("operations_each", 1))
    running = asyncio.get_running_loop()
    ends: list[asyncio.Future[None]] = [running.create_future() for _ in range(command["connections"])]
    for end in ends:
        await running.create_connection(lambda end=end: Connection(loop, end), "127.0.0.1", command["port"])  # type: ignore[misc]
    await _measure(command, loop, asyncio.gather(*ends))
    return loop.window.summary() | {
        "statuses": dict(loop.statuses), "failures": sum(n for s, n in loop.statuses.items() if s not in _SUCCESS),
        "first_failure": loop.first_failure, "without_ranks": loop.without_ranks,
        "acked": sum(n for s, n in loop.statuses.items() if s in _SUCCESS) * loop.operations_each,
    }  # fmt: skip


async def run_bare(command: dict[str, Any]) -> dict[str, Any]:
    """Run one closed loop of bare SQL."""
    loop = Loop(lambda: b"", command["rows"])
    async with bare.connections(command["dsn"], command["connections"]) as connections:
        work = [bare.insert_forever(connection, loop, command["players"]) for connection in connections]
        await _measure(command, loop, asyncio.gather(*work))
    return loop.window.summary() | {"failures": 0, "statuses": {}, "first_failure": "", "without_ranks": 0, "acked": 0}


async def _measure(command: dict[str, Any], loop: Loop, ended: "asyncio.Future[Any]") -> None:
    roots: dict[str, int] = command["roots"]
    if "seconds" not in command:
        loop.window.open(roots)
        async with asyncio.timeout(_ALL_S):
            await ended
        loop.window.close(roots)
        return
    await _or_failed(ended, command["warm_s"])
    loop.window.open(roots)
    await _or_failed(ended, command["seconds"])
    loop.window.close(roots)
    loop.sending = False
    async with asyncio.timeout(_DRAIN_S):
        await ended


async def _or_failed(ended: "asyncio.Future[Any]", seconds: float) -> None:
    done, _ = await asyncio.wait({ended}, timeout=seconds)
    if done:
        ended.result()
        raise RuntimeError("the load ended by itself")


class Process:
    """Keeps players between commands."""

    def __init__(self, players: Players, server_token: str) -> None:
        self._players = players
        self._server_token = server_token

    async def run(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command."""
        if command["kind"] == "bare":
            return await run_bare(command)
        return await run_http(command, self._workload(command))

    def _workload(self, command: dict[str, Any]) -> Next:
        game_id = command["game_id"]
        match command["kind"]:
            case "writes":
                return workloads.writes(self._players, game_id, once_each="seconds" not in command)
            case "batches":
                return workloads.batches(self._players, game_id, self._server_token, command["operations_each"])
            case "rank":
                return workloads.ranks(game_id, command["players"])
            case "around":
                return workloads.arounds(game_id, command["players"])
            case "top":
                return workloads.tops(game_id)
            case unknown:
                raise ValueError(unknown)


def main() -> None:
    """Read commands, write results, one line each."""
    tokens = json.loads(Path(sys.argv[1]).read_text())
    process = Process(Players(tokens["players"]), tokens["server"])
    for line in sys.stdin:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                result = runner.run(process.run(json.loads(line)))
            except (OSError, RuntimeError, TimeoutError, ValueError) as error:
                result = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
