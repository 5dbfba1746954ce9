"""`palio db`: migrations by hand, on the running stack's database or the one that DATABASE_URL names."""

import os

import asyncpg

from palio_local import schema, state
from palio_local.credentials import Credentials
from palio_local.display import console, errors
from palio_local.layout import Layout


def migrate(layout: Layout, *, check: bool) -> int:
    """Run what is pending, or only tell; exit code 1 if `check` found something, 3 if there is no database."""
    dsn = _owner_dsn(layout)
    if dsn is None:
        errors.print("No database: start `palio demo`, or set DATABASE_URL to its owner's URL.")
        return 3
    try:
        names = schema.what_is_pending(dsn) if check else _apply(layout, dsn)
    except (OSError, asyncpg.PostgresError) as error:
        errors.print(f"The database cannot be used: {error}")
        return 3
    for name in names:
        console.print(name)
    console.print(("pending" if check else "applied") + f": {len(names)}", style="bold")
    return 1 if check and names else 0


def _apply(layout: Layout, dsn: str) -> list[str]:
    layout.prepare()
    return schema.bring_up_to_date(dsn, Credentials.kept_in(layout.secrets).roles)


def _owner_dsn(layout: Layout) -> str | None:
    if "DATABASE_URL" in os.environ:
        return os.environ["DATABASE_URL"]
    document = state.read(layout)
    return None if document is None else str(document["postgres"]["dsn"])
