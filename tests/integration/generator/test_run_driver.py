"""What stands between an engine and the store: patient with the store, never in the engine's way."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from typing_extensions import override

from palio_generator.errors import RunNotFound
from palio_generator.load.plan import Plan
from palio_generator.load.results import Report, Second
from palio_generator.runs import driver
from palio_generator.runs.doors import ROWS_AT_ONCE_MAX, Door, Signal
from palio_generator.runs.driver import Runner
from palio_kit.problems import OutcomeUnknown, Unavailable
from palio_kit.testing.waiting import eventually

STUB = Path(__file__).parent / "engine_stub.py"
TESTS = str(Path(__file__).parents[2])


@dataclass
class MemoryStore(Door):
    """A store that is away for the first `away` times that anything is said, and loses every `loses`th answer."""

    duration_s: float = 4
    away: int = 0
    loses: int = 0
    stop_at_barrier: bool = False
    said: Counter[str] = field(default_factory=Counter)
    rows: dict[int, Second] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def hear(self, what: str) -> None:
        self.said[what] += 1
        if self.said[what] <= self.away:
            raise Unavailable

    def lose(self) -> None:
        if self.loses and sum(self.said.values()) % self.loses == 0:
            raise OutcomeUnknown

    @override
    async def plan(self, run_id: UUID, runner: int) -> Plan:
        self.hear("plan")
        return Plan(base_url="http://127.0.0.1:1", virtual_users=3, duration_s=self.duration_s, ramp_up_s=0)

    @override
    async def preparing(self, run_id: UUID, runner: int, what: str, done: int, total: int) -> None:
        raise Unavailable

    @override
    async def ready(self, run_id: UUID, runner: int) -> Signal:
        self.hear("ready")
        waits = self.said["ready"] < self.away + 2
        return Signal(None if waits or self.stop_at_barrier else 0.1, stop=self.stop_at_barrier)

    @override
    async def seconds(self, run_id: UUID, runner: int, rows: Sequence[Second]) -> bool:
        self.hear("seconds")
        self.batches.append(len(rows))
        self.rows |= {row.second: row for row in rows}
        self.lose()
        return False

    @override
    async def report(self, run_id: UUID, runner: int, report: Report) -> None:
        self.hear("report")
        self.reports.append(report)
        self.lose()

    @override
    async def failed(self, run_id: UUID, runner: int, code: str, detail: str) -> None:
        self.hear("failed")
        self.failures.append((code, detail))


def runner_of(store: Door, mode: str = "well", **changes: float) -> Runner:
    engine = (sys.executable, str(STUB), mode)
    return Runner(store, uuid4(), 0, engine, os.environ | {"PYTHONPATH": TESTS}, **changes)


async def test_a_store_that_is_away_again_and_again_loses_nothing() -> None:
    store = MemoryStore(away=3)
    assert await runner_of(store).run()
    assert sorted(store.rows) == [0, 1, 2, 3]
    assert len(store.reports) == 1


async def test_a_lost_answer_is_asked_for_again() -> None:
    store = MemoryStore(duration_s=40, loses=3)
    assert await runner_of(store).run()
    assert sorted(store.rows) == list(range(40))
    assert store.reports[1:] in ([], store.reports[:1])


async def test_rows_that_had_to_wait_are_handed_in_together_but_not_too_many() -> None:
    store = MemoryStore(duration_s=130, away=5)
    assert await runner_of(store).run()
    assert sorted(store.rows) == list(range(130))
    assert max(store.batches) == ROWS_AT_ONCE_MAX


async def test_a_store_that_stays_away_is_given_up() -> None:
    with pytest.raises(Unavailable):
        await runner_of(MemoryStore(away=1_000), patience_s=0.5).run()


async def test_a_run_that_is_not_there_ends_at_once() -> None:
    class Forgetful(MemoryStore):
        @override
        async def seconds(self, run_id: UUID, runner: int, rows: Sequence[Second]) -> bool:
            raise RunNotFound

    with pytest.raises(RunNotFound):
        await runner_of(Forgetful(duration_s=3_600), "until-stopped").run()


async def test_one_that_shall_stop_at_the_barrier_ends_with_what_it_has() -> None:
    store = MemoryStore(duration_s=3_600, stop_at_barrier=True)
    assert await runner_of(store, "until-stopped").run()
    assert store.reports[0].was_stopped
    assert len(store.rows) <= 1


async def test_an_engine_that_does_not_end_in_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "CLOSE_GRACE_S", 0.2)
    store = MemoryStore(duration_s=3_600)
    assert not await runner_of(store, "until-stopped", within_s=3.0).run()
    assert store.failures == [("overdue", "the engine did not end in time")]


async def test_a_stopped_service_says_that_the_run_is_lost() -> None:
    store = MemoryStore(duration_s=3_600)
    task = asyncio.create_task(runner_of(store, "until-stopped").run())

    async def has_rows() -> bool:
        return bool(store.rows)

    await eventually(has_rows)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [code for code, _ in store.failures] == ["lost"]
