"""What `palio demo` shows: colours and following logs on a terminal, plain lines into a pipe."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from palio_local.logs import Tail, colour_of, readable

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def addresses(document: dict[str, Any]) -> list[str]:
    """The lines that tell where everything is."""
    urls = document["urls"]
    known = [("demo UI", urls["ui"]), ("REST API", urls["gateway"]), ("live feed", urls["websocket"])]
    services = [(name, service["url"]) for name, service in document["services"].items()]
    return [f"  {what:<12} {where}" for what, where in (known if urls["gateway"] else services) if where]


@dataclass
class Terminal:
    """A stack in the foreground."""

    names: Sequence[str]
    logs: dict[str, Path]
    _tails: list[Tail] = field(default_factory=list)

    def note(self, text: str) -> None:
        """One line about the start."""
        console.print(text, style="dim")

    def happened(self, part: str, text: str) -> None:
        """Something happened to a part."""
        self._line(part, text, style="bold")

    def ready(self, document: dict[str, Any]) -> None:
        """Everything answers."""
        console.print("palio is ready", style="bold green")
        for line in addresses(document):
            console.print(line)
        console.print("Ctrl-C ends it.", style="dim")
        self._tails = [Tail.at_end(name, path) for name, path in self.logs.items()]

    def tick(self) -> None:
        """Show what the services said since the last time."""
        for tail in self._tails:
            for line in tail.new_lines():
                self._line(tail.name, readable(line))

    def _line(self, name: str, text: str, style: str = "") -> None:
        console.print(prefixed(name, text, self.names, style=style))


@dataclass
class Background:
    """A detached stack: tells the command that started it how it goes, then only its own log file."""

    pipe: int | None

    def note(self, text: str) -> None:
        """One line about the start."""
        self._tell("note", text)

    def happened(self, part: str, text: str) -> None:
        """Something happened to a part."""
        print(f"{part}: {text}", flush=True)

    def ready(self, document: dict[str, Any]) -> None:
        """Everything answers; the command that waits may go."""
        self._tell("ready", "\n".join(addresses(document)))
        self.close()

    def failed(self, text: str) -> None:
        """It did not start."""
        self._tell("failed", text)
        self.close()

    def tick(self) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """No more is told."""
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None

    def _tell(self, kind: str, text: str) -> None:
        if self.pipe is not None:
            os.write(self.pipe, f"{kind} {text}\0".encode())


def prefixed(name: str, text: str, names: Sequence[str], *, style: str = "") -> Text:
    """A log line with its service in front."""
    line = Text(f"{name:<12}", style=colour_of(name, names))
    return line.append(text, style=style)
