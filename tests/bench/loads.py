"""Is the load generator honest, and how much can it send: measured against a server that always takes the same time.

`python -m bench.loads PLAN` runs one plan (JSON) in a process of its own and prints its report.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from palio_generator.load import precedence
from palio_generator.load.plan import Plan, Scenario, read_plan
from palio_generator.load.results import Report, read_report
from support import fixed_server, load_runs
from support.fixed_server import FixedServer

_TESTS = Path(__file__).parents[1]
_USERS = 200
_DELAY_MS = 5.0
_RAMP_S = 1.0
_STALL_AFTER_S = 3.0
_STALL_S = 1.0
_MORE_S = 60


def measure(plan: Plan) -> Report:
    """Run a plan in a process of its own."""
    command = [sys.executable, "-m", "bench.loads", msgspec.json.encode(plan).decode()]
    done = subprocess.run(command, cwd=_TESTS, capture_output=True, check=True, timeout=plan.duration_s + _MORE_S)
    return read_report(done.stdout)


def plan_for(server: FixedServer, rate: float, seconds: float) -> Plan:
    """Submissions at a rate; the ramp comes before what is measured."""
    return Plan(
        base_url=f"http://127.0.0.1:{server.port}", scenario=Scenario.SUBMIT_SCORES, virtual_users=_USERS,
        requests_per_second=rate, ramp_up_s=_RAMP_S, duration_s=seconds + _RAMP_S,
    )  # fmt: skip


def honest(rate: float, seconds: float) -> tuple[Report, float | None]:
    """A run against a server of 5 ms, and the p99 (ms) that vegeta tells of it afterwards; None without vegeta."""
    with fixed_server.running(_DELAY_MS) as server:
        return measure(plan_for(server, rate, seconds)), vegeta_p99_ms(server, rate, seconds)


def fast(rate: float, seconds: float) -> Report:
    """A run against a server that answers at once."""
    with fixed_server.running(0) as server:
        return measure(plan_for(server, rate, seconds))


def stalled(rate: float, seconds: float) -> Report:
    """A run during which the server stands still for a second."""
    with fixed_server.running(_DELAY_MS) as server:
        timers = [
            threading.Timer(after_s, os.kill, (server.pid, number))
            for after_s, number in ((_STALL_AFTER_S, signal.SIGSTOP), (_STALL_AFTER_S + _STALL_S, signal.SIGCONT))
        ]
        for timer in timers:
            timer.start()
        return measure(plan_for(server, rate, seconds))


def vegeta_p99_ms(server: FixedServer, rate: float, seconds: float) -> float | None:
    """What vegeta says of the same server at the same rate; None where it is not on PATH."""
    program = shutil.which("vegeta")
    if program is None:
        return None
    attack = [program, "attack", f"-rate={rate:g}", f"-duration={seconds:g}s", "-keepalive", "-max-workers=512"]
    target = f"GET http://127.0.0.1:{server.port}/\n".encode()
    shots = subprocess.run(attack, input=target, capture_output=True, check=True, timeout=seconds + _MORE_S)
    told = subprocess.run([program, "report", "-type=json"], input=shots.stdout, capture_output=True, check=True)
    report: dict[str, Any] = json.loads(told.stdout)
    return float(report["latencies"]["99th"]) / 1e6


def main() -> None:
    """Run the plan of the command line."""
    precedence.take()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(load_runs.run(read_plan(sys.argv[1])))
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
