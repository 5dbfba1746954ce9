"""What the database itself refuses to the service's own role: the rules do not depend on our code being right."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from integration.tournament.world import World
from palio_kit.ids import new_id


@pytest.fixture
async def service_role(dsn_of: Callable[[str], str]) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(dsn_of("tournament"))
    yield connection
    await connection.close()


@pytest.fixture
async def settled(world: World, settler: Any) -> dict[str, Any]:
    tournament: dict[str, Any] = await world.create()
    people = await world.joined(tournament, 2)
    await world.score(tournament, [(people[0], 2), (people[1], 1)])
    await world.over(tournament)
    await settler.settle(UUID(tournament["id"]))
    return tournament


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tournament.ledger_entries SET amount = amount + 1",
        "DELETE FROM tournament.ledger_entries",
        "TRUNCATE tournament.ledger_entries",
        "UPDATE tournament.transfers SET user_id = NULL",
        "DELETE FROM tournament.transfers",
        "UPDATE tournament.final_standings SET rank = 1",
        "DELETE FROM tournament.final_standings",
        "UPDATE tournament.prizes SET amount = 1",
        "DELETE FROM tournament.prizes",
        "UPDATE tournament.tournaments SET ends_at = now()",
        "UPDATE tournament.tournaments SET prize_pool = 0",
        "DELETE FROM tournament.tournaments",
        "UPDATE tournament.entries SET joined_at = now()",
        "DELETE FROM score.standings",
        "SELECT password_hash FROM users.accounts",
    ],
)
async def test_the_service_may_not(settled: Any, service_role: Any, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError) as caught:
        await service_role.execute(statement)
    assert caught.value.sqlstate == "42501"


async def transfer(
    connection: Any, tournament: dict[str, Any], sides: list[tuple[str, str, int]], **fields: Any
) -> None:
    """Write a transfer with these sides, as the service's role could."""
    made = {"kind": "funding", "prize_key": None, "user_id": None, "reverses": None} | fields
    async with connection.transaction():
        transfer_id = new_id()
        await connection.execute(
            "INSERT INTO tournament.transfers (id, tournament_id, kind, prize_key, user_id, reverses, made_by) "
            "VALUES ($1, $2, $3, $4, $5, $6, 'a test')",
            transfer_id, UUID(tournament["id"]), *made.values(),
        )  # fmt: skip
        for side in sides:
            await connection.execute(
                "INSERT INTO tournament.ledger_entries (transfer_id, account, currency, amount) "
                "VALUES ($1, $2, $3, $4)",
                transfer_id, *side,
            )  # fmt: skip


async def test_a_transfer_that_does_not_balance_is_refused_at_commit(world: World, service_role: Any) -> None:
    tournament = await world.create()
    pool = f"pool:{tournament['id']}"
    for sides in (
        [("house", "coins", -10), (pool, "coins", 9)],
        [("house", "coins", -10)],
        [("house", "coins", -10), (pool, "gems", 10)],
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="not balanced"):
            await transfer(service_role, tournament, sides)
    with pytest.raises(asyncpg.CheckViolationError, match="moves nothing"):
        await transfer(service_role, tournament, [])
    await transfer(service_role, tournament, [("house", "coins", -10), (pool, "coins", 10)])


async def test_a_pool_is_funded_once_and_an_award_paid_once(settled: Any, service_role: Any) -> None:
    pool = f"pool:{settled['id']}"
    with pytest.raises(asyncpg.UniqueViolationError):
        await transfer(service_role, settled, [("house", "coins", -10), (pool, "coins", 10)])
    award = await service_role.fetchrow(
        "SELECT prize_key, user_id FROM tournament.transfers WHERE kind = 'award' AND tournament_id = $1",
        UUID(settled["id"]),
    )
    sides = [(pool, "coins", -10), (f"player:{award['user_id']}", "coins", 10)]
    with pytest.raises(asyncpg.UniqueViolationError):
        await transfer(service_role, settled, sides, kind="award", **dict(award))


async def test_an_award_is_reversed_once(settled: Any, service_role: Any) -> None:
    award = await service_role.fetchrow(
        "SELECT prize_key, user_id, id AS reverses FROM tournament.transfers "
        "WHERE kind = 'award' AND tournament_id = $1",
        UUID(settled["id"]),
    )
    sides = [("house", "coins", -10), (f"pool:{settled['id']}", "coins", 10)]
    await transfer(service_role, settled, sides, kind="reversal", **dict(award))
    with pytest.raises(asyncpg.UniqueViolationError):
        await transfer(service_role, settled, sides, kind="reversal", **dict(award))


@pytest.mark.parametrize("state", ["open", "cancelled", "failed"])
async def test_a_completed_tournament_stays_completed(settled: Any, service_role: Any, state: str) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await service_role.execute(
            "UPDATE tournament.tournaments SET state = $2, settled_at = NULL, standings_digest = NULL WHERE id = $1",
            UUID(settled["id"]), state,
        )  # fmt: skip


async def test_places_cannot_be_oversold(world: World, service_role: Any) -> None:
    tournament = await world.create(max_participants=2)
    with pytest.raises(asyncpg.CheckViolationError):
        await service_role.execute(
            "UPDATE tournament.tournaments SET participants = 3 WHERE id = $1", UUID(tournament["id"])
        )


async def test_published_views_have_their_documented_columns_and_readers(
    owner: Any, dsn_of: Callable[[str], str]
) -> None:
    views = {
        "open_windows_v1": ("score", "tournament_id game_id starts_at ends_at keep score_order ties"),
        "boards_v1": ("score leaderboard", "tournament_id game_id keep score_order ties"),
        "entries_v1": ("score user", "tournament_id user_id joined_at"),
        "prizes_v1": ("user", "user_id tournament_id rank amount currency"),
    }
    for view, (readers, columns) in views.items():
        for reader in readers.split():
            connection = await asyncpg.connect(dsn_of(reader))
            statement = await connection.prepare(f"SELECT * FROM tournament.{view}")
            assert [column.name for column in statement.get_attributes()] == columns.split()
            await statement.fetch()
            await connection.close()
