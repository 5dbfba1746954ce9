"""The demo's paths (demo profile only): populate and simulation, each started, looked at, stopped; and runs of load."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from palio_generator.models import PopulateAnswer, PopulateRequest, SimulationAnswer, SimulationRequest
from palio_generator.service import Populate, Simulating
from palio_generator.stress_routes import router as stress
from palio_kit.problems import Invalid, MalformedJson, Unavailable, documented
from palio_kit.wire import StrictRoute

__all__ = ["router", "stress"]

router = APIRouter(prefix="/api/v1/demo", route_class=StrictRoute, tags=["generator"])


def _populate(request: Request) -> Populate:
    populate: Populate = request.app.state.populate
    return populate


def _simulating(request: Request) -> Simulating:
    simulating: Simulating = request.app.state.simulating
    return simulating


WithPopulate = Annotated[Populate, Depends(_populate)]
WithSimulating = Annotated[Simulating, Depends(_simulating)]


@router.post("/populate", status_code=202, responses=documented(MalformedJson, Invalid, Unavailable))
async def start_populate(populate: WithPopulate, _: PopulateRequest | None = None) -> PopulateAnswer:
    """Fill the platform with demo users, histories and tournaments.

    One run at a time: while one runs this answers where it is. What is there already is not made again.
    """
    return await populate.start()


@router.get("/populate", responses=documented(Unavailable))
async def populate_status(populate: WithPopulate) -> PopulateAnswer:
    """How far it is."""
    return await populate.status()


@router.delete("/populate", responses=documented(Unavailable))
async def cancel_populate(populate: WithPopulate) -> PopulateAnswer:
    """Stop it where it is; the next run goes on from there."""
    return await populate.cancel()


@router.post("/simulation", status_code=202, responses=documented(MalformedJson, Invalid))
async def start_simulation(simulating: WithSimulating, body: SimulationRequest | None = None) -> SimulationAnswer:
    """Let players of different skill come, play, join tournaments and leave.

    One simulation at a time: with the same numbers nothing changes, with others it starts anew.
    """
    wanted = body or SimulationRequest()
    return await simulating.start(wanted.players, wanted.speed)


@router.get("/simulation")
async def simulation_status(simulating: WithSimulating) -> SimulationAnswer:
    """What they did so far."""
    return simulating.status()


@router.delete("/simulation")
async def stop_simulation(simulating: WithSimulating) -> SimulationAnswer:
    """Send them home."""
    return await simulating.stop()
