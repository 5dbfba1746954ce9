"""Runs one runner's engine as a process and stands between it and the store.

The engine must never wait for the store: its rows are read at once and handed in by a task of their own. Whatever the
store does not answer is asked again; an engine that ends without a report has failed.
"""

import asyncio
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar
from uuid import UUID

import msgspec

from palio_generator.load import messages
from palio_generator.load.messages import Ended, Failed, Message, Preparing, Ready, Row, Start
from palio_generator.load.plan import Plan
from palio_generator.load.results import Second
from palio_generator.runs.doors import DETAIL_CHARS_MAX, ROWS_AT_ONCE_MAX, Door
from palio_kit.logs import logger
from palio_kit.problems import Problem, Unavailable

log = logger(__name__)
T = TypeVar("T")

LINE_BYTES_MAX = 2 * 1024 * 1024
ROWS_WAITING_MAX = 3_600
POLL_S = 0.5
HAND_IN_S = 0.25
STOP_GRACE_S = 15.0
"""After being asked to stop an engine has this long to report."""
CLOSE_GRACE_S = 2.0
_AGAIN_S, _AGAIN_MAX_S = 0.2, 2.0
_BUSY = 503


@dataclass(slots=True)
class Runner:
    """One runner of one run.

    Args:
        engine: the program, which speaks as `load.messages` says.
        within_s: from now, everything; an engine that takes longer is killed.
        patience_s: how long one call at the store is tried again.
    """

    door: Door
    run_id: UUID
    index: int
    engine: Sequence[str]
    environment: Mapping[str, str]
    within_s: float | None = None
    patience_s: float = 120.0
    _stopping: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _rows: deque[Second] = field(init=False, default_factory=lambda: deque(maxlen=ROWS_WAITING_MAX))

    def stop(self) -> None:
        """End the run early and well; it still reports."""
        self._stopping.set()

    async def run(self) -> bool:
        """Run it to its end; whether it reported.

        Raises:
            Problem: the store refused, or was away for too long.
        """
        plan = await self._persist(lambda: self.door.plan(self.run_id, self.index))
        try:
            async with asyncio.timeout(self.within_s):
                ended = await self._played(plan)
        except ExceptionGroup as group:  # of the helpers; one is enough to know
            raise group.exceptions[0] from None
        except TimeoutError:
            ended = Failed("overdue", "the engine did not end in time")
        except asyncio.CancelledError:
            await self._say_failed(Failed("lost", "the service that ran it was stopped"))
            raise
        if isinstance(ended, Ended):
            await self._persist(lambda: self.door.report(self.run_id, self.index, ended.report))
            return True
        await self._say_failed(ended)
        return False

    async def _played(self, plan: Plan) -> Ended | Failed:
        """What the engine said last."""
        async with self._running(plan) as process, asyncio.TaskGroup() as helpers:
            barrier = asyncio.Event()
            steps = (self._hand_in(), self._stop_when_told(process), self._wait_at_barrier(process, barrier))
            tasks = [helpers.create_task(step) for step in steps]
            ended = await self._listen(process, barrier)
            for task in tasks:
                task.cancel()
        while self._rows:
            await self._hand_in_some()
        return ended

    async def _listen(self, process: asyncio.subprocess.Process, barrier: asyncio.Event) -> Ended | Failed:
        assert process.stdout is not None
        while line := await _line(process.stdout):
            message = _understood(line)
            if isinstance(message, Ended | Failed):
                return message
            if isinstance(message, Row):
                self._rows.append(message.row)
            elif isinstance(message, Ready):
                barrier.set()
            elif isinstance(message, Preparing):
                with suppress(Problem):
                    await self.door.preparing(self.run_id, self.index, message.what, message.done, message.total)
        code = await process.wait()
        return Failed("lost", f"the engine ended without a report (exit code {code})")

    async def _wait_at_barrier(self, process: asyncio.subprocess.Process, reached: asyncio.Event) -> None:
        await reached.wait()
        while True:
            signal_ = await self._persist(lambda: self.door.ready(self.run_id, self.index))
            if signal_.stop:
                self.stop()
            if signal_.stop or signal_.wait_s is not None:  # one that shall stop begins, to end with a report
                await _write(process, messages.encode(Start(time.time() + (signal_.wait_s or 0.0))))
                return
            await asyncio.sleep(POLL_S)

    async def _hand_in(self) -> None:
        while True:
            await self._hand_in_some()
            await asyncio.sleep(HAND_IN_S)

    async def _hand_in_some(self) -> None:
        """Hand in the oldest rows; they wait here until the store has them."""
        rows = list(islice(self._rows, ROWS_AT_ONCE_MAX))
        if not rows:
            return
        stop = await self._persist(lambda: self.door.seconds(self.run_id, self.index, rows))
        if stop:
            self.stop()
        for row in rows:
            if self._rows and self._rows[0] is row:  # else newer rows have pushed it out
                self._rows.popleft()

    async def _stop_when_told(self, process: asyncio.subprocess.Process) -> None:
        await self._stopping.wait()
        _signal(process, signal.SIGTERM)
        await asyncio.sleep(STOP_GRACE_S)
        _signal(process, signal.SIGKILL)

    async def _say_failed(self, failed: Failed) -> None:
        log.warning("engine_failed", run=str(self.run_id), runner=self.index, code=failed.code, detail=failed.detail)
        await self._persist(
            lambda: self.door.failed(self.run_id, self.index, failed.code, failed.detail[:DETAIL_CHARS_MAX])
        )

    @asynccontextmanager
    async def _running(self, plan: Plan) -> AsyncIterator[asyncio.subprocess.Process]:
        """The engine, its plan told; it does not outlive the block."""
        process = await asyncio.create_subprocess_exec(
            *self.engine, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=dict(self.environment), limit=LINE_BYTES_MAX,
        )  # fmt: skip
        try:
            await _write(process, msgspec.json.encode(plan))
            yield process
        except BaseException:
            _signal(process, signal.SIGTERM)
            raise
        finally:
            await _end(process)

    async def _persist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The store's answer, however often it must be asked within the patience.

        Raises:
            Problem: it refused, or was away for longer.
        """
        gives_up_at, pause_s = time.monotonic() + self.patience_s, _AGAIN_S
        while True:
            try:
                return await ask()
            except Problem as problem:
                if problem.status != _BUSY or time.monotonic() > gives_up_at:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _AGAIN_MAX_S)


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError as error:  # longer than the limit
        raise Unavailable("The engine said a line that is too long.") from error


def _understood(line: bytes) -> Message | None:
    """What the engine says; None if it is no message (a library that prints must not end a run)."""
    try:
        message: Message = messages.read(line)
        return message
    except msgspec.MsgspecError:
        log.warning("engine_not_understood", line=line[:200].decode(errors="replace"))
        return None


async def _write(process: asyncio.subprocess.Process, line: bytes) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # it is gone; its silence says so
        process.stdin.write(line + b"\n")
        await process.stdin.drain()


def _signal(process: asyncio.subprocess.Process, which: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(which)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait a moment for it to end by itself, then make it; its input ends first, in case it waits for more."""
    assert process.stdin is not None
    process.stdin.close()
    for which in (None, signal.SIGTERM, signal.SIGKILL):
        if which is not None:
            _signal(process, which)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_GRACE_S):
                await process.wait()
                return
