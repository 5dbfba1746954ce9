"""Runs that were made, one file each, in the data directory of the stack they were made on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from palio_generator.load.results import Report, Second
from palio_local.layout import Layout

RUNS_MAX = 200
"""Older ones are removed."""


class NoSuchRun(LookupError):
    """There is no run of that name."""


@dataclass(frozen=True)
class Kept:
    """A run that was kept."""

    run: str
    report: Report
    seconds: Sequence[Second]


class Runs:
    """The files of one data directory."""

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.bench

    def keep(self, report: Report, seconds: Sequence[Second]) -> str:
        """Write a run down; its name."""
        at = datetime.fromtimestamp(report.started_at, UTC).strftime("%Y%m%d-%H%M%S")
        name = f"{at}-{report.plan.scenario.value}"
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{name}.unfinished"
        unfinished.write_bytes(msgspec.json.encode(Kept(name, report, seconds)))
        unfinished.rename(self._folder / f"{name}.json")
        for old in self._files()[:-RUNS_MAX]:
            old.unlink(missing_ok=True)
        return name

    def all(self) -> list[Kept]:
        """All of them, oldest first; files that are none of ours are passed over."""
        return [run for run in map(_read, self._files()) if run is not None]

    def named(self, name: str) -> Kept:
        """The run of a name, of the beginning of one, or `last`, `last-1`...

        Raises:
            NoSuchRun: there is none, or more than one.
        """
        files = self._files()
        back = re.fullmatch(r"last(?:-(\d{1,3}))?", name)
        if back:
            at = int(back[1] or 0)
            found = files[-1 - at : len(files) - at] if at < len(files) else []
        else:
            found = [file for file in files if file.stem == name] or [f for f in files if f.stem.startswith(name)]
        run = _read(found[0]) if len(found) == 1 else None
        if run is None:
            raise NoSuchRun(f"{name}: {len(found) or 'no'} such run{'s' if len(found) > 1 else ''}")
        return run

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))


def _read(file: Path) -> Kept | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Kept)
    except (OSError, ValueError):  # msgspec's errors are ValueErrors
        return None
