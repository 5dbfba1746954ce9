"""The tournament service, its players, and an owner who can move a tournament through time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx2

from palio_kit.testing.issuer import Issuer

_numbers = count(1)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    id: UUID
    username: str
    bearer: dict[str, str]


@dataclass
class World:
    """The service, its database as the owner sees it, and what tests do with them again and again."""

    client: httpx2.AsyncClient
    owner: Any
    issuer: Issuer

    async def person(self, *roles: str) -> Person:
        """Somebody with an account."""
        user_id, username = uuid4(), f"Player.{next(_numbers)}"  # random: ids must not agree with who came first
        await self.owner.execute(
            "INSERT INTO users.accounts (user_id, username_key, username, email, password_hash) "
            "VALUES ($1, sha256($2::text::bytea), $2, $2 || '@example.test', 'x')",
            user_id, username,
        )  # fmt: skip
        token = self.issuer.access_token(user_id, username, roles=("player", *roles))
        return Person(user_id, username, {"authorization": f"Bearer {token}"})

    async def create(self, by: Person | None = None, **changes: Any) -> dict[str, Any]:
        """A tournament that runs now."""
        answer = await self.ask_to_create(by or await self.person("organiser"), **changes)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def ask_to_create(
        self, by: Person, *, headers: dict[str, str] | None = None, **changes: Any
    ) -> httpx2.Response:
        body = tournament_body(**changes)
        return await self.client.post("/api/v1/tournaments", json=body, headers=by.bearer | (headers or {}))

    async def join(self, tournament: dict[str, Any], person: Person, **headers: str) -> httpx2.Response:
        body = {"tournament_id": tournament["id"], "user_id": str(person.id)}
        return await self.client.post("/api/v1/tournaments/register", json=body, headers=person.bearer | headers)

    async def joined(self, tournament: dict[str, Any], players: int) -> list[Person]:
        """People who have just joined."""
        people = [await self.person() for _ in range(players)]
        for person in people:
            assert (await self.join(tournament, person)).status_code == 201
        return people

    async def score(self, tournament: dict[str, Any], scores: Iterable[tuple[Person, int]]) -> None:
        """Standings as the score service would write them: each reached a second after the one before."""
        for seconds, (person, score) in enumerate(scores):
            await self.owner.execute(
                "INSERT INTO score.standings (board, user_id, score, total, reached_at, version, submissions) "
                "VALUES ('tournament:' || $1::text, $2, $3, $3, $4, 1, 1)",
                tournament["id"], person.id, score, NOON + timedelta(seconds=seconds),
            )  # fmt: skip

    async def move(self, tournament: dict[str, Any], *, starts_s: float, ends_s: float, delay_s: float = 0) -> None:
        """Put the window at seconds from the database's now."""
        await self.owner.execute(
            "UPDATE tournament.tournaments SET starts_at = clock_timestamp() + make_interval(secs => $2), "
            "ends_at = clock_timestamp() + make_interval(secs => $3), "
            "settles_at = clock_timestamp() + make_interval(secs => $3 + $4) WHERE id = $1",
            UUID(tournament["id"]), starts_s, ends_s, delay_s,
        )  # fmt: skip

    async def over(self, tournament: dict[str, Any]) -> None:
        """Put the window into the past, its settlement delay too."""
        await self.move(tournament, starts_s=-20, ends_s=-10)

    async def season(self, tournaments: int, players: int, *, ends_s: float) -> None:
        """Many tournaments that end at one instant, each fully played by the same players."""
        await self.owner.execute(SEASON.format(tournaments=tournaments, players=players, ends_s=ends_s), timeout=120)

    async def unsettled(self) -> int:
        """How many tournaments are still open."""
        count = "SELECT count(*) FROM tournament.tournaments WHERE state = 'open'"
        return int(await self.owner.fetchval(count))

    async def check_season_is_paid(self, tournaments: int) -> None:
        """Every tournament of the season is digested and paid its whole pool; the ledger sums to zero."""
        assert (
            await self.owner.fetchval("SELECT count(*) FROM tournament.tournaments WHERE standings_digest IS NOT NULL")
            == tournaments
        )
        pools = await self.owner.fetch(
            "SELECT sum(amount) AS left FROM tournament.ledger_entries WHERE account ~ '^pool' GROUP BY account"
        )
        assert [pool["left"] for pool in pools] == [0] * tournaments
        paid = "SELECT sum(amount) FROM tournament.ledger_entries WHERE account ~ '^player'"
        assert await self.owner.fetchval(paid) == tournaments * 100
        assert await self.owner.fetchval("SELECT sum(amount) FROM tournament.ledger_entries") == 0

    async def get(self, path: str, by: Person | None = None, **parameters: Any) -> dict[str, Any]:
        answer = await self.client.get(f"/api/v1{path}", headers=by.bearer if by else {}, params=parameters)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def now(self, tournament: dict[str, Any]) -> dict[str, Any]:
        """The tournament as it is told now."""
        return await self.get(f"/tournaments/{tournament['id']}")

    async def ledger(self, tournament: dict[str, Any]) -> list[tuple[str, str, str | None, str, int]]:
        """Kind, user, prize, account and amount of everything that moved."""
        rows = await self.owner.fetch(
            "SELECT kind, user_id, prize_key, account, amount FROM tournament.transfers "
            "JOIN tournament.ledger_entries ON transfer_id = id WHERE tournament_id = $1 ORDER BY id, amount",
            UUID(tournament["id"]),
        )
        return [tuple(row) for row in rows]

    async def paid(self, tournament: dict[str, Any]) -> dict[UUID, int]:
        """What each player holds of a tournament."""
        held: dict[UUID, int] = {}
        for _, user_id, _, account, amount in await self.ledger(tournament):
            if account.startswith("player:"):
                held[UUID(str(user_id))] = held.get(UUID(str(user_id)), 0) + amount
        return held


SEASON = """
DO $season$
DECLARE
    ends timestamptz := clock_timestamp() + make_interval(secs => {ends_s});
BEGIN
    INSERT INTO tournament.tournaments (id, name, game_id, format, keep, score_order, ties, starts_at, ends_at,
        settles_at, entry, max_participants, participants, prize_pool, currency, created_by)
    SELECT md5('season' || number)::uuid, 'Season ' || number, 'space-race', 'ScoreRace', 'best', 'desc',
        CASE number % 2 WHEN 0 THEN 'Shared' ELSE 'EarliestAchieved' END, ends - interval '1 hour', ends, ends,
        'UntilEnd', {players} + 2, {players}, 100, 'coins', md5('organiser')::uuid
    FROM generate_series(1, {tournaments}) AS number;
    INSERT INTO tournament.prizes (tournament_id, key, rank_first, rank_last, amount)
    SELECT id, 'rank-' || rank, rank, rank, (ARRAY[50, 30, 20])[rank]
    FROM tournament.tournaments CROSS JOIN generate_series(1, 3) AS rank WHERE name LIKE 'Season %';
    INSERT INTO tournament.entries (tournament_id, user_id)
    SELECT id, md5('player' || player)::uuid
    FROM tournament.tournaments CROSS JOIN generate_series(1, {players}) AS player WHERE name LIKE 'Season %';
    INSERT INTO score.standings (board, user_id, score, total, reached_at, version, submissions)
    SELECT 'tournament:' || tournament_id, user_id, score, score, '2026-01-01Z', 1, 1
    FROM (SELECT tournament_id, user_id, hashtext(user_id::text || tournament_id) % 50 AS score
          FROM tournament.entries JOIN tournament.tournaments ON id = tournament_id
          WHERE name LIKE 'Season %') AS played;
END
$season$
"""


def tournament_body(**changes: Any) -> dict[str, object]:
    now = datetime.now(UTC)
    body: dict[str, object] = {
        "name": "Friday Cup", "game_id": "space-race", "max_participants": 100, "prize_pool": 100,
        "start_time": (now - timedelta(minutes=1)).isoformat(), "end_time": (now + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    return {key: value for key, value in (body | changes).items() if value is not ...}
