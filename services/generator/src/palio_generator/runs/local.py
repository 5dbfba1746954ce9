"""Runs of this process: the engine as a child, supervised, one at a time.

The database holds the "one at a time"; this module knows which run is its own. A run found going on that is nobody's
was left by a service that is gone.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

from palio_generator.errors import RunInProgress
from palio_generator.runs.driver import Runner
from palio_generator.runs.service import LOST, Runs
from palio_generator.runs.store import Run, Wanted
from palio_generator.settings import Settings
from palio_kit.logs import logger
from palio_kit.problems import Problem

log = logger(__name__)

ENGINE = (sys.executable, "-m", "palio_generator.load", "--barrier")
_OVERTIME_S = 60
_CLOSE_S = 6.0
_SECRETS = frozenset({"PALIO_DATABASE_URL", "PALIO_REDIS_URL"})


class LocalRuns:
    """The run of this process, if one goes on."""

    def __init__(self, runs: Runs, settings: Settings) -> None:
        self._runs = runs
        self._engine = settings.engine or ENGINE
        self._environment = _environment(settings)
        self._runners: dict[UUID, tuple[Runner, asyncio.Task[None]]] = {}
        self._starting: set[UUID] = set()

    def is_alive(self, run_id: UUID) -> bool:
        """Whether this process runs it."""
        return run_id in self._starting or run_id in self._runners

    async def start(self, wanted: Wanted) -> Run:
        """Start a run.

        Raises:
            RunInProgress: another one goes on; its detail names it.
        """
        self._starting.add(wanted.id)
        try:
            run = await self._runs.begin(wanted)
            if run.id != wanted.id:
                raise RunInProgress(f"Run {run.id} goes on; wait for its end, or stop it.")
            self._launch(wanted)
        finally:
            self._starting.discard(wanted.id)
        return run

    def stop(self, run_id: UUID) -> None:
        """End it early and well, if it is ours."""
        if run_id in self._runners:
            self._runners[run_id][0].stop()

    async def close(self) -> None:
        """End with the service: engines are ended, their runs lost."""
        tasks = [task for _, task in self._runners.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)

    def _launch(self, wanted: Wanted) -> None:
        within_s = wanted.startup_deadline_s + wanted.plan.duration_s + _OVERTIME_S
        runner = Runner(self._runs, wanted.id, 0, self._engine, self._environment, within_s=within_s)
        task = asyncio.create_task(self._supervise(runner), name=f"run-{wanted.id}")
        self._runners[wanted.id] = (runner, task)

    async def _supervise(self, runner: Runner) -> None:
        try:
            await runner.run()
        except Exception as error:
            log.exception("run_failed", run=str(runner.run_id))
            with suppress(Problem):
                await self._runs.failed(runner.run_id, runner.index, LOST, repr(error))
        finally:
            del self._runners[runner.run_id]


def _environment(settings: Settings) -> Mapping[str, str]:
    """What the engine is told: this process's environment without its secrets, and where accounts are made."""
    inherited = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return inherited | {"PALIO_USER_URL": settings.user_url, "PALIO_IDENTITY_DIR": str(settings.identity_dir)}
