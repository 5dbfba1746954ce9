"""The generator's internal routes for load tests in miniature: runs in memory, runners driven by the test.

It keeps the store's promises: the last runner that is ready opens the barrier, the last report ends the run, a run ends
once, and what comes after an end changes nothing.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

_OVER = ("finished", "stopped", "lost")


@dataclass
class FakeRuns:
    """Status documents by id, what was wanted of each, and every call that changed something."""

    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    asked_to_stop: set[str] = field(default_factory=set)
    fault: Callable[[web.Request], int | None] = lambda _: None
    url: str = ""

    # What runners do

    def ready(self, run_id: str) -> None:
        """All runners are ready: load begins soon."""
        run = self.told[run_id]
        if run["phase"] == "waiting":
            run["runners"]["ready"] = run["runners"]["wanted"]
            run |= {"phase": "running", "start_at": _stamp(datetime.now(UTC) + timedelta(seconds=1))}

    def report(self, run_id: str, *, p99_ms: float = 40.0, runners: int | None = None) -> None:
        """So many runners report (all of them if none is named); the last one ends the run."""
        run = self.told[run_id]
        if run["phase"] in _OVER:
            return
        run["runners"]["reported"] = runners or run["runners"]["wanted"]
        run["results"] = {
            "requests": 1000, "errors": 2, "requests_per_second": 49.7, "p50_ms": 3.2, "p95_ms": 20.0,
            "p99_ms": p99_ms, "max_ms": 90.1, "freshness_p99_ms": 31.5,
        }  # fmt: skip
        if run["runners"]["reported"] >= run["runners"]["wanted"]:
            self.end(run_id, stopped=run_id in self.asked_to_stop)

    def end(self, run_id: str, *, stopped: bool) -> None:
        """End a run with what was reported."""
        run = self.told[run_id]
        if run["phase"] in _OVER:
            return
        missing = run["runners"]["wanted"] - run["runners"]["reported"]
        doubts = [f"{missing} of {run['runners']['wanted']} runners were lost"] if missing else []
        doubts += ["stopped before its end"] if stopped else []
        p99 = run["results"]["p99_ms"] if run["results"] else None
        checks = [
            one | {"measured": p99, "held": p99 is not None and p99 <= one["value"]}
            for one in self.wanted[run_id]["thresholds"]
        ]
        verdict = "Inconclusive" if doubts else "Passed" if all(one["held"] for one in checks) else "Failed"
        run |= {
            "phase": "stopped" if stopped else "finished", "finished_at": _stamp(datetime.now(UTC)),
            "verdict": verdict, "doubts": doubts, "checks": checks,
        }  # fmt: skip

    # HTTP

    async def handle(self, request: web.Request) -> web.StreamResponse:
        status = self.fault(request)
        if status is not None:
            return web.json_response({"code": "fault"}, status=status)
        run_id, verb = request.match_info["run_id"], request.match_info.get("verb", "")
        body: dict[str, Any] = await request.json() if request.can_read_body else {}
        if request.method != "GET":
            self.calls.append((verb or request.method, run_id))
        if request.method == "PUT":
            return self._put(run_id, body)
        if run_id not in self.told:
            return web.json_response({"code": "run_not_found"}, status=404)
        if verb == "stop" and self.told[run_id]["phase"] in _OVER:
            return web.json_response({"code": "run_over"}, status=409)
        if verb == "stop":
            self.asked_to_stop.add(run_id)
        elif verb == "finish":
            self.end(run_id, stopped=body["stopped"])
        return web.json_response(self.told[run_id])

    def _put(self, run_id: str, body: dict[str, Any]) -> web.StreamResponse:
        if self.wanted.setdefault(run_id, body) != body:
            return web.json_response({"code": "run_changed"}, status=409)
        self.told.setdefault(run_id, {
            "id": run_id, "phase": "waiting", "start_at": None, "finished_at": None, "results": None, "verdict": None,
            "runners": {"wanted": body["runners"], "ready": 0, "reported": 0, "failed": 0}, "doubts": [], "checks": [],
        })  # fmt: skip
        return web.json_response(self.told[run_id])


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@asynccontextmanager
async def fake_runs() -> AsyncIterator[FakeRuns]:
    """The routes, listening on a free port."""
    made = FakeRuns()
    app = web.Application()
    for path in ("/internal/v1/loadtests/{run_id}", "/internal/v1/loadtests/{run_id}/{verb}"):
        app.router.add_route("*", path, made.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
