"""Operations endpoints of every service: /livez (no I/O), /readyz (dependencies, in ms), /metrics, /version."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from palio_kit.problems import Problem

Check = Callable[[], Awaitable[None]]

_CHECK_TIMEOUT_S = 2.0

router = APIRouter(include_in_schema=False)


@dataclass(slots=True)
class Health:
    """What a service needs: without a `required` one it is unready, without an `optional` one only degraded."""

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    observe: Callable[[], None] = lambda: None
    draining: bool = False


@router.get("/livez")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(request: Request) -> JSONResponse:
    """Whether requests should be sent here: 200 `ready` or `degraded`, else 503."""
    health: Health = request.app.state.health
    required, optional = await asyncio.gather(_run(health.required), _run(health.optional))
    ok = not health.draining and all(check["ok"] for check in required.values())
    degraded = not all(check["ok"] for check in optional.values())
    status = "draining" if health.draining else "unready" if not ok else "degraded" if degraded else "ready"
    return JSONResponse({"status": status, "checks": required | optional}, status_code=200 if ok else 503)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus text format."""
    health: Health = request.app.state.health
    health.observe()
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})


@router.get("/version")
async def versions(request: Request) -> dict[str, str]:
    """What runs here."""
    name: str = request.app.state.service
    return {
        "service": name,
        "version": version(f"palio-{name}"),
        "commit": os.environ.get("PALIO_COMMIT", "unknown"),
    }


async def _run(checks: Mapping[str, Check]) -> dict[str, dict[str, Any]]:
    results = await asyncio.gather(*(_timed(check) for check in checks.values()))
    return dict(zip(checks, results, strict=True))


async def _timed(check: Check) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            await check()
        failure = None
    except (Problem, OSError, TimeoutError, RuntimeError) as error:
        failure = type(error).__name__
    result: dict[str, Any] = {"ok": failure is None, "ms": round((time.perf_counter() - started) * 1000, 2)}
    return result if failure is None else result | {"error": failure}
