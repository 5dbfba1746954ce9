"""What the benchmark runs on, and how much processor time process trees have used (Linux: /proc)."""

import os
import platform
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PPID, _UTIME, _STIME, _CUTIME, _CSTIME = 1, 11, 12, 13, 14
"""Fields of /proc/PID/stat after the command's closing parenthesis; children's times are those already waited for."""


@dataclass(frozen=True)
class Machine:
    """One line about the machine."""

    cores: int
    cpu: str
    memory_gib: float
    kernel: str
    python: str

    @classmethod
    def this(cls) -> "Machine":
        """The machine we are on."""
        facts = dict(_pairs(Path("/proc/cpuinfo").read_text()))
        memory = dict(_pairs(Path("/proc/meminfo").read_text()))
        kib = int(memory.get("MemTotal", "0 kB").split()[0])
        cores = len(os.sched_getaffinity(0))
        return cls(
            cores,
            facts.get("model name", "unknown"),
            round(kib / 2**20, 1),
            platform.release(),
            platform.python_version(),
        )


def _pairs(text: str) -> list[tuple[str, str]]:
    return [
        (name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in text.splitlines()) if name
    ]


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """Processor time used so far by each tree (name → pid of its root), in seconds, the dead in it included."""
    used: dict[int, int] = {}
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None:
                used[int(entry.name)] = sum(int(fields[index]) for index in (_UTIME, _STIME, _CUTIME, _CSTIME))
                children[int(fields[_PPID])].append(int(entry.name))
    return {name: _sum(root, used, children) / _TICKS for name, root in roots.items()}


def _sum(root: int, used: Mapping[int, int], children: Mapping[int, list[int]]) -> int:
    return used.get(root, 0) + sum(_sum(child, used, children) for child in children.get(root, ()))


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def load_average() -> float:
    """How many processes wanted to run, over the last minute."""
    return os.getloadavg()[0]
