"""What is going on: at most one populate run and one simulation, started, told about, stopped.

Both end at once when cancelled: nothing they await is shielded, and what was not noted is asked for again later.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime

from palio_generator.models import CreatedAnswer, ErrorAnswer, PopulateAnswer, SimulationAnswer
from palio_generator.population import EVERYTHING, Population, Progress, Tools
from palio_generator.simulation import Simulation, Tally
from palio_kit.logs import logger
from palio_kit.problems import Problem

log = logger(__name__)

_STOP_S = 1.5
"""How long a stop waits for tasks that were cancelled; they need a turn of the event loop."""


class Populate:
    """The populate run of this process, if there was one."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._task: asyncio.Task[None] | None = None
        self._population: Population | None = None
        self._problem: Problem | None = None

    async def start(self) -> PopulateAnswer:
        """Start a run, unless one is running; where it is."""
        await self._tools.roster.users()  # a database that is away is said now, not by a failed run
        if self._task is None or self._task.done():
            self._problem = None
            self._population = Population(self._tools)
            self._task = asyncio.create_task(self._run(self._population), name="populate")
        return await self.status()

    async def cancel(self) -> PopulateAnswer:
        """Stop the run, if one is running; what is made stays, and the next run goes on from there."""
        await _stop(self._task)
        return await self.status()

    async def status(self) -> PopulateAnswer:
        """Where it is.

        Raises:
            Unavailable: the names of the demo users cannot be read.
        """
        users = await self._tools.roster.users()
        progress = self._population.progress if self._population else Progress(step="")
        now = time.monotonic()
        return PopulateAnswer(
            state=self._state(), step=progress.step, done=progress.done, total=progress.total,
            rate_per_second=round(progress.rate_per_second(now), 1), eta_s=_rounded(progress.eta_s(now)),
            created=CreatedAnswer(
                users=progress.users, submissions=progress.submissions, tournaments=progress.tournaments
            ),
            already_there=progress.found_all if self._population else await self._is_complete(),
            users=[users[slot].username for slot in sorted(users)],
            error=_error(self._problem) if self._problem else None,
        )  # fmt: skip

    async def close(self) -> None:
        """End with the service."""
        await _stop(self._task)

    def _state(self) -> str:
        if self._task is None:
            return "idle"
        if not self._task.done():
            return "running"
        if self._task.cancelled():
            return "cancelled"
        return "failed" if self._problem else "done"

    async def _is_complete(self) -> bool:
        return EVERYTHING in await self._tools.store.pieces_done()

    async def _run(self, population: Population) -> None:
        try:
            await population.run()
            log.info("populated", done=population.progress.done)
        except Problem as problem:
            self._problem = problem
            log.warning("populate_failed", step=population.progress.step, code=problem.code, detail=problem.detail)
        except Exception:
            self._problem = Problem()
            log.exception("populate_failed", step=population.progress.step)
        finally:
            population.progress.ended_at = time.monotonic()


class Simulating:
    """The simulation of this process, if one runs."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._task: asyncio.Task[None] | None = None
        self._tally: Tally | None = None
        self._changing = asyncio.Lock()

    async def start(self, players: int, speed: float) -> SimulationAnswer:
        """Simulate so many players at that speed; one that runs with other numbers is replaced."""
        async with self._changing:
            same = self._tally is not None and (self._tally.players, self._tally.speed) == (players, speed)
            if self._state() == "idle" or not same:
                await _stop(self._task)
                self._tally = Tally(players, speed, datetime.now(UTC))
                self._task = asyncio.create_task(self._run(self._tally), name="simulation")
        return self.status()

    async def stop(self) -> SimulationAnswer:
        """Send everybody home; the numbers of what was stay until the next start."""
        async with self._changing:
            await _stop(self._task)
        return self.status()

    def status(self) -> SimulationAnswer:
        """What goes on."""
        tally = self._tally or Tally(0, 1.0, datetime.now(UTC))
        return SimulationAnswer(
            state=self._state(), players=tally.players, speed=tally.speed, submissions=tally.submissions,
            joins=tally.joins, errors=tally.errors, started_at=tally.started_at if self._tally else None,
        )  # fmt: skip

    async def close(self) -> None:
        """End with the service."""
        await _stop(self._task)

    def _state(self) -> str:
        if self._task is None or self._task.done():
            return "idle"
        return "stopping" if self._task.cancelling() else "running"

    async def _run(self, tally: Tally) -> None:
        tools = self._tools
        try:
            await Simulation(tools.gateway, tools.roster, tally, seed=tools.settings.seed, gate=tools.gate).run()
        except Exception:
            tally.errors += 1
            log.exception("simulation_failed")


async def _stop(task: "asyncio.Task[None] | None") -> None:
    """Cancel a task and give it a moment to end."""
    if task is None or task.done():
        return
    task.cancel()
    with suppress(TimeoutError):
        async with asyncio.timeout(_STOP_S):
            await asyncio.wait({task})


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _error(problem: Problem) -> ErrorAnswer:
    return ErrorAnswer(
        type=f"urn:palio:problem:{problem.code}", title=problem.title, status=problem.status,
        detail=problem.detail, code=problem.code,
    )  # fmt: skip
