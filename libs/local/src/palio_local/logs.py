"""Log files: followed as they grow, shown as lines a person can read, kept small."""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BYTES_MAX = 32 * 1024 * 1024
_CHUNK = 256 * 1024
_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")
_PLAIN_FIELDS = frozenset({"event", "level", "timestamp", "service", "trace_id", "exception"})


@dataclass
class Tail:
    """One growing file; `new_lines` answers the complete lines since the last call."""

    name: str
    path: Path
    position: int = 0
    _rest: bytes = field(default=b"", repr=False)

    @classmethod
    def at_end(cls, name: str, path: Path) -> "Tail":
        """Only what comes from now on."""
        return cls(name, path, path.stat().st_size if path.exists() else 0)

    def new_lines(self) -> list[str]:
        """At most 256 KiB at a time."""
        if not self.path.exists():
            return []
        if self.path.stat().st_size < self.position:  # it was cut
            self.position, self._rest = 0, b""
        with self.path.open("rb") as file:
            file.seek(self.position)
            chunk = file.read(_CHUNK)
        self.position += len(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [line.decode(errors="replace") for line in lines]


def keep_small(path: Path, bytes_max: int = BYTES_MAX) -> None:
    """Move a file that grew too large to `<name>.1` and cut it; its writer appends, so it goes on at the start."""
    if path.exists() and path.stat().st_size > bytes_max:
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        with path.open("r+b") as file:
            file.truncate(0)


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a file of any size."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _CHUNK))
        return file.read().decode(errors="replace").splitlines()[-count:]


def moment_of(line: str) -> str:
    """The line's time for sorting; empty if it has none."""
    return str(_fields(line).get("timestamp", ""))


def readable(line: str) -> str:
    """A JSON event as `12:00:01.123 warning what_happened key=value`; any other line as it is."""
    event = _fields(line)
    if "event" not in event:
        return line
    moment = str(event.get("timestamp", ""))[11:23]
    rest = " ".join(f"{key}={value}" for key, value in event.items() if key not in _PLAIN_FIELDS)
    text = f"{moment} {event.get('level', ''):<7} {event['event']} {rest}".rstrip()
    exception = event.get("exception")
    return f"{text}\n{exception}" if exception else text


def colour_of(name: str, names: Iterable[str]) -> str:
    """A service's colour among the others'."""
    known = list(names)
    return _COLOURS[known.index(name) % len(_COLOURS)] if name in known else "white"


def merged(paths: dict[str, Path], count: int) -> Iterator[tuple[str, str]]:
    """The last lines of several logs in order of time, with whose they are."""
    lines = [(moment_of(line), name, line) for name, path in paths.items() for line in last_lines(path, count)]
    for _, name, line in sorted(lines, key=lambda entry: entry[0])[-count:]:
        yield name, line


def _fields(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
