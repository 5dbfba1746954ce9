"""What people do with runs: start, stop, compare, take away; here or, in a cluster, by way of a LoadTest."""

import asyncio
from dataclasses import dataclass
from datetime import UTC
from uuid import UUID

from palio_generator.errors import RunNotOver
from palio_generator.load import comparison
from palio_generator.load.comparison import Comparison, Measured
from palio_generator.load.results import Report, Second
from palio_generator.runs import exports
from palio_generator.runs.local import LocalRuns
from palio_generator.runs.requests import StressRequest
from palio_generator.runs.service import Runs
from palio_generator.runs.store import Run
from palio_generator.settings import Settings
from palio_kit.ids import new_id

SERIES_MAX = 3_600
EXPORTED_SECONDS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Stress:
    """Runs, as people see them."""

    runs: Runs
    local: LocalRuns
    settings: Settings

    async def start(self, wish: StressRequest) -> Run:
        """Start a run.

        Raises:
            RunInProgress: another one goes on here.
            Invalid: its numbers do not go together.
        """
        wanted = wish.wanted(new_id(), self.settings.gateway_url, self.settings.startup_deadline_s)
        return await self.local.start(wanted)

    async def stop(self, run_id: UUID) -> Run:
        """Ask it to end early.

        Raises:
            RunNotFound, RunOver: there is nothing to stop.
        """
        run = await self.runs.stop(run_id)
        self.local.stop(run_id)
        return run

    async def compare(self, first: UUID, second: UUID) -> Comparison:
        """The second beside the first.

        Raises:
            RunNotFound, RunNotOver: one of them is not there, or goes on.
        """
        (before, rows), (after, other_rows) = await self._over(first, SERIES_MAX), await self._over(second, SERIES_MAX)
        return comparison.compare(Measured(before, rows), Measured(after, other_rows))

    async def export(self, run_id: UUID, form: str) -> tuple[str, bytes]:
        """A file's name and content.

        Raises:
            RunNotFound, RunNotOver: it is not there, or goes on.
        """
        report, rows = await self._over(run_id, EXPORTED_SECONDS_MAX)
        content = await asyncio.to_thread(exports.render, form, report, rows)
        run = await self.runs.get(run_id)
        return f"palio-run-{run.course.created_at.astimezone(UTC):%Y%m%d-%H%M%S}.{form}", content

    async def _over(self, run_id: UUID, seconds: int) -> tuple[Report, list[Second]]:
        run = await self.runs.get(run_id)
        if run.report is None:
            raise RunNotOver
        return run.report, await self.runs.series(run_id, seconds)
