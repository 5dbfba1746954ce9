"""The catalogue's table. Insert and read only: there is nothing to guard but the id's uniqueness."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from palio_game.domain import Keep, NewGame, Order, Rules
from palio_game.errors import GameExists, GameNotFound
from palio_kit.postgres import Connection, Database, sql


@dataclass(frozen=True, slots=True)
class Game(NewGame):
    """A game of the catalogue."""

    created_at: datetime


class Store:
    """Games in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, connection: Connection, new: NewGame) -> Game:
        """Add a game within the caller's transaction.

        Raises:
            GameExists: its id is taken.
        """
        rules = new.rules
        created_at = await connection.fetchval(
            _sql("add_game"), new.game_id, new.title, new.description, rules.order, rules.keep,
            rules.score_min, rules.score_max, rules.score_unit, rules.counts_globally,
        )  # fmt: skip
        if created_at is None:
            raise GameExists
        return Game(new.game_id, new.title, new.description, rules, created_at)

    async def one(self, game_id: str) -> Game:
        """The game of that id.

        Raises:
            GameNotFound: there is none.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_sql("game"), game_id)
        if row is None:
            raise GameNotFound
        return _game(row)

    async def after(self, game_id: str, count: int) -> list[Game]:
        """Up to `count` games whose ids come after `game_id`, in the order of ids."""
        async with self._database.connection() as connection:
            return [_game(row) for row in await connection.fetch(_sql("games_after"), game_id, count)]


def _sql(name: str) -> str:
    return sql("palio_game", name)


def _game(row: asyncpg.Record) -> Game:
    rules = Rules(
        Order(row["score_order"]), Keep(row["keep"]), row["score_min"], row["score_max"], row["score_unit"],
        row["counts_globally"],
    )  # fmt: skip
    return Game(row["game_id"], row["title"], row["description"], rules, row["created_at"])
