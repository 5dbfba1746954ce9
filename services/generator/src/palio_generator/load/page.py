"""A run as one HTML file that opens from disk: styles and drawings inside, no script, nothing fetched. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from palio_generator.load.histograms import Histogram
from palio_generator.load.results import Report, Second

POINTS_MAX = 600
"""Seconds drawn; of a longer run every so many are drawn as one, the worst of them."""

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 860, 180, 56, 22
_PERCENTS = (50, 75, 90, 95, 99, 99.9, 100)

_STYLE = """
:root{color-scheme:light dark;--ink:#1d2330;--dim:#667;--line:#d5d9e2;--paper:#fff;--a:#2f6fde;--b:#d9822b;--bad:#c23030;--good:#1f8a4c}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaf0;--dim:#99a;--line:#363c4a;--paper:#151922;--a:#7aa7ff;--b:#f0ab5c;--bad:#ff7b72;--good:#5fd08b}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:900px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:.3rem .6rem;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}th{color:var(--dim);font-weight:500}
.Passed{color:var(--good)}.Failed{color:var(--bad)}.Inconclusive{color:var(--b)}
svg{width:100%;height:auto}.a{stroke:var(--a)}.b{stroke:var(--b)}path{fill:none;stroke-width:1.6}
.axis{stroke:var(--line)}text{fill:var(--dim);font-size:11px}.dim{color:var(--dim)}
"""  # noqa: E501 - a style sheet

_NOTE = (
    "Response time counts from the moment a request was due, service time from the moment it was written. "
    "Refusals are counted as errors and left out of the times."
)
_ENDPOINT_HEAD = ("endpoint", "requests", "errors", "p50 ms", "p95 ms", "p99 ms", "max ms", "service p99 ms")
_PERCENTILE_HEAD = ("endpoint", *(f"{percent:g} %" for percent in _PERCENTS))
_FRESHNESS_HEAD = ("channel", "samples", "p50 ms", "p99 ms", "max ms")

Row = Sequence[object]


def page(report: Report, seconds: Sequence[Second], title: str = "") -> str:
    """The whole document."""
    plan, verdict = report.plan, report.verdict.value
    rate = f"{plan.requests_per_second:g} requests/s" if plan.requests_per_second else "their own pace"
    heading = title or f"{plan.scenario.value}: {plan.virtual_users} users, {rate}"
    began = datetime.fromtimestamp(report.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    doubts = "".join(f"<li>{escape(doubt)}</li>" for doubt in report.doubts)
    when = f"{began}, {plan.duration_s:g} s of which {report.measured_s:g} s were measured"
    parts = [
        f"<h1>{escape(heading)} <span class={verdict}>{verdict}</span></h1>",
        f"<p class=dim>{when}, seed {plan.seed}, {report.sockets} live sockets</p>",
        f"<ul>{doubts}</ul>" if doubts else "",
        _section("Thresholds", ("metric", "wanted", "measured", "held"), _threshold_rows(report)),
        _section("In short", ("what", "value"), _summary_rows(report)),
        _chart("Answers per second", seconds, lambda row: row.answered, lambda row: row.due, ("answered", "due")),
        _chart("Response time, ms", seconds, lambda row: row.p50_ms, lambda row: row.p99_ms, ("p50", "p99")),
        _section("Endpoints", _ENDPOINT_HEAD, _endpoint_rows(report)),
        _section("Response time by percentile, ms", _PERCENTILE_HEAD, _percentile_rows(report)),
        _section("Errors", ("class", "requests"), sorted(report.errors_by_class.items())),
        _section("Freshness: score written → frame read", _FRESHNESS_HEAD, _freshness_rows(report)),
        _section("Where", ("what", "value"), _environment_rows(report)),
        f"<p class=dim>{_NOTE}</p>",
    ]
    return (
        '<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width">'
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(heading)}</title><style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>"
    )


def _section(title: str, head: Sequence[str], rows: Iterable[Row]) -> str:
    """A heading and a table; nothing if there are no rows."""
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return ""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<h2>{escape(title)}</h2><table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else escape(str(value))


def _threshold_rows(report: Report) -> Iterable[Row]:
    for check in report.checks:
        measured = "-" if check.measured is None else check.measured
        yield check.metric.value, f"{check.op.value} {check.value:g}", measured, "yes" if check.held else "no"


def _summary_rows(report: Report) -> Iterable[Row]:
    yield "requests", report.requests
    yield "errors", report.errors
    yield "answered per second", report.requests_per_second
    yield "due per second", report.target_rate
    yield (
        "response time p50 / p95 / p99 / max, ms",
        _several(report.p50_ms, report.p95_ms, report.p99_ms, report.max_ms),
    )
    yield "service time p50 / p99, ms", _several(report.service_p50_ms, report.service_p99_ms)
    yield "schedule error p50 / p99, ms", _several(report.schedule_error_p50_ms, report.schedule_error_p99_ms)
    yield "generator's share of a core", report.generator_cpu
    yield "most requests waiting for a connection", report.backlog_max


def _several(*values: float) -> str:
    return " / ".join(f"{value:,.2f}" for value in values)


def _endpoint_rows(report: Report) -> Iterable[Row]:
    for one in report.endpoints:
        times = (one.p50_ms, one.p95_ms, one.p99_ms, one.max_ms, one.service_p99_ms)
        yield one.endpoint, one.requests, one.errors, *times


def _percentile_rows(report: Report) -> Iterable[Row]:
    for one in report.endpoints:
        response = Histogram.decoded(one.response)
        yield one.endpoint, *(response.percentile_ms(percent) for percent in _PERCENTS)


def _freshness_rows(report: Report) -> Iterable[Row]:
    for one in report.freshness:
        if one.samples:
            yield one.channel, one.samples, one.p50_ms, one.p99_ms, one.max_ms


def _environment_rows(report: Report) -> Iterable[Row]:
    environment = report.environment
    yield "machine", f"{environment.cores} cores, {environment.cpu}, {environment.memory_gib} GiB"
    yield "software", f"Linux {environment.kernel}, Python {environment.python}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    yield "generator's scheduling", environment.scheduling
    yield "commit", environment.commit or "-"
    yield "target", report.plan.base_url


def _chart(
    title: str,
    seconds: Sequence[Second],
    first: Callable[[Second], float],
    second: Callable[[Second], float],
    names: tuple[str, str],
) -> str:
    """Two lines over the seconds of a run."""
    lines = [_thinned([float(of(row)) for row in seconds]) for of in (second, first)]
    if not lines[0]:
        return ""
    top = max(*lines[0], *lines[1], 1e-9)
    drawn = [f'<path class={kind} d="{_path(line, top)}"/>' for kind, line in zip("ba", lines, strict=True)]
    floor = _HEIGHT - _BOTTOM
    axes = "".join(f"<line class=axis x1={_LEFT} x2={_WIDTH} y1={y} y2={y} />" for y in (10, floor))
    marks = (
        f"<text x=0 y=14>{top:,.4g}</text><text x=0 y={floor}>0</text><text x={_LEFT} y={_HEIGHT - 6}>0 s</text>"
        f"<text x={_WIDTH} y={_HEIGHT - 6} text-anchor=end>{len(seconds)} s</text>"
    )
    return (
        f"<h2>{escape(title)}</h2><svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role=img aria-label='{escape(title)}'>"
        f"{axes}{marks}{''.join(drawn)}</svg><p class=dim>blue: {names[0]}, orange: {names[1]}</p>"
    )


def _thinned(values: list[float]) -> list[float]:
    step = -(-len(values) // POINTS_MAX) or 1
    return [max(values[at : at + step]) for at in range(0, len(values), step)]


def _path(values: Sequence[float], top: float) -> str:
    wide, high = _WIDTH - _LEFT, _HEIGHT - _BOTTOM - 10
    across = wide / max(len(values) - 1, 1)
    points = (f"{_LEFT + at * across:.1f} {10 + high * (1 - value / top):.1f}" for at, value in enumerate(values))
    return "M" + "L".join(points)
