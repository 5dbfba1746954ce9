"""`python -m palio_generator.load`: a plan in on standard input, what happens out on standard output (`messages`)."""

import asyncio
import os
import signal
import sys
import time

import msgspec
import uvloop

from palio_generator.load import messages, precedence
from palio_generator.load.engine import Run, prepared, soon
from palio_generator.load.plan import Plan, PlanRefused, read_plan
from palio_generator.load.results import Second
from palio_generator.load.stage import Surroundings, problem_in
from palio_generator.load.targets import TargetRefused

TELL_EACH_S = 0.25
_FAILED = 2


def main() -> int:
    """Run the plan of standard input; the exit code."""
    try:
        plan = read_plan(sys.stdin.readline())
    except PlanRefused as refused:
        return _fail("bad_plan", str(refused))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(plan, barrier="--barrier" in sys.argv[1:]))


async def _run(plan: Plan, *, barrier: bool) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    measuring = asyncio.Event()
    work = asyncio.create_task(_work(plan, measuring, stopping, barrier=barrier))
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not measuring.is_set():
        work.cancel()  # nothing was measured yet; if it has ended by itself this does nothing
    try:
        return await work
    except asyncio.CancelledError:
        return _fail("stopped", "stopped before load began")


async def _work(plan: Plan, measuring: asyncio.Event, stopping: asyncio.Event, *, barrier: bool) -> int:
    try:
        async with prepared(plan, Surroundings(), _Progress()) as run:
            say(messages.Ready(len(plan.own_users), run.sockets))
            start_at = await _start_line() if barrier else None
            measuring.set()
            precedence.take()
            await _measure(run, start_at, stopping)
    except TargetRefused as refused:
        return _fail("target_refused", str(refused))
    except (Exception, BaseExceptionGroup) as error:
        told = problem_in(error)
        if told is None:
            raise
        return _fail("unreachable" if isinstance(error, OSError | TimeoutError) else "preparation", told)
    return 0


async def _measure(run: Run, start_at: float | None, stopping: asyncio.Event) -> None:
    async def stop_when_told() -> None:
        await stopping.wait()
        run.stop()

    stopper = asyncio.create_task(stop_when_told())
    begins_at = max(start_at or 0.0, soon())
    say(messages.Started(begins_at))
    try:
        report = await run.measure(_say_second, start_at=begins_at)
    finally:
        stopper.cancel()
    say(messages.Ended(report))


async def _start_line() -> float:
    line = await asyncio.to_thread(sys.stdin.readline)
    return msgspec.json.decode(line, type=messages.Start).start_at


class _Progress:
    """Says how far preparing is, a few times a second."""

    def __init__(self) -> None:
        self._said_at = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now > self._said_at + TELL_EACH_S:
            self._said_at = now
            say(messages.Preparing(what, done, total))


def _say_second(row: Second) -> None:
    say(messages.Row(row))


def say(message: messages.Message) -> None:
    """One line on standard output."""
    os.write(sys.stdout.fileno(), messages.encode(message) + b"\n")


def _fail(code: str, detail: str) -> int:
    say(messages.Failed(code, detail))
    return _FAILED


if __name__ == "__main__":
    sys.exit(main())
