"""The database of a cluster: waited for, then its roles and every package's schema brought up to date."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import msgspec

from palio_kit.migrate import migrate

_POLL_S = 1.0
_AWAY = (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError)


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to bring up to date; the owner's URL is in `PALIO_DATABASE_URL`.

    `packages` run in this order. `roles` are those whose passwords lie below `passwords`, one directory each.
    `without_password` are roles that migrations grant rights to but nobody signs in as.
    """

    packages: list[str]
    roles: list[str]
    without_password: list[str]
    passwords: str
    wait_s: float


async def run(plan: Plan, environment: Mapping[str, str]) -> list[str]:
    """Migrate as soon as the database answers; answers what was applied.

    Raises:
        TimeoutError: it did not answer in time.
    """
    owner_dsn = environment["PALIO_DATABASE_URL"]
    folder = Path(plan.passwords)
    roles = {role: (folder / role / "password").read_text() for role in plan.roles}
    roles |= {role: secrets.token_urlsafe(24) for role in plan.without_password}
    await _until_it_answers(owner_dsn, plan.wait_s)
    return await migrate(owner_dsn, roles=roles, packages=plan.packages)


async def _until_it_answers(dsn: str, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection = await asyncpg.connect(dsn, timeout=5)
        except _AWAY as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the database did not answer within {wait_s:.0f} s: {error!r}") from error
            await asyncio.sleep(_POLL_S)
        else:
            await connection.close()
            return
