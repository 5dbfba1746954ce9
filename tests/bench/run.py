"""`make bench`: what palio does per second and per CPU-second, beside bare PostgreSQL, on a stack of its own.

Variants of one comparison alternate (A B C, C B A, ...), each number is a median of at least five rounds with its
range, ratios are taken within a round. A run with a single failed request is no result. Traffic stays on 127.0.0.1.
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

if __name__ == "__main__":  # as a script this folder is on the path, but not the one that makes `bench` a package
    sys.path[0] = str(Path(__file__).parents[1])

from bench import bare, loads, rebuilds, stack
from bench.machine import Machine, load_average
from bench.report import Goal, Result, Row, Spread, ratio
from bench.stack import Stack
from palio_generator.load.results import Report

_TESTS = Path(__file__).parents[1]
_GAME = "space-race"
_SMALL, _LARGE = "bench-small", "bench-large"
_BATCHES = 4
"""Batches at once: what the score service takes before it answers 503."""
_BENCHMARKS = ("writes", "batch", "reads", "rebuild", "load")


_LOAD_RATE, _LOAD_FAST_RATE, _LOAD_ROUNDS = 2_000, 10_000, 3


@dataclass(frozen=True)
class Sizes:
    """How much to measure."""

    rounds: int = 5
    seconds: float = 5.0
    warm_s: float = 1.0
    players: int = 20_000
    small: int = 1_000
    large: int = 1_000_000
    rebuilds: int = 5
    load_seconds: float = 30.0

    @classmethod
    def quick(cls) -> "Sizes":
        """For a first look and for CI: same shape, a minute or two."""
        return cls(seconds=1.0, warm_s=0.3, players=2_000, large=100_000, load_seconds=6.0)


class Failed(RuntimeError):
    """A run whose numbers mean nothing."""


class Generator:
    """The load generator's process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    @classmethod
    @contextmanager
    def started(cls, tokens: Path) -> "Iterator[Generator]":
        """Start it and end it."""
        command = [sys.executable, "-m", "bench.client", str(tokens)]
        with subprocess.Popen(command, cwd=_TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield cls(process)
            finally:
                process.kill()

    def run(self, command: Mapping[str, Any]) -> Result:
        """Carry out one command.

        Raises:
            Failed: a request was not answered with success.
        """
        _pipe(self._process.stdin).write(json.dumps(command) + "\n")
        _pipe(self._process.stdin).flush()
        result: dict[str, Any] = json.loads(_pipe(self._process.stdout).readline() or '{"error": "the generator died"}')
        if "error" in result:
            raise Failed(f"{command['kind']}: {result['error']}")
        if result["failures"]:
            raise Failed(f"{command['kind']}: {result['statuses']}, first {result['first_failure']}")
        if result["without_ranks"]:
            raise Failed(f"{command['kind']}: {result['without_ranks']} answers without ranks")
        return result


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


class Bench:
    """The benchmarks of one session; `document` collects what is printed."""

    def __init__(self, running: Stack, generator: Generator, sizes: Sizes) -> None:
        self._stack = running
        self._generator = generator
        self._sizes = sizes
        self._boards_are_there = False
        self._players_are_known = False
        self.goals: list[Goal] = []
        self.document: dict[str, Any] = {}

    def gave_result(self, name: str) -> bool:
        """Run one benchmark by name; False if its numbers mean nothing."""
        try:
            getattr(self, name)()
        except (Failed, TimeoutError) as failure:
            print(f"  NO RESULT: {failure}", flush=True)
            return False
        return True

    def writes(self) -> None:
        """Single durable submissions at 16, 64 and 256 connections, beside single-row commits."""
        self._preload()
        before = self._submissions()
        names = {connections: f"{connections} connections" for connections in (16, 64, 256)}
        variants = {"bare single-row commits": self._bare(rows=1, connections=8)} | {
            name: self._http("writes", connections=connections, game_id=_GAME) for connections, name in names.items()
        }
        runs = self._alternate("Single submissions through the gateway, durable, rank returned", variants)
        acked = sum(run["acked"] for name in names.values() for run in runs[name])
        self._check_stored(before, acked)
        at_64, baseline = runs[names[64]], runs["bare single-row commits"]
        self._goal(Goal("single writes at 64 connections / bare commits", ratio(at_64, baseline), 0.75))

    def batch(self) -> None:
        """Rows per second by batch, beside UNNEST statements that write the same rows and standings."""
        self._preload()
        before = self._submissions()
        variants: dict[str, dict[str, Any]] = {}
        for rows in (100, 1000):
            variants[f"bare UNNEST, {rows} rows"] = self._bare(rows=rows, connections=_BATCHES)
            variants[f"batches of {rows} rows"] = self._http(
                "batches", connections=_BATCHES, game_id=_GAME, operations_each=rows
            )
        runs = self._alternate(f"Batches by a game server, {_BATCHES} connections, rows", variants)
        self._check_stored(before, sum(run["acked"] for name in variants for run in runs[name]))
        for rows in (100, 1000):
            measured = ratio(runs[f"batches of {rows} rows"], runs[f"bare UNNEST, {rows} rows"])
            self._goal(Goal(f"batch rows / bare UNNEST rows, {rows} a request", measured, 0.6))

    def reads(self) -> None:
        """Own rank, around and top 100 on a small and a large board at 64 connections."""
        self._add_boards()
        sizes = {_SMALL: self._sizes.small, _LARGE: self._sizes.large}
        variants = {
            f"{kind}, {players:,} players": self._http(kind, connections=64, game_id=game_id, players=players)
            for kind in ("rank", "around", "top")
            for game_id, players in sizes.items()
        }
        runs = self._alternate("Board reads, 64 connections", variants)
        large = f"{self._sizes.large:,} players"
        for kind, wall in (("rank", 8_000), ("top", 12_000)):
            found = runs[f"{kind}, {large}"]
            self._goal(Goal(f"{kind} reads/s, {large}", Spread.of(run["rate"] for run in found), wall))
            self._goal(Goal(f"{kind} reads per CPU-second, {large}", Row.of(kind, found).per_cpu_second, 10_000))
            slower = ratio(found, runs[f"{kind}, {self._sizes.small:,} players"], "p50_ms")
            self._goal(Goal(f"{kind} p50 at {large} / at {self._sizes.small:,}", slower, 1.3, least=False))

    def rebuild(self) -> None:
        """Time until a board that Redis lost is served from Redis again, and what it weighs there."""
        self._add_boards()
        found = [self._rebuilt(_LARGE, self._sizes.large) for _ in range(self._sizes.rebuilds)]
        seconds = Spread.of(one.seconds for one in found)
        weight = Spread.of(one.bytes_per_player for one in found)
        reads, wrong = sum(one.reads for one in found), sum(one.wrong for one in found)
        print(f"\nRebuild of a board of {self._sizes.large:,} players from SQL")
        print(f"  {seconds.text(2, ' s')}, {weight.text(0, ' bytes')} per player in Redis")
        refused = sum(one.refused for one in found)
        print(f"  {reads} reads of known ranks meanwhile: {wrong} wrong, {refused} refused (503)")
        self.document["rebuild"] = {"runs": [asdict(one) for one in found]}
        if wrong:
            raise Failed(f"{wrong} of {reads} reads during the rebuild told a wrong rank")
        self._goal(Goal("bytes per player in Redis", weight, 220, least=False))
        self._goal(Goal(f"seconds to rebuild {self._sizes.large:,}", seconds, 15.0, least=False))

    def load(self) -> None:
        """Whether our own load engine keeps its schedule, and what it can send, against a server of fixed time."""
        seconds = self._sizes.load_seconds
        print("\nThe load engine against a server that always takes 5 ms, at 2,000/s; vegeta after it")
        honest = [loads.honest(_LOAD_RATE, seconds) for _ in range(_LOAD_ROUNDS)]
        reports = [report for report, _ in honest]
        self.document["load"] = {"honest": [_load_row(report) | {"vegeta_p99_ms": p99} for report, p99 in honest]}
        off = Spread.of(100 * abs(report.requests_per_second / _LOAD_RATE - 1) for report in reports)
        self._goal(Goal("rate off by, per cent", off, 0.5, least=False))
        late = Spread.of(report.schedule_error_p99_ms for report in reports)
        self._goal(Goal("schedule error p99, ms", late, 2.0, least=False))
        beside = [report.p99_ms - 1.05 * vegeta for report, vegeta in honest if vegeta is not None]
        if beside:
            self._goal(Goal("p99 above 1.05 x vegeta's, ms", Spread.of(beside), 1.0, least=False))
        else:
            print("  vegeta is not on PATH: its p99 was not compared")
        self._load_limits(seconds)

    def _load_limits(self, seconds: float) -> None:
        fast = [loads.fast(_LOAD_FAST_RATE, seconds / 3) for _ in range(_LOAD_ROUNDS)]
        self.document["load"]["fast"] = list(map(_load_row, fast))
        per_core = Spread.of(report.requests_per_second / report.generator_cpu for report in fast)
        self._goal(Goal("requests per CPU-second of the engine", per_core, 8_000))
        stalled = loads.stalled(_LOAD_RATE, max(20.0, seconds))
        self.document["load"]["stalled"] = _load_row(stalled)
        self._goal(Goal("p99 when the server stood still for 1 s, ms", Spread.of([stalled.p99_ms]), 600))

    # how

    def _http(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "port": self._stack.gateway_port, "operations_each": 1} | self._window() | more

    def _bare(self, *, rows: int, connections: int) -> dict[str, Any]:
        own = {"dsn": self._stack.owner_dsn, "connections": connections, "rows": rows, "players": self._sizes.players}
        return {"kind": "bare"} | self._window() | own

    def _window(self) -> dict[str, Any]:
        return {"roots": self._stack.roots, "warm_s": self._sizes.warm_s, "seconds": self._sizes.seconds}

    def _preload(self) -> None:
        """One submission of each player, once: their standings exist, their tokens are known."""
        if self._players_are_known:
            return
        self._players_are_known = True
        command = self._http("writes", connections=64, game_id=_GAME)
        del command["seconds"]
        self._generator.run(command)

    def _alternate(self, title: str, variants: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Result]]:
        print(f"\n{title}")
        runs: dict[str, list[Result]] = {name: [] for name in variants}
        for number in range(self._sizes.rounds):
            names = list(variants) if number % 2 == 0 else list(variants)[::-1]
            for name in names:
                self._stack.settle()
                runs[name].append(self._generator.run(variants[name]))
        rows = [Row.of(name, found) for name, found in runs.items()]
        for row in rows:
            print(*row.lines(), sep="\n", flush=True)
        self.document[title] = {"rows": [asdict(row) for row in rows], "runs": runs}
        return runs

    def _goal(self, goal: Goal) -> None:
        self.goals.append(goal)
        print(goal.line(), flush=True)

    def _submissions(self) -> int:
        count: int = self._stack.value("SELECT count(*) FROM score.submissions")
        return count

    def _check_stored(self, before: int, acked: int) -> None:
        stored = self._submissions() - before
        print(f"  acked {acked:,}, stored {stored:,}")
        if stored != acked:
            raise Failed(f"{acked} submissions were acked and {stored} are stored")

    def _add_boards(self) -> None:
        if self._boards_are_there:
            return
        started = time.monotonic()
        self._boards_are_there = True
        self._memory_before = rebuilds.used_memory(self._stack)
        self._stack.add_players(0, self._sizes.large)
        for game_id, players in ((_SMALL, self._sizes.small), (_LARGE, self._sizes.large)):
            self._stack.add_board(game_id, players)
            rebuilds.rebuild(self._stack, game_id, players, self._memory_before, reading=False)
        print(f"\n(loading {self._sizes.large:,} players took {time.monotonic() - started:.0f} s)")

    def _rebuilt(self, game_id: str, players: int) -> rebuilds.Rebuild:
        self._stack.settle()
        return rebuilds.rebuild(self._stack, game_id, players, self._memory_before)


def _load_row(report: Report) -> dict[str, Any]:
    names = ("requests_per_second", "p50_ms", "p99_ms", "service_p99_ms", "schedule_error_p50_ms",
             "schedule_error_p99_ms", "generator_cpu", "errors", "backlog_max")  # fmt: skip
    row = {name: getattr(report, name) for name in names}
    print("  " + ", ".join(f"{name} {value:,.3g}" for name, value in row.items()), flush=True)
    return row


def _introduce(running: Stack, sizes: Sizes) -> dict[str, Any]:
    machine = Machine.this()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=_TESTS, capture_output=True, text=True, check=False
    )
    versions = running.versions() | {
        name: version(name) for name in ("uvicorn", "uvloop", "fastapi", "asyncpg", "redis")
    }
    print(f"machine   {machine.cores} cores, {machine.cpu}, {machine.memory_gib} GiB, Linux {machine.kernel}")
    print(f"load      {load_average():.2f} before the start (generator, servers and databases share the cores)")
    print(f"versions  palio {commit.stdout.strip() or '?'}, python {machine.python}, "
          + ", ".join(f"{name} {number}" for name, number in versions.items()))  # fmt: skip
    print(f"sizes     {asdict(sizes)}")
    print(f"command   {shlex.join(['python', *sys.argv])}", flush=True)
    return {
        "machine": asdict(machine), "load": load_average(), "versions": versions, "commit": commit.stdout.strip(),
        "sizes": asdict(sizes), "command": sys.argv,
    }  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs on smaller boards")
    parser.add_argument("--only", action="append", choices=_BENCHMARKS, help="one benchmark; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run's numbers there")
    return parser.parse_args()


def main() -> int:
    """Run the benchmarks; 0 if each of them gave a result, whether or not goals were reached."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the stack is stopped on the way out
    sizes = Sizes.quick() if arguments.quick else Sizes()
    chosen: Sequence[str] = arguments.only or _BENCHMARKS
    with stack.running() as running:
        document = _introduce(running, sizes)
        running.add_players(0, sizes.players)
        running.execute(bare.TABLES)
        with Generator.started(running.mint_tokens(sizes.players)) as generator:
            bench = Bench(running, generator, sizes)
            failed = [name for name in chosen if not bench.gave_result(name)]
        if arguments.json:
            goals = [asdict(goal) | {"reached": goal.reached} for goal in bench.goals]
            document |= bench.document | {"goals": goals, "failed": failed}
            arguments.json.write_text(json.dumps(document, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
