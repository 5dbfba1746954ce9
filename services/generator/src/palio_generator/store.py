"""What was made so far, in schema `generator`: the only thing about demo data that outlives a restart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from palio_kit.postgres import Database, sql

_PACKAGE = "palio_generator"


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A registered demo user; the slot decides its skill."""

    slot: int
    username: str
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Piece:
    """A planned piece of work; `made_id` is what it made, if it is done and made one thing."""

    planned_at: datetime
    done: bool
    made_id: UUID | None


class Store:
    """The progress of one population."""

    def __init__(self, database: Database, population: str) -> None:
        self._database = database
        self.population = population

    async def begin(self, games: Sequence[str]) -> list[str]:
        """The games this population is planned with; `games` the first time, the same ones ever after."""
        async with self._database.transaction() as connection:
            noted: list[str] = await connection.fetchval(
                sql(_PACKAGE, "begin_population"), self.population, list(games)
            )
            return noted

    async def users(self) -> list[DemoUser]:
        """The demo users there are, by slot."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql(_PACKAGE, "players"), self.population)
        return [DemoUser(row["slot"], row["username"], row["user_id"]) for row in rows]

    async def add_user(self, user: DemoUser) -> None:
        """Note a demo user; twice is once."""
        async with self._database.transaction() as connection:
            await connection.execute(
                sql(_PACKAGE, "add_player"), self.population, user.slot, user.username, user.user_id
            )

    async def pieces_done(self) -> set[str]:
        """The names of the pieces that are done."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(sql(_PACKAGE, "pieces_done"), self.population)
        return {row["piece"] for row in rows}

    async def plan(self, piece: str) -> Piece:
        """When a piece was first planned (now, the first time)."""
        return await self._piece("plan_piece", piece)

    async def plan_anew(self, piece: str) -> Piece:
        """Plan an undone piece for now, because its first plan is out of date."""
        return await self._piece("plan_piece_anew", piece)

    async def finish(self, piece: str, made_id: UUID | None = None) -> None:
        """Note that a piece is done; twice is once."""
        async with self._database.transaction() as connection:
            await connection.execute(sql(_PACKAGE, "finish_piece"), self.population, piece, made_id)

    async def _piece(self, statement: str, piece: str) -> Piece:
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(sql(_PACKAGE, statement), self.population, piece)
        assert row is not None
        return Piece(row["planned_at"], row["done_at"] is not None, row["made_id"])
