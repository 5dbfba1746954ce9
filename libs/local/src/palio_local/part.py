"""What the supervisor looks after: anything that can be started, ends, and can be told to end."""

import signal
from typing import Protocol


class Part(Protocol):
    """A process of the stack: a service or a store."""

    @property
    def name(self) -> str:
        """As in `palio status`."""
        ...

    @property
    def pid(self) -> int | None:
        """While it runs."""
        ...

    def start(self) -> None:
        """Start it in the background, on the same port each time."""
        ...

    def has_ended(self) -> bool:
        """Whether it was started and is no more (reaps it)."""
        ...

    def send(self, signal_: signal.Signals) -> None:
        """Signal it, if it runs."""
        ...

    def last_lines(self, count: int = 20) -> list[str]:
        """Of its log."""
        ...


class StartFailed(RuntimeError):
    """The stack could not be started; whose fault it was, what it said last, and one thing to try."""

    def __init__(self, culprit: str, lines: list[str], suggestion: str) -> None:
        super().__init__(f"{culprit} did not start")
        self.culprit = culprit
        self.lines = lines
        self.suggestion = suggestion


_SUGGESTIONS = (
    (
        "ConnectionRefusedError",
        "A store does not answer: look at DATABASE_URL and REDIS_URL, or unset them to have stores started here.",
    ),
    ("No space left on device", "Free some disk space, or choose another place with --data-dir."),
    (
        "initialized by PostgreSQL version",
        "The data is of another PostgreSQL version: `palio demo --fresh` starts over.",
    ),
    ("MigrationChanged", "The schema was made by other code: `palio demo --fresh` starts over."),
    ("could not create shared memory", "The kernel allows too little shared memory: raise kernel.shmmax."),
    ("ModuleNotFoundError", "A dependency is missing: `make setup` installs what the lock files say."),
    ("Permission denied", "The data directory is not writable for us: choose another place with --data-dir."),
    ("Too many open files", "Raise the limit of open files: `ulimit -n 8192`."),
    ("Cannot allocate memory", "Free some memory; the stack needs 700 MiB."),
    ("validation error", "A setting is wrong: look at the PALIO_ variables of your environment."),
)


def suggestion(lines: list[str], culprit: str) -> str:
    """One thing to try, judged by what was said last."""
    said = "\n".join(lines)
    return next(
        (advice for words, advice in _SUGGESTIONS if words in said),
        f"`palio logs {culprit}` has the rest, `palio doctor` looks at this machine.",
    )


def last_lines_of(text: str, count: int) -> list[str]:
    """The last lines of a log."""
    return text.splitlines()[-count:]
