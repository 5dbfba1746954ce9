"""`python -m palio_generator.runner`: what a LoadTest's pod does. One engine, its plan and its words through the store.

Everything it says may be repeated, so a generator service that is away for a while costs nothing but patience. SIGTERM
ends the run early and well. Exit codes: 0 reported, 1 there was nothing to report or nobody took it.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import uvloop
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import override

from palio_generator.load.plan import Plan, read_plan
from palio_generator.load.results import Report, Second
from palio_generator.runs.doors import Door, Signal
from palio_generator.runs.driver import Runner
from palio_generator.runs.local import ENGINE
from palio_kit import http
from palio_kit.http import Identity, Peer, problem_of
from palio_kit.logs import configure, logger
from palio_kit.problems import Problem

log = logger(__name__)

_REQUEST_S = 5.0
_CONNECTIONS_MAX = 4
_BAD = 400


class Surroundings(BaseSettings):
    """What the pod's environment says; `identity_dir` has the token for the generator in a file of that name."""

    model_config = SettingsConfigDict(env_prefix="PALIO_", frozen=True, extra="ignore")

    run_id: UUID
    runner: int = Field(ge=0, validation_alias="JOB_COMPLETION_INDEX")
    generator_url: str
    identity_dir: Path
    engine: tuple[str, ...] = ENGINE


class RemoteRuns(Door):
    """The store, over HTTP."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    @override
    async def plan(self, run_id: UUID, runner: int) -> Plan:
        reply = await self._peer.send("GET", f"/internal/v1/loadtests/{run_id}/plan?runner={runner}")
        if reply.status >= _BAD:
            raise problem_of(reply)
        return read_plan(reply.body)

    @override
    async def preparing(self, run_id: UUID, runner: int, what: str, done: int, total: int) -> None:
        if done == total:  # it is said several times a second
            log.info("prepared", what=what, total=total)

    @override
    async def ready(self, run_id: UUID, runner: int) -> Signal:
        return msgspec.convert(await self._say(run_id, runner, "ready"), Signal)

    @override
    async def seconds(self, run_id: UUID, runner: int, rows: Sequence[Second]) -> bool:
        return bool((await self._say(run_id, runner, "seconds", rows))["stop"])

    @override
    async def report(self, run_id: UUID, runner: int, report: Report) -> None:
        await self._say(run_id, runner, "report", report)

    @override
    async def failed(self, run_id: UUID, runner: int, code: str, detail: str) -> None:
        await self._say(run_id, runner, "failed", {"code": code, "detail": detail})

    async def _say(self, run_id: UUID, runner: int, what: str, document: object = None) -> Any:
        return await self._peer.call("POST", f"/internal/v1/loadtests/{run_id}/runners/{runner}/{what}", document)


async def run(surroundings: Surroundings) -> int:
    """Run one runner; the exit code."""
    async with http.client(_REQUEST_S, _CONNECTIONS_MAX) as session:
        peer = Peer(session, Identity(surroundings.identity_dir), "generator", surroundings.generator_url.rstrip("/"))
        runner = Runner(RemoteRuns(peer), surroundings.run_id, surroundings.runner, surroundings.engine, os.environ)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, runner.stop)
        try:
            reported = await runner.run()
        except Problem as problem:
            log.warning("runner_refused", code=problem.code, detail=problem.detail)
            return 1
    return 0 if reported else 1


def main() -> int:
    """Run what the environment says; the exit code."""
    configure("loadrunner")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        return loop.run(run(Surroundings()))


if __name__ == "__main__":
    sys.exit(main())
