"""What a runner's process says: one JSON object a line on its standard output, told apart by `type`.

`python -m palio_generator.load` reads a plan as one line of JSON from its standard input. With `--barrier` it says
`ready` after preparing and reads a second line, `{"start_at": SECONDS_SINCE_1970}`; without, it starts at once. It
says `preparing` now and then, `started`, a `second` each second, at the end a `report`; or `failed`, once, instead.
SIGINT and SIGTERM end a run early and well: what was measured is reported and marked so. Exit codes: 0 reported,
2 failed.
"""

import msgspec

from palio_generator.load.results import Report, Second


class Preparing(msgspec.Struct, tag="preparing", frozen=True):
    """How far preparing is: `what` is done for `done` of `total` users."""

    what: str
    done: int
    total: int


class Ready(msgspec.Struct, tag="ready", frozen=True):
    """Prepared; `users` and `sockets` are this runner's."""

    users: int
    sockets: int


class Started(msgspec.Struct, tag="started", frozen=True):
    """Load begins at this moment (seconds since 1970)."""

    at: float


class Row(msgspec.Struct, tag="second", frozen=True):
    """A second went by."""

    row: Second


class Ended(msgspec.Struct, tag="report", frozen=True):
    """The end, with everything."""

    report: Report


class Failed(msgspec.Struct, tag="failed", frozen=True):
    """There is nothing to report. `code`: `bad_plan`, `target_refused`, `unreachable`, `preparation`, `stopped`."""

    code: str
    detail: str


Message = Preparing | Ready | Started | Row | Ended | Failed


class Start(msgspec.Struct, frozen=True):
    """The second line of input behind a barrier: when to begin (seconds since 1970)."""

    start_at: float


encode = msgspec.json.Encoder().encode
read = msgspec.json.Decoder(Message).decode
