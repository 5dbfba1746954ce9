"""Internal routes of records: what the operator calls, and nobody else may."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from palio_kit.callers import only
from palio_kit.problems import Forbidden, Invalid, MalformedJson, Unauthorized, Unavailable, documented
from palio_kit.wire import StrictRoute, UuidText
from palio_tournament import models
from palio_tournament.errors import GameNotFound, RecordOfAnother, TournamentFrozen, TournamentNotFound
from palio_tournament.records import Records
from palio_tournament.routes import TournamentId

router = APIRouter(
    prefix="/internal/v1", route_class=StrictRoute, tags=["internal"], include_in_schema=False,
    dependencies=[only("operator")],
)  # fmt: skip

_CALLER = (Unauthorized, Forbidden, Unavailable)


def _records(request: Request) -> Records:
    records: Records = request.app.state.records
    return records


Service = Annotated[Records, Depends(_records)]


@router.get("/tournaments/{tournament_id}/record", responses=documented(TournamentNotFound, *_CALLER))
async def get_record(tournament_id: TournamentId, records: Service) -> models.RecordAnswer:
    """The record, its phase and the clock."""
    return await records.get(UUID(tournament_id))


@router.put(
    "/tournaments/{tournament_id}/record",
    responses=documented(Invalid, MalformedJson, GameNotFound, TournamentFrozen, RecordOfAnother, *_CALLER),
)
async def put_record(tournament_id: TournamentId, body: models.PutRecord, records: Service) -> models.RecordWritten:
    """Make the record what its resource wants."""
    return await records.put(UUID(tournament_id), body)


@router.delete("/tournaments/{tournament_id}/record", status_code=204, responses=documented(*_CALLER))
async def withdraw_record(
    tournament_id: TournamentId,
    records: Service,
    owner: Annotated[UuidText, Query(description="uid of the resource that is deleted")],
    purge: Annotated[bool, Query(description="remove what was not settled, hide what was")] = False,
) -> None:
    """Let go of a record whose resource is deleted."""
    await records.withdraw(UUID(tournament_id), UUID(owner), purge=purge)
