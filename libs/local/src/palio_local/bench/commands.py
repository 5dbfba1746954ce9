"""`palio bench`: run, search, list, compare, report."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer

from palio_generator.load import comparison
from palio_generator.load.page import page
from palio_generator.load.plan import RATE_MAX, RUNNERS_MAX, USERS_MAX, Plan, PlanRefused, Scenario
from palio_generator.load.results import Report, Second
from palio_generator.load.verdicts import Threshold, ThresholdRefused, Verdict
from palio_kit.ids import new_id
from palio_local import tables
from palio_local.bench import search, showing
from palio_local.bench.measuring import NoRun, Place, measure, place
from palio_local.bench.runs import Kept, NoSuchRun, Runs
from palio_local.display import console, errors
from palio_local.layout import Layout

app = typer.Typer(help="Load on the running platform.", no_args_is_help=True)

MISSED, REFUSED, INCONCLUSIVE = 1, 2, 3
_CODES = {Verdict.PASSED: 0, Verdict.FAILED: MISSED, Verdict.INCONCLUSIVE: INCONCLUSIVE}
_RAMP_MAX_S = 5.0
_RAMP_SHARE = 4
_PROBE_RAMP_S = 1.0
_TRIES = 2
COLUMNS = (
    "run", "verdict", "scenario", "users", "requests_per_second", "p50_ms", "p99_ms", "errors", "freshness_p99_ms",
    "commit",
)  # fmt: skip

WithScenario = Annotated[Scenario, typer.Option(help="What the virtual users do.")]
Users = Annotated[int, typer.Option("--users", "-u", min=1, max=USERS_MAX, help="How many virtual users.")]
Rate = Annotated[
    float | None,
    typer.Option(min=0.01, max=RATE_MAX, help="Requests per second of all together; their own pace if left out."),
]
Duration = Annotated[float, typer.Option("--duration", "-d", min=1, max=86_400, help="Seconds, the ramp included.")]
Ramp = Annotated[float | None, typer.Option(min=0, help="Seconds to full load, not measured (default: up to 5).")]
Seed = Annotated[int, typer.Option(help="The same seed makes the same traffic.")]
Sockets = Annotated[int | None, typer.Option(min=0, help="Live sockets (default: the scenario's).")]
RunnerCount = Annotated[int, typer.Option("--runners", min=1, max=RUNNERS_MAX, help="Processes that make the load.")]
GameId = Annotated[str | None, typer.Option("--game", help="The game's id (default: the first of the catalogue).")]
Thresholds = Annotated[
    list[str] | None,
    typer.Option("--threshold", "-t", help="What must hold, as p99_ms<=50 or requests_per_second>=95; repeatable."),
]
Url = Annotated[str | None, typer.Option(help="A gateway of this machine (default: the running stack's).")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="The stack's (default: .palio here).")]
RunName = Annotated[str, typer.Argument(help="A run's name, its beginning, or last, last-1...")]


@app.command()
def run(
    *,
    scenario: WithScenario = Scenario.MIXED,
    users: Users = 100,
    rate: Rate = None,
    duration: Duration = 30.0,
    ramp: Ramp = None,
    threshold: Thresholds = None,
    seed: Seed = 1,
    sockets: Sockets = None,
    runners: RunnerCount = 1,
    game: GameId = None,
    url: Url = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Run load and say what came of it. Exit code 1: a threshold was missed, 2: no run, 3: inconclusive."""
    layout = Layout.of(data_dir)
    where = place(layout, url)
    plan = _plan(
        where, scenario=scenario, virtual_users=users, requests_per_second=rate, duration_s=duration, seed=seed,
        ramp_up_s=min(_RAMP_MAX_S, duration / _RAMP_SHARE) if ramp is None else ramp, sockets=sockets, game_id=game,
        thresholds=_thresholds(threshold or []),
    )  # fmt: skip
    report, seconds = _measured(plan, where, runners, quiet=as_json)
    name = Runs(layout).keep(report, seconds)
    if as_json:
        print(msgspec.json.encode({"run": name} | _document(report)).decode())
    else:
        showing.show(report, name)
    raise typer.Exit(_CODES[report.verdict])


@app.command("search")
def find_highest(
    *,
    scenario: WithScenario = Scenario.MIXED,
    p99: Annotated[float, typer.Option(min=0.1, help="The limit in milliseconds.")] = 50.0,
    users: Users = 200,
    first: Annotated[float, typer.Option("--from", min=1, max=RATE_MAX, help="The rate to begin with.")] = 200.0,
    step: Annotated[float, typer.Option(min=2, max=600, help="Seconds for which each rate is tried.")] = 8.0,
    runners: RunnerCount = 1,
    seed: Seed = 1,
    url: Url = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Find the highest rate whose p99 stays under a limit. Exit code 1: none does."""
    where = place(Layout.of(data_dir), url)
    probes: list[search.Probe] = []
    while (rate := search.next_rate(probes, first=first, highest=RATE_MAX)) is not None:
        plan = _plan(
            where, scenario=scenario, virtual_users=users, requests_per_second=rate, duration_s=step, seed=seed,
            ramp_up_s=min(_PROBE_RAMP_S, step / _RAMP_SHARE),
        )  # fmt: skip
        probes.append(_probe(plan, where, runners, rate, p99))
        if not as_json:
            told = probes[-1].why_not or "carried"
            console.print(f"{rate:>10,.0f}/s  p99 {probes[-1].p99_ms:>8.1f} ms  {told}")
    _tell_highest(probes, scenario, p99, as_json=as_json)


def _probe(plan: Plan, where: Place, runners: int, rate: float, p99_ms: float) -> search.Probe:
    """Try a rate; one that is not carried is tried once more, because something else may have been in the way."""
    for _ in range(_TRIES):
        report, _ = _measured(plan, where, runners, quiet=True)
        if report.was_stopped:
            raise typer.Exit(INCONCLUSIVE)
        probe = search.judge(report, rate, p99_ms)
        if probe.held:
            break
    return probe


def _tell_highest(probes: Sequence[search.Probe], scenario: Scenario, p99_ms: float, *, as_json: bool) -> NoReturn:
    highest = search.best(probes)
    if as_json:
        tried = [dataclasses.asdict(probe) for probe in probes]
        print(msgspec.json.encode({"requests_per_second": highest, "p99_ms_max": p99_ms, "probes": tried}).decode())
    elif highest:
        console.print(f"{scenario.value}: {highest:,.0f} requests/s with p99 at most {p99_ms:g} ms", style="bold green")
    else:
        console.print(f"{scenario.value}: no rate was carried with p99 at most {p99_ms:g} ms", style="bold red")
    raise typer.Exit(0 if highest else MISSED)


@app.command("list")
def list_(*, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """The runs that were kept, oldest first."""
    tables.show([_row(kept) for kept in Runs(Layout.of(data_dir)).all()], COLUMNS, as_json=as_json)


@app.command()
def compare(
    before: RunName = "last-1", after: RunName = "last", *, as_json: AsJson = False, data_dir: DataDir = None
) -> None:
    """Two runs side by side: what changed by more than they vary themselves. Exit code 1: something got worse."""
    one, other = (_kept(data_dir, name) for name in (before, after))
    compared = comparison.compare(_with_seconds(one), _with_seconds(other))
    if as_json:
        print(msgspec.json.encode(compared).decode())
    else:
        console.print(f"{one.run} → {other.run}")
        tables.show([_difference_row(one) for one in compared.differences], _DIFFERENCE_COLUMNS, as_json=False)
        for caveat in compared.caveats:
            errors.print(f"! {caveat}", style="yellow")
    worse = any(one.change is comparison.Change.WORSE for one in compared.differences)
    raise typer.Exit(MISSED if worse else 0)


_DIFFERENCE_COLUMNS = ("metric", "before", "after", "band", "change")


@app.command("report")
def write_report(
    name: RunName = "last",
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file (default: NAME.html here).")] = None,
    data_dir: DataDir = None,
) -> None:
    """Write a run as one HTML file that opens from disk."""
    kept = _kept(data_dir, name)
    file = output or Path(f"palio-{kept.run}.html")
    file.write_text(page(kept.report, kept.seconds), encoding="utf-8")
    console.print(str(file))


def _plan(where: Place, **numbers: Any) -> Plan:
    try:
        return Plan(base_url=where.base_url, live_url=where.live_url, run_id=str(new_id()), **numbers)
    except PlanRefused as refused:
        _refuse(str(refused))


def _thresholds(texts: Sequence[str]) -> tuple[Threshold, ...]:
    try:
        return tuple(Threshold.parse(text) for text in texts)
    except ThresholdRefused as refused:
        _refuse(str(refused))


def _measured(plan: Plan, where: Place, runners: int, *, quiet: bool) -> tuple[Report, list[Second]]:
    try:
        with showing.watching(plan.duration_s, quiet=quiet) as watcher:
            return measure(plan, where, runners, watcher)
    except (NoRun, PlanRefused) as nothing:
        _refuse(str(nothing))


def _kept(data_dir: Path | None, name: str) -> Kept:
    try:
        return Runs(Layout.of(data_dir)).named(name)
    except NoSuchRun as missing:
        _refuse(f"{missing}; `palio bench list` names them.")


def _with_seconds(kept: Kept) -> comparison.Measured:
    return comparison.Measured(kept.report, kept.seconds)


def _document(report: Report) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(report)
    return document


def _row(kept: Kept) -> dict[str, Any]:
    report = kept.report
    at = datetime.fromtimestamp(report.started_at, UTC)
    return {
        "run": kept.run, "verdict": report.verdict.value, "scenario": report.plan.scenario.value,
        "users": report.plan.virtual_users, "requests_per_second": round(report.requests_per_second, 1),
        "p50_ms": round(report.p50_ms, 2), "p99_ms": round(report.p99_ms, 2), "errors": report.errors,
        "freshness_p99_ms": report.freshness_p99_ms and round(report.freshness_p99_ms, 1),
        "commit": report.environment.commit or None, "started_at": at.isoformat(timespec="seconds"),
    }  # fmt: skip


def _difference_row(one: comparison.Difference) -> dict[str, Any]:
    numbers = {name: round(getattr(one, name), 2) for name in ("before", "after", "band")}
    return {"metric": one.metric, "change": one.change.value} | numbers


def _refuse(text: str) -> NoReturn:
    errors.print(text, style="red")
    raise typer.Exit(REFUSED)
