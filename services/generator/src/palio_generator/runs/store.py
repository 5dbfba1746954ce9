"""Runs, runners and seconds in schema `generator`.

Functions take the connection they run on: every change of a run holds its row's lock (`locked`), so what its runners
say at the same moment comes one after the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from palio_generator.load.plan import Plan, read_plan
from palio_generator.load.results import Report, Second, read_report
from palio_generator.load.verdicts import Verdict
from palio_generator.runs.rules import Course, Phase, phase
from palio_kit.postgres import Connection
from palio_kit.postgres import sql as load_sql

sql = partial(load_sql, "palio_generator")

LOCAL, CLUSTER = "local", "cluster"

_read_second = msgspec.json.Decoder(Second).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A run as it was asked for; it never changes. `place`: `local`, or `cluster` for one that a LoadTest describes."""

    id: UUID
    place: str
    namespace: str
    name: str
    plan: Plan
    runners: int
    startup_deadline_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it stands at `now`, the database's clock. `report` is there once it is over."""

    wanted: Wanted
    course: Course
    now: datetime
    told_second: int
    so_far: Second | None
    finished_at: datetime | None
    verdict: Verdict | None
    report: Report | None

    @property
    def id(self) -> UUID:
        """Its id."""
        return self.wanted.id

    @property
    def phase(self) -> Phase:
        """What it is at."""
        return phase(self.course, self.now)

    @property
    def is_over(self) -> bool:
        """Whether it ended."""
        return self.course.outcome is not None


@dataclass(frozen=True, slots=True)
class Kept:
    """A second as it is kept: the sum of the rows of `runners`."""

    runners: list[int]
    row: Second


@dataclass(frozen=True, slots=True)
class Part:
    """What one runner left: its report, or why it has none."""

    runner: int
    failure: str | None
    report: Report | None


def begun(wanted: Wanted, now: datetime) -> Run:
    """A run of which nothing is known yet but what was wanted."""
    course = Course(
        runners=wanted.runners, duration_s=wanted.plan.duration_s, startup_deadline_s=wanted.startup_deadline_s,
        created_at=now,
    )  # fmt: skip
    return Run(
        wanted=wanted, course=course, now=now, told_second=-1, so_far=None, finished_at=None, verdict=None, report=None
    )


async def add(connection: Connection, wanted: Wanted) -> bool:
    """Keep a run; False if its id is known, or it is local and another local run goes on."""
    added = await connection.fetchval(
        sql("run_add"), wanted.id, wanted.place, wanted.namespace, wanted.name, msgspec.json.encode(wanted.plan),
        wanted.runners, wanted.plan.duration_s, wanted.startup_deadline_s,
    )  # fmt: skip
    return added is not None


async def locked(connection: Connection, run_id: UUID) -> Run | None:
    """A run, its row locked until the transaction ends."""
    held = await connection.fetchval(sql("run_lock"), run_id)
    return None if held is None else await get(connection, run_id)


async def get(connection: Connection, run_id: UUID) -> Run | None:
    """A run as it is."""
    row = await connection.fetchrow(sql("run_get"), run_id)
    return None if row is None else _run(row)


async def page(connection: Connection, after: tuple[datetime, UUID] | None, limit: int) -> list[Run]:
    """Runs, newest first."""
    created_at, run_id = after or (None, None)
    return [_run(row) for row in await connection.fetch(sql("run_list"), created_at, run_id, limit)]


async def going_on(connection: Connection) -> list[Run]:
    """Runs that are not over."""
    return [_run(row) for row in await connection.fetch(sql("runs_going_on"))]


async def open_barrier(connection: Connection, run: Run) -> None:
    """Let load begin. Only under the run's lock."""
    await connection.execute(sql("run_open"), run.id, run.course.lead_s)


async def ask_stop(connection: Connection, run_id: UUID) -> None:
    """Note that it shall end early."""
    await connection.execute(sql("run_ask_stop"), run_id)


async def end(connection: Connection, run_id: UUID, outcome: Phase, report: Report) -> None:
    """End it."""
    await connection.execute(sql("run_end"), run_id, outcome.value, report.verdict.value, msgspec.json.encode(report))


async def note_ready(connection: Connection, run_id: UUID, runner: int) -> None:
    """A runner waits at the barrier."""
    await connection.execute(sql("runner_ready"), run_id, runner)


async def note_failure(connection: Connection, run_id: UUID, runner: int, why: str) -> None:
    """A runner will not report."""
    await connection.execute(sql("runner_fail"), run_id, runner, why)


async def keep_report(connection: Connection, run_id: UUID, runner: int, report: Report) -> None:
    """A runner reported."""
    await connection.execute(sql("runner_report"), run_id, runner, msgspec.json.encode(report))


async def parts(connection: Connection, run_id: UUID) -> list[Part]:
    """What its runners left."""
    rows = await connection.fetch(sql("runner_list"), run_id)
    return [
        Part(row["runner"], row["failure"], None if row["report"] is None else read_report(row["report"]))
        for row in rows
    ]


async def seconds(connection: Connection, run_id: UUID, numbers: Sequence[int]) -> dict[int, Kept]:
    """Those of its seconds."""
    rows = await connection.fetch(sql("seconds_some"), run_id, numbers)
    return {row["second"]: _kept(row) for row in rows}


async def put_seconds(connection: Connection, run_id: UUID, kept: Iterable[Kept]) -> None:
    """Write seconds whole. Only under the run's lock."""
    rows = [(run_id, one.row.second, one.runners, msgspec.json.encode(one.row)) for one in kept]
    await connection.executemany(sql("seconds_put"), rows)


async def untold(connection: Connection, run_id: UUID, told_second: int) -> dict[int, Kept]:
    """Its seconds after that one, in order."""
    rows = await connection.fetch(sql("seconds_untold"), run_id, told_second)
    return {row["second"]: _kept(row) for row in rows}


async def sum_up(connection: Connection, run_id: UUID, so_far: Second | None, told_second: int) -> None:
    """Note what its rows add up to, and what was told."""
    summed = None if so_far is None else msgspec.json.encode(so_far)
    await connection.execute(sql("run_sum_up"), run_id, summed, told_second)


async def series(connection: Connection, run_id: UUID, limit: int) -> list[Second]:
    """Its last seconds, oldest first."""
    return [_read_second(row["row"]) for row in await connection.fetch(sql("seconds_last"), run_id, limit)]


async def forget(connection: Connection, *, runs_max: int, seconds_max: int, days_max: int) -> int:
    """Delete ended runs beyond these bounds; how many."""
    return len(await connection.fetch(sql("runs_forget"), runs_max, seconds_max, days_max))


def _kept(row: Any) -> Kept:
    return Kept(list(row["runners"]), _read_second(row["row"]))


def _run(row: Any) -> Run:
    report = row["report"]
    return Run(
        wanted=Wanted(
            id=row["id"], place=row["place"], namespace=row["namespace"], name=row["name"],
            plan=read_plan(row["plan"]), runners=row["runners"], startup_deadline_s=row["startup_deadline_s"],
        ),
        course=_course(row), now=row["now"], told_second=row["told_second"],
        so_far=None if row["so_far"] is None else _read_second(row["so_far"]),
        finished_at=row["finished_at"],
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        report=None if report is None else read_report(report),
    )  # fmt: skip


def _course(row: Any) -> Course:
    return Course(
        runners=row["runners"], duration_s=row["duration_s"], startup_deadline_s=row["startup_deadline_s"],
        created_at=row["created_at"], start_at=row["start_at"], stop_asked_at=row["stop_asked_at"],
        outcome=None if row["outcome"] is None else Phase(row["outcome"]),
        ready=row["ready"], reported=row["reported"], failed=row["failed"],
    )  # fmt: skip
