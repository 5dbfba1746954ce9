"""Internal routes of runs: what the operator and the pods of a LoadTest call, and nobody else may."""

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from palio_generator.load.plan import RUNNERS_MAX
from palio_generator.runs import answers
from palio_generator.runs.answers import StatusAnswer
from palio_generator.runs.players import Players
from palio_generator.runs.requests import (
    FailedRequest,
    FinishRequest,
    PlayersRequest,
    PutRun,
    read_handed_report,
    read_rows,
)
from palio_generator.runs.service import Runs
from palio_kit.callers import only
from palio_kit.wire import Answer, StrictRoute, UuidText

_PREFIX = "/internal/v1/loadtests/{run_id}"
REPORT_BYTES_MAX = 1024 * 1024

operator = APIRouter(prefix=_PREFIX, route_class=StrictRoute, include_in_schema=False, dependencies=[only("operator")])
runner = APIRouter(prefix=_PREFIX, route_class=StrictRoute, include_in_schema=False, dependencies=[only("loadrunner")])

RunId = Annotated[UuidText, Path()]
Index = Annotated[int, Path(ge=0, lt=RUNNERS_MAX)]


class SignalAnswer(Answer):
    """At the barrier: seconds left until the start, or null; and whether to stop instead."""

    wait_s: float | None
    stop: bool


class StopAnswer(Answer):
    """Whether to stop."""

    stop: bool


def _runs(request: Request) -> Runs:
    runs: Runs = request.app.state.runs
    return runs


def _players(request: Request) -> Players:
    players: Players = request.app.state.players
    return players


WithRuns = Annotated[Runs, Depends(_runs)]
WithPlayers = Annotated[Players, Depends(_players)]


@operator.put("")
async def put_run(run_id: RunId, body: PutRun, runs: WithRuns) -> StatusAnswer:
    """Keep a LoadTest's run; again with the same numbers changes nothing."""
    return answers.status_of(await runs.put(body.wanted(UUID(run_id))))


@operator.get("")
async def get_run(run_id: RunId, runs: WithRuns) -> StatusAnswer:
    """How far it is."""
    return answers.status_of(await runs.get(UUID(run_id)))


@operator.post("/finish")
async def finish_run(run_id: RunId, body: FinishRequest, runs: WithRuns) -> StatusAnswer:
    """End it with what was reported."""
    return answers.status_of(await runs.finish(UUID(run_id), body.lost, stopped=body.stopped))


@operator.post("/stop")
async def stop_run(run_id: RunId, runs: WithRuns) -> StatusAnswer:
    """Ask its runners to end early; 409 if it is over."""
    return answers.status_of(await runs.stop(UUID(run_id)))


@runner.get("/plan")
async def get_plan(run_id: RunId, runs: WithRuns, index: Annotated[int, Query(alias="runner", ge=0)]) -> Response:
    """The share of one runner."""
    return _json(await runs.plan(UUID(run_id), index))


@runner.post("/players")
async def make_players(run_id: RunId, body: PlayersRequest, players: WithPlayers) -> Response:
    """Accounts and tokens for virtual users."""
    return _json(await players.made(UUID(run_id), body.numbers))


@runner.post("/runners/{index}/ready")
async def runner_ready(run_id: RunId, index: Index, runs: WithRuns) -> SignalAnswer:
    """A runner is prepared; asked again until the start is known."""
    signal = await runs.ready(UUID(run_id), index)
    return SignalAnswer(wait_s=signal.wait_s, stop=signal.stop)


@runner.post("/runners/{index}/seconds")
async def runner_seconds(run_id: RunId, index: Index, request: Request, runs: WithRuns) -> StopAnswer:
    """Take a runner's rows."""
    rows = read_rows(await request.body())
    return StopAnswer(stop=await runs.seconds(UUID(run_id), index, rows))


@runner.post("/runners/{index}/report", status_code=204)
async def runner_report(run_id: RunId, index: Index, request: Request, runs: WithRuns) -> None:
    """Take a runner's report, once."""
    await runs.report(UUID(run_id), index, read_handed_report(await request.body()))


@runner.post("/runners/{index}/failed", status_code=204)
async def runner_failed(run_id: RunId, index: Index, body: FailedRequest, runs: WithRuns) -> None:
    """A runner will not report."""
    await runs.failed(UUID(run_id), index, body.code, body.detail)


def _json(document: object) -> Response:
    """Never cached: it may hold tokens."""
    body = msgspec.json.encode(document)
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
