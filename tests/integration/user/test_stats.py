"""Statistics from the views that other services publish, with and without the leaderboard."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
from typing_extensions import override

from palio_kit.ids import new_id
from palio_user.app import create_app
from palio_user.settings import Settings

Member = Callable[..., Awaitable[Any]]

VIEWS = """
DROP SCHEMA IF EXISTS score CASCADE;
DROP SCHEMA IF EXISTS tournament CASCADE;
CREATE SCHEMA score;
CREATE SCHEMA tournament;
CREATE TABLE score.standings_v1 (
    board text, user_id uuid, score bigint, reached_at timestamptz, version bigint, submissions bigint
);
CREATE TABLE tournament.entries_v1 (tournament_id uuid, user_id uuid, joined_at timestamptz);
CREATE TABLE tournament.prizes_v1 (user_id uuid, tournament_id uuid, rank integer, amount bigint, currency text);
GRANT USAGE ON SCHEMA score, tournament TO palio_user;
GRANT SELECT ON score.standings_v1, tournament.entries_v1, tournament.prizes_v1 TO palio_user;
"""
NOTHING = {"submissions": 0, "games": [], "global": None, "tournaments": {"joined": 0, "won": 0, "prizes": []}}


class Ranks(BaseHTTPRequestHandler):
    """The leaderboard's internal call: every board but one has the player on rank 7."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/internal/v1/ranks"
        assert self.headers["palio-service-token"]
        ranks = {board: {"score": 1, "rank": 7} for board in asked["boards"] if board != "game:unknown"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"ranks": {"game:unknown": None} | ranks}).encode())

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
async def leaderboard(client_of: Any, make_settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """The user service beside a leaderboard that answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Ranks) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            async with client_of(create_app, make_settings(Settings, leaderboard_url=url)) as client:
                yield client
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
async def played(owner: asyncpg.Connection, member: Member) -> Any:
    """Somebody with standings, entries and prizes."""
    await owner.execute(VIEWS)
    ada = await member()
    user_id, first, second = UUID(ada.id), new_id(), new_id()
    standings = [
        ("global", 60, 3), ("game:space-race", 50, 2), ("game:unknown", 10, 1), (f"tournament:{first}", 50, 2),
    ]  # fmt: skip
    await owner.executemany(
        "INSERT INTO score.standings_v1 VALUES ($1, $2, $3, '2030-01-01T00:00:00Z', 1, $4)",
        [(board, user_id, score, submissions) for board, score, submissions in standings],
    )
    await owner.executemany(
        "INSERT INTO tournament.entries_v1 VALUES ($1, $2, now())", [(first, user_id), (second, user_id)]
    )
    await owner.executemany(
        "INSERT INTO tournament.prizes_v1 VALUES ($1, $2, $3, $4, $5)",
        [
            (user_id, first, 1, 500, "coins"),
            (user_id, first, 1, 3, "gems"),
            (user_id, second, 2, 300, "coins"),
            (new_id(), second, 1, 900, "coins"),
        ],
    )
    return ada


def expected(ada: Any, rank: int | None) -> dict[str, Any]:
    reached_at = "2030-01-01T00:00:00.000000Z"
    return {
        "user_id": ada.id,
        "username": ada.username,
        "submissions": 3,
        "games": [
            {"game_id": "space-race", "score": 50, "rank": rank, "submissions": 2, "reached_at": reached_at},
            {"game_id": "unknown", "score": 10, "rank": None, "submissions": 1, "reached_at": reached_at},
        ],
        "global": {"score": 60, "rank": rank},
        "tournaments": {
            "joined": 2,
            "won": 1,
            "prizes": [{"currency": "coins", "amount": 800}, {"currency": "gems", "amount": 3}],
        },
    }


async def test_statistics_are_put_together_from_what_others_publish(
    leaderboard: httpx2.AsyncClient, played: Any
) -> None:
    answer = await leaderboard.get(f"/api/v1/users/{played.id}/stats")
    assert answer.status_code == 200
    assert answer.json() == expected(played, 7)


async def test_without_the_leaderboard_ranks_are_null(client_of: Any, make_settings: Any, played: Any) -> None:
    async with client_of(create_app, make_settings(Settings, leaderboard_url="http://127.0.0.1:1")) as users:
        answer = await users.get(f"/api/v1/users/{played.id}/stats")
    assert answer.status_code == 200
    assert answer.json() == expected(played, None)


async def test_who_never_played_has_empty_statistics(
    users: httpx2.AsyncClient, member: Member, owner: asyncpg.Connection
) -> None:
    await owner.execute(VIEWS)
    ada = await member()
    answer = await users.get(f"/api/v1/users/{ada.id}/stats")
    assert answer.json() == {"user_id": ada.id, "username": ada.username, **NOTHING}


async def test_before_the_other_services_are_migrated_statistics_are_empty(
    users: httpx2.AsyncClient, member: Member, owner: asyncpg.Connection
) -> None:
    await owner.execute(VIEWS + "DROP SCHEMA score CASCADE; DROP SCHEMA tournament CASCADE")
    ada = await member()
    answer = await users.get(f"/api/v1/users/{ada.id}/stats")
    assert answer.json() == {"user_id": ada.id, "username": ada.username, **NOTHING}


async def test_an_erased_player_keeps_the_statistics_without_the_name(
    leaderboard: httpx2.AsyncClient, played: Any, users: httpx2.AsyncClient
) -> None:
    await users.delete("/api/v1/users/me", headers=played.bearer)
    answer = await leaderboard.get(f"/api/v1/users/{played.id}/stats")
    assert answer.json() == expected(played, 7) | {"username": "Deleted player"}
