"""The run store: what runners, the operator and people ask of it. What changed is told live once it is committed."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from typing_extensions import override

from palio_generator.errors import RunChanged, RunnerNotFound, RunNotFound, RunOver
from palio_generator.load.plan import DURATION_MAX_S, Plan
from palio_generator.load.results import Report, Second
from palio_generator.runs import answers, rules, store, sums
from palio_generator.runs.doors import DETAIL_CHARS_MAX, Door, Preparing, Signal
from palio_generator.runs.store import Kept, Run, Wanted
from palio_kit.events import Publisher
from palio_kit.logs import logger
from palio_kit.postgres import Connection, Database
from palio_kit.problems import Invalid, Unavailable

log = logger(__name__)

_STOP = Signal(None, stop=True)
_PREPARING_MAX = 100
LOST = "lost"


@dataclass(slots=True)
class Runs(Door):
    """All runs. `is_alive` tells of a local run whether this process still runs it."""

    database: Database
    publisher: Publisher
    is_alive: Callable[[UUID], bool] = lambda _: False
    _preparing: dict[UUID, Preparing] = field(default_factory=dict)

    async def put(self, wanted: Wanted) -> Run:
        """Keep a run that a resource describes; again with the same numbers changes nothing.

        Raises:
            RunChanged: it is known with other numbers.
        """
        async with self.database.transaction() as connection:
            await store.add(connection, wanted)
            run = await _locked(connection, wanted.id)
        if run.wanted != wanted:
            raise RunChanged
        return run

    async def begin(self, wanted: Wanted) -> Run:
        """Keep a run of this process; if another one goes on, that one is answered instead."""
        async with self.database.transaction() as connection:
            if await store.add(connection, wanted):
                return await _locked(connection, wanted.id)
            others = [run for run in await store.going_on(connection) if run.wanted.place == store.LOCAL]
        if not others:
            raise Unavailable("The run before this one has just ended. Try again.")
        return others[0]

    async def get(self, run_id: UUID) -> Run:
        """A run as it is.

        Raises:
            RunNotFound: there is none.
        """
        async with self.database.connection() as connection:
            run = await store.get(connection, run_id)
        if run is None:
            raise RunNotFound
        return run

    async def page(self, after: tuple[datetime, UUID] | None, limit: int) -> list[Run]:
        """Runs, newest first."""
        async with self.database.connection() as connection:
            return await store.page(connection, after, limit)

    async def series(self, run_id: UUID, limit: int) -> list[Second]:
        """A run's last seconds, oldest first."""
        async with self.database.connection() as connection:
            return await store.series(connection, run_id, limit)

    def preparing_of(self, run_id: UUID) -> Preparing | None:
        """How far preparing is, as far as this process heard."""
        return self._preparing.get(run_id)

    async def finish(self, run_id: UUID, lost: Sequence[int], *, stopped: bool) -> Run:
        """End a run with what was reported; the runners that did not are lost. One that is over stays as it ended."""
        async with self._changing(run_id) as (connection, run):
            if not run.is_over:
                if stopped:
                    await store.ask_stop(connection, run_id)
                for runner in lost:
                    await store.note_failure(connection, run_id, _known(run, runner), f"runner {runner} was lost")
                await self._end(connection, await _locked(connection, run_id))
        return await self.get(run_id)

    async def stop(self, run_id: UUID) -> Run:
        """Ask a run's runners to end early.

        Raises:
            RunOver: it ended before.
        """
        async with self._changing(run_id) as (connection, run):
            if run.is_over:
                raise RunOver
            await store.ask_stop(connection, run_id)
        return await self.get(run_id)

    @override
    async def plan(self, run_id: UUID, runner: int) -> Plan:
        run = await self.get(run_id)
        return run.wanted.plan.share_of(_known(run, runner), run.wanted.runners)

    @override
    async def preparing(self, run_id: UUID, runner: int, what: str, done: int, total: int) -> None:
        while len(self._preparing) >= _PREPARING_MAX:
            del self._preparing[next(iter(self._preparing))]
        self._preparing[run_id] = Preparing(what, done, total)
        self._tell(run_id, {"kind": "run", "change": "preparing", "what": what, "done": done, "total": total})

    @override
    async def ready(self, run_id: UUID, runner: int) -> Signal:
        async with self._changing(run_id) as (connection, before):
            if before.is_over:
                return _STOP
            await store.note_ready(connection, run_id, _known(before, runner))
            run = await self._settled(connection, run_id)
            if run.is_over or run.course.stop_asked_at is not None:
                return _STOP
            if opens := run.course.opens:
                await store.open_barrier(connection, run)
                run = await _locked(connection, run_id)
        if opens:
            await self._tell_run(run_id, "started")
        start_at = run.course.start_at
        return Signal(None if start_at is None else (start_at - run.now).total_seconds(), stop=False)

    @override
    async def seconds(self, run_id: UUID, runner: int, rows: Sequence[Second]) -> bool:
        told: list[Second] = []
        async with self._changing(run_id) as (connection, run):
            if run.is_over:
                return True
            new = await _keep(connection, run, _known(run, runner), rows)
            told = await _sum_up(connection, run, new)
        for row in told:
            self._tell(run_id, {"kind": "second", **answers.told(row)})
        return run.course.stop_asked_at is not None

    @override
    async def report(self, run_id: UUID, runner: int, report: Report) -> None:
        async with self._changing(run_id) as (connection, run):
            parts = {part.runner: part for part in await store.parts(connection, run_id)}
            known = parts.get(_known(run, runner))
            if known is not None and known.report is not None:
                return
            if run.is_over:
                raise RunOver
            await store.keep_report(connection, run_id, runner, _as_wanted(report, run))
            await self._settled(connection, run_id)

    @override
    async def failed(self, run_id: UUID, runner: int, code: str, detail: str) -> None:
        async with self._changing(run_id) as (connection, run):
            if not run.is_over:
                why = f"runner {_known(run, runner)}: {code}: {detail}"[:DETAIL_CHARS_MAX].replace("\x00", " ")
                await store.note_failure(connection, run_id, runner, why)
                await self._settled(connection, run_id)

    async def sweep(self, *, runs_max: int, seconds_max: int, days_max: int) -> None:
        """End what nobody will finish any more, and forget what is too old or too much."""
        async with self.database.connection() as connection:
            going_on = await store.going_on(connection)
        for run in going_on:
            if run.wanted.place == store.LOCAL and not self.is_alive(run.id):
                await self.failed(run.id, 0, LOST, "the service was restarted while the run went on")
            elif rules.is_overdue(run.course, run.now):
                async with self._changing(run.id) as (connection, _):
                    await self._settled(connection, run.id)
        async with self.database.transaction() as connection:
            await store.forget(connection, runs_max=runs_max, seconds_max=seconds_max, days_max=days_max)

    @asynccontextmanager
    async def _changing(self, run_id: UUID) -> AsyncIterator[tuple[Connection, Run]]:
        """A transaction that holds the run; tells when the run ended in it."""
        async with self.database.transaction() as connection:
            run = await _locked(connection, run_id)
            yield connection, run
            ended = not run.is_over and (await _locked(connection, run_id)).is_over
        if ended:
            self._preparing.pop(run_id, None)
            await self._tell_run(run_id, "ended")

    async def _settled(self, connection: Connection, run_id: UUID) -> Run:
        """The run, ended if its course says so."""
        run = await _locked(connection, run_id)
        if rules.ending(run.course, now=run.now) is None:
            return run
        await self._end(connection, run)
        return await _locked(connection, run_id)

    async def _end(self, connection: Connection, run: Run) -> None:
        parts = await store.parts(connection, run.id)
        reports = [part.report for part in parts if part.report is not None]
        failures = [part.failure for part in parts if part.failure is not None]
        started_at = (run.course.start_at or run.now).timestamp()
        report = sums.conclusion(
            run.wanted.plan, reports, run.so_far, started_at=started_at, wanted=run.wanted.runners, failures=failures
        )
        outcome = rules.end_of(run.course)
        await store.end(connection, run.id, outcome, report)
        log.info("run_ended", run=str(run.id), outcome=outcome.value, verdict=report.verdict.value)

    async def _tell_run(self, run_id: UUID, change: str) -> None:
        document = answers.status_of(await self.get(run_id)).model_dump(mode="json")
        self._tell(run_id, {"kind": "run", "change": change, "run": document})

    def _tell(self, run_id: UUID, event: dict[str, object]) -> None:
        self.publisher.publish("loadtest", {"id": str(run_id), "event": event})


async def _locked(connection: Connection, run_id: UUID) -> Run:
    run = await store.locked(connection, run_id)
    if run is None:
        raise RunNotFound
    return run


def _known(run: Run, runner: int) -> int:
    if not 0 <= runner < run.wanted.runners:
        raise RunnerNotFound
    return runner


def _as_wanted(report: Report, run: Run) -> Report:
    """What was wanted is what the store knows: a report speaks of results only."""
    return replace(report, plan=run.wanted.plan, runners=1)


async def _keep(connection: Connection, run: Run, runner: int, rows: Sequence[Second]) -> list[Second]:
    """Add a runner's rows to the run's seconds; those that were new."""
    known = await store.seconds(connection, run.id, [row.second for row in rows])
    new: list[Second] = []
    for row in rows:
        if not 0 <= row.second < DURATION_MAX_S:
            raise Invalid(f"Second {row.second} is in no run.")
        kept = known.get(row.second)
        if kept is not None and runner in kept.runners:
            continue
        row = replace(row, runners=1)  # noqa: PLW2901 - the row, as it counts here
        known[row.second] = Kept(
            [*(kept.runners if kept else ()), runner], sums.merged(kept.row if kept else None, row)
        )
        new.append(row)
    await store.put_seconds(connection, run.id, [known[row.second] for row in new])
    return new


async def _sum_up(connection: Connection, run: Run, new: Sequence[Second]) -> list[Second]:
    """Add new rows to the run's sum; the seconds that may be told now."""
    so_far = run.so_far
    for row in new:
        if row.second >= run.wanted.plan.measured_from_s:
            so_far = sums.added(so_far, row)
    untold = await store.untold(connection, run.id, run.told_second)
    handed_in = {second: len(kept.runners) for second, kept in untold.items()}
    told = list(rules.tellable(run.told_second, handed_in, run.course))
    await store.sum_up(connection, run.id, so_far, told[-1] if told else run.told_second)
    return [untold[second].row for second in told]
