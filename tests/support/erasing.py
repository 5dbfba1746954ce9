"""Erasing an account as the user service does, where only its database is there."""

import asyncpg

from palio_kit.postgres import sql


async def erase(owner: asyncpg.Connection, user_id: object) -> None:
    """Forget who that was."""
    await owner.execute(sql("palio_user", "erase_account"), user_id)
