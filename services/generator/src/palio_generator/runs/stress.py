"""What people do with runs: start, stop, compare, take away; here or, in a cluster, by way of a LoadTest."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from palio_generator.errors import RunNotFound, RunNotOver
from palio_generator.load import comparison
from palio_generator.load.comparison import Comparison, Measured
from palio_generator.load.results import Report, Second
from palio_generator.runs import exports
from palio_generator.runs.local import LocalRuns
from palio_generator.runs.requests import StressRequest
from palio_generator.runs.resources import Resources, runners_for
from palio_generator.runs.service import Runs
from palio_generator.runs.store import CLUSTER, Run, begun
from palio_generator.settings import Settings
from palio_kit.ids import new_id

SERIES_MAX = 3_600
EXPORTED_SECONDS_MAX = 20_000
_LOOK_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class Stress:
    """Runs, as people see them; `cluster` is None where this process runs them itself."""

    runs: Runs
    local: LocalRuns
    settings: Settings
    cluster: Resources | None = None

    async def start(self, wish: StressRequest) -> Run:
        """Start a run.

        Raises:
            RunInProgress: another one goes on here.
            Invalid: its numbers do not go together.
            Unavailable, OutcomeUnknown: the cluster does not answer.
        """
        if self.cluster is None:
            wanted = wish.wanted(new_id(), self.settings.gateway_url, self.settings.startup_deadline_s)
            return await self.local.start(wanted)
        run_id, name = await self.cluster.create(wish)
        return await self._written(run_id) or self._expected(wish, run_id, name)

    async def stop(self, run_id: UUID) -> Run:
        """Ask it to end early.

        Raises:
            RunNotFound, RunOver: there is nothing to stop.
        """
        run = await self.runs.get(run_id)
        if self.cluster is not None and run.wanted.place == CLUSTER and not run.is_over:
            await self.cluster.stop(run.wanted.namespace, run.wanted.name, run_id)
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

    async def _written(self, run_id: UUID) -> Run | None:
        """The run as the operator wrote it; None if it takes too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.kubernetes_wait_s):
                while True:
                    with suppress(RunNotFound):
                        return await self.runs.get(run_id)
                    await asyncio.sleep(_LOOK_AGAIN_S)
        return None

    def _expected(self, wish: StressRequest, run_id: UUID, name: str) -> Run:
        """The run as the operator will write it."""
        assert self.cluster is not None
        wanted = replace(
            wish.wanted(run_id, self.settings.gateway_url, self.settings.startup_deadline_s),
            place=CLUSTER, namespace=self.cluster.namespace, name=name,
            runners=runners_for(wish.users, wish.actions_per_second),
        )  # fmt: skip
        return begun(wanted, datetime.now(UTC))
