"""Where a run ran: without it its numbers cannot be compared."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from palio_generator.load import precedence
from palio_generator.load.results import Environment
from palio_generator.load.tally import cores

_PACKAGES = ("palio-generator", "uvloop", "hdrhistogram")


def environment(target: Mapping[str, str], commit: str) -> Environment:
    """This machine, and what the target told."""
    return Environment(
        cores=cores(),
        cpu=_field("/proc/cpuinfo", "model name") or platform.processor(),
        memory_gib=round(int((_field("/proc/meminfo", "MemTotal") or "0").split()[0]) / 2**20, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        versions={name: version(name) for name in _PACKAGES},
        commit=commit,
        target=target,
        scheduling=precedence.taken(),
    )


def _field(file: str, name: str) -> str:
    """A field of one of Linux's own files; empty elsewhere."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
