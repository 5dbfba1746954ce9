"""What one asks of a stack from another terminal: status, logs, its end, and whether this machine can run it."""

import json
import os
import platform
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from palio_local import logs, ports, state
from palio_local.display import addresses, console, errors, prefixed
from palio_local.layout import Layout
from palio_local.logs import Tail, readable
from palio_local.programs import ProgramsMissing, programs
from palio_local.services import SERVICES, UI_PORT
from palio_local.unprivileged import account

_PROBE_TIMEOUT_S = 2.0
_FOLLOW_S = 0.2
_FREE_BYTES_MIN = 2 * 1024**3
_UI_ENTRY = "index.html"
STORE_LOGS = ("postgres", "redis")


def status(layout: Layout) -> dict[str, Any] | None:
    """The running stack with each service's readiness as of now; None if nothing runs."""
    document = state.read(layout)
    if document is None:
        return None
    services = document["services"]
    with ThreadPoolExecutor(len(services)) as probes:
        ready = list(probes.map(_is_ready, [service["url"] for service in services.values()]))
    for service, is_ready in zip(services.values(), ready, strict=True):
        service["ready"] = is_ready
    return document


def show_status(layout: Layout, *, as_json: bool) -> int:
    """Print it; exit code 0 if it runs, 3 if not, and for people 1 if some are not ready (programs read `ready`)."""
    document = status(layout)
    if document is None:
        if as_json:
            print("null")
        errors.print("palio is starting." if state.is_running(layout) else "palio is not running here.")
        return 3
    if as_json:
        print(json.dumps(document, indent=2))
        return 0
    _print_status(document)
    return 0 if all(service["ready"] for service in document["services"].values()) else 1


def stop(layout: Layout) -> int:
    """End the stack; content if nothing ran."""
    console.print("palio has ended" if state.stop(layout) else "palio was not running here")
    return 0


def clean(layout: Layout) -> int:
    """Remove all data, wherever it lies; refuses while the stack runs."""
    if state.is_running(layout):
        errors.print("palio is running here; `palio stop` first.")
        return 1
    layout.wipe()
    layout.forget()
    console.print(f"nothing of palio is left in {layout.root}")
    return 0


def show_logs(layout: Layout, service: str | None, *, follow: bool, count: int) -> int:
    """Print the last lines of one or all services, in order of time, then what comes if asked."""
    paths = _log_files(layout) if service is None else {service: _log_file(layout, service)}
    if service is not None and not paths[service].exists():
        known = ", ".join(_log_files(layout)) or "nothing has run here yet"
        console.print(f"There is no log of {service} ({known}).")
        return 1
    for name, line in logs.merged(paths, count):
        console.print(prefixed(name, readable(line), list(paths)))
    tails = [Tail.at_end(name, path) for name, path in paths.items()]
    while follow:
        time.sleep(_FOLLOW_S)
        for tail in tails:
            for line in tail.new_lines():
                console.print(prefixed(tail.name, readable(line), list(paths)))
    return 0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do if it is not well."""

    what: str
    well: bool
    advice: str = ""
    blocks: bool = True
    """Whether the stack cannot run while this is not well."""


def doctor(layout: Layout) -> int:
    """Look at this machine; exit code 1 if something stands in the way."""
    findings = list(_findings(layout))
    for finding in findings:
        mark, style = ("ok", "green") if finding.well else ("!!", "bold red") if finding.blocks else ("--", "yellow")
        console.print(f"{mark}  {finding.what}", style=style)
        if not finding.well:
            console.print(f"    {finding.advice}")
    return 0 if all(finding.well or not finding.blocks for finding in findings) else 1


def _findings(layout: Layout) -> Iterator[Finding]:
    yield Finding(f"Python {platform.python_version()}", sys.version_info >= (3, 11), "Python 3.11 or newer is needed.")
    place = next(path for path in (layout.root, *layout.root.parents) if path.exists())
    yield Finding(f"{place} is writable", os.access(place, os.W_OK), "Choose another place with --data-dir.")
    free = shutil.disk_usage(place).free
    yield Finding(f"{free / 1024**3:.1f} GiB free on disk", free > _FREE_BYTES_MIN, "At least 2 GiB are needed.")
    yield _postgres_finding(layout)
    page = resources.files("palio_gateway") / "ui" / _UI_ENTRY
    yield Finding("the demo UI is built", page.is_file(), "Build it with `make ui`.", blocks=False)
    if state.is_running(layout):
        yield Finding("palio is running here", well=True)
        return
    for service in SERVICES:
        yield _port_finding(service.port, service.name)
    yield _port_finding(UI_PORT, "the demo UI")


def _postgres_finding(layout: Layout) -> Finding:
    try:
        found = programs(layout.root / "programs", None)
    except ProgramsMissing as error:
        return Finding("PostgreSQL", well=False, advice=str(error))
    runs_as = " as nobody, because we are root" if account() else ""
    return Finding(f"PostgreSQL in {found}{runs_as}", well=True)


def _port_finding(port: int, whose: str) -> Finding:
    listening = ports.bound(port)
    with listening:
        free = listening.getsockname()[1] == port
    if free:
        return Finding(f"port {port} is free", well=True)
    advice = f"Another program listens there; {whose} will take a free port, and `palio status` tells which."
    return Finding(f"port {port} is taken", well=False, advice=advice, blocks=False)


def _print_status(document: dict[str, Any]) -> None:
    for line in addresses(document):
        console.print(line)
    for name, service in document["services"].items():
        text, style = ("ready", "green") if service["ready"] else ("not ready", "bold red")
        console.print(f"  {name:<12} {service['pid']:>8}  {service['url']}  [{style}]{text}[/]")
    for store in STORE_LOGS:
        console.print(f"  {store:<12} {document[store]['pid'] or 'external':>8}")


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=_PROBE_TIMEOUT_S) as answer:  # noqa: S310 - our own http URL
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's own number
    except (OSError, urllib.error.URLError):
        return False


def _log_files(layout: Layout) -> dict[str, Path]:
    return {service.name: layout.log_of(service.name) for service in SERVICES}


def _log_file(layout: Layout, name: str) -> Path:
    match name:
        case "postgres":
            return layout.postgres(account()) / "server.log"
        case "redis":
            return layout.valkey / "server.log"
        case _:
            return layout.log_of(name)
