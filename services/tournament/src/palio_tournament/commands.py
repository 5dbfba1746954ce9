"""Commands over one tournament's record: `settle`, `retry`, `verify`, `reopen`. A payout job runs one of the first two.

Each prints one line of JSON. Exit code 0: as asked; 1: a record does not verify; 42: repeating it will not help;
75: try again later (EX_TEMPFAIL). They need `PALIO_DATABASE_URL`; with
`PALIO_PATIENCE_S` they wait so long for a database that is away.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from palio_kit import postgres
from palio_kit.problems import Problem, Unavailable
from palio_kit.times import rfc3339
from palio_tournament.errors import NotYetDue
from palio_tournament.settings import CommandSettings, for_settlement
from palio_tournament.settlement import Settler

FAILED, USELESS_TO_REPEAT, TRY_LATER = 1, 42, 75
USAGE = "usage: python -m palio_tournament [settle|retry|verify|reopen TOURNAMENT_ID]"

_PAUSE_MIN_S, _PAUSE_MAX_S = 1.0, 15.0

T = TypeVar("T")
Command = Callable[[Settler, UUID], Awaitable[tuple[dict[str, Any], int]]]


async def settle(settler: Settler, tournament_id: UUID) -> tuple[dict[str, Any], int]:
    """Settle a tournament; if it was settled before, tell that settlement and `"changed": false`."""
    settled = await settler.settle(tournament_id)
    note = "settled now" if settled.changed else "it was settled before; nothing was changed"
    return asdict(settled) | {"settled_at": rfc3339(settled.settled_at), "note": note}, 0


async def retry(settler: Settler, tournament_id: UUID) -> tuple[dict[str, Any], int]:
    """Settle a tournament even if its settlement had been given up: it is opened again first."""
    await settler.reopen(tournament_id)
    return await settle(settler, tournament_id)


async def verify(settler: Settler, tournament_id: UUID) -> tuple[dict[str, Any], int]:
    """Compute digest, awards and pool again from the frozen standings and compare."""
    verified = await settler.verify(tournament_id)
    return asdict(verified) | {"ok": verified.ok}, 0 if verified.ok else FAILED


async def reopen(settler: Settler, tournament_id: UUID) -> tuple[dict[str, Any], int]:
    """Let a tournament whose settlement failed be settled again."""
    reopened = await settler.reopen(tournament_id)
    return {"tournament_id": tournament_id, "reopened": reopened}, 0 if reopened else USELESS_TO_REPEAT


COMMANDS: dict[str, Command] = {"settle": settle, "retry": retry, "verify": verify, "reopen": reopen}


def main(arguments: Sequence[str]) -> int:
    """Run one command; answer the exit code."""
    try:
        name, identifier = arguments
        command, tournament_id = COMMANDS[name], UUID(identifier)
    except (ValueError, KeyError):
        sys.stderr.write(f"{USAGE}\n")
        return USELESS_TO_REPEAT
    answer, code = asyncio.run(_run(command, tournament_id, CommandSettings()))
    sys.stdout.write(msgspec.json.encode(answer, enc_hook=str).decode() + "\n")
    return code


async def _run(command: Command, tournament_id: UUID, settings: CommandSettings) -> tuple[dict[str, Any], int]:
    async with postgres.connect(for_settlement(settings, 1)) as database:
        try:
            return await _patiently(partial(command, Settler(database), tournament_id), settings.patience_s)
        except Problem as problem:
            again = isinstance(problem, Unavailable | NotYetDue)
            answer = {"tournament_id": tournament_id, "code": problem.code, "detail": problem.detail}
            return answer, TRY_LATER if again else USELESS_TO_REPEAT


async def _patiently(attempt: Callable[[], Awaitable[T]], patience_s: float) -> T:
    """Try until the database answers, or time is up. Every command may be repeated: each looks at what is there.

    Raises:
        Unavailable: it was away to the end.
    """
    deadline, pause_s = time.monotonic() + patience_s, _PAUSE_MIN_S
    while True:
        try:
            return await attempt()
        except Unavailable:
            if time.monotonic() + pause_s > deadline:
                raise
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _PAUSE_MAX_S)
