"""The demo's paths about runs of load (demo profile only): start one, look at it, stop it, compare, take it away."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from palio_generator.errors import RunInProgress, RunNotFound, RunNotOver, RunOver
from palio_generator.runs.answers import ComparisonAnswer, RunAnswer, RunDetailAnswer, detail_of, run_of
from palio_generator.runs.exports import MEDIA
from palio_generator.runs.requests import StressRequest
from palio_generator.runs.stress import SERIES_MAX, Stress
from palio_kit.paging import BadCursor, decode_cursor, encode_cursor
from palio_kit.problems import Invalid, MalformedJson, OutcomeUnknown, Unavailable, documented
from palio_kit.wire import Page, StrictRoute, UuidText

router = APIRouter(prefix="/api/v1/demo/stress", route_class=StrictRoute, tags=["generator"])

RunId = Annotated[UuidText, Path(description="as `POST` answered it")]
PAGE_DEFAULT, PAGE_MAX = 20, 50
_FILES = {
    "description": "The run as a file.",
    "content": {media: {"schema": {"type": "string"}} for media in MEDIA.values()},
}


def _stress(request: Request) -> Stress:
    stress: Stress = request.app.state.stress
    return stress


WithStress = Annotated[Stress, Depends(_stress)]


@router.post(
    "", status_code=202, responses=documented(MalformedJson, Invalid, RunInProgress, Unavailable, OutcomeUnknown)
)
async def start_stress(body: StressRequest, stress: WithStress) -> RunAnswer:
    """Start a run of load on this platform.

    On one machine one run goes on at a time; in a cluster a LoadTest is created, which may wait for its turn.
    Channel `loadtest:<id>` of the live protocol tells each second.
    """
    return run_of(await stress.start(body))


@router.get("", responses=documented(BadCursor, Invalid, Unavailable))
async def list_stress(
    stress: WithStress,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT,
    cursor: Annotated[str | None, Query(max_length=512)] = None,
) -> Page[RunAnswer]:
    """Runs, newest first; old ones are forgotten."""
    after = None if cursor is None else decode_cursor(cursor, tuple[datetime, UUID])
    runs = await stress.runs.page(after, limit + 1)
    more = runs[limit - 1] if len(runs) > limit else None
    return Page(
        items=[run_of(run) for run in runs[:limit]],
        next_cursor=None if more is None else encode_cursor((more.course.created_at, more.id)),
    )


@router.get("/{run_id}", responses=documented(RunNotFound, Invalid, Unavailable))
async def get_stress(
    run_id: RunId,
    stress: WithStress,
    seconds: Annotated[int, Query(ge=0, le=SERIES_MAX, description="so many of its last seconds")] = 600,
) -> RunDetailAnswer:
    """A run with its series; with report and environment once it is over."""
    run = await stress.runs.get(UUID(run_id))
    series = await stress.runs.series(run.id, seconds)
    return detail_of(run, series, stress.runs.preparing_of(run.id))


@router.delete("/{run_id}", status_code=202, responses=documented(RunNotFound, RunOver, Invalid, Unavailable))
async def stop_stress(run_id: RunId, stress: WithStress) -> RunAnswer:
    """Ask a run to end early; what was measured is reported."""
    return run_of(await stress.stop(UUID(run_id)))


@router.get("/{run_id}/compare", responses=documented(RunNotFound, RunNotOver, Invalid, Unavailable))
async def compare_stress(
    run_id: RunId, stress: WithStress, other: Annotated[UuidText, Query(alias="with", description="the run beside it")]
) -> ComparisonAnswer:
    """How another run differs from this one, and whether by more than both waver."""
    return ComparisonAnswer.of(await stress.compare(UUID(run_id), UUID(other)))


@router.get(
    "/{run_id}/report", response_class=Response,
    responses={200: _FILES, **documented(RunNotFound, RunNotOver, Invalid, Unavailable)},
)  # fmt: skip
async def export_stress(
    run_id: RunId,
    stress: WithStress,
    format: Annotated[Literal["html", "ndjson", "csv"], Query(description="which file")] = "html",  # noqa: A002 - its name in the query
) -> Response:
    """A run that is over as one file: a page that opens from disk, all it told (NDJSON), or its seconds (CSV)."""
    name, content = await stress.export(UUID(run_id), format)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=MEDIA[format], headers=headers)
