"""A platform of our own for the benchmark: started in a temporary directory, filled by SQL, stopped and removed."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import jwt
import redis

from bench.workloads import player_id
from palio_kit.ids import new_id
from palio_local.layout import Layout

_PALIO = Path(sys.executable).with_name("palio")
_START_TIMEOUT_S = 180
_TOKENS_VALID_S = 6 * 3600
_SQL_TIMEOUT_S = 600

_USERS = """
INSERT INTO users.accounts (user_id, username_key, username, email, password_hash)
SELECT (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
       sha256(convert_to('bench_' || n, 'UTF8')), 'bench_' || n, 'bench_' || n || '@players.example', '-'
FROM generate_series($1::int, $2::int - 1) AS n
ON CONFLICT DO NOTHING
"""
_GAME = """
INSERT INTO game.games
    (game_id, title, description, score_order, keep, score_min, score_max, score_unit, counts_globally)
VALUES ($1, $1, 'for the benchmark', 'desc', 'best', 0, 10000000, 'points', false)
"""
_STANDINGS = """
INSERT INTO score.standings (board, user_id, score, total, reached_at, version, submissions)
SELECT 'game:' || $1::text, (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
       score, score, now() - make_interval(secs => (n * 13) % 100000), 1, 1
FROM (SELECT n, 1000000 + (n::bigint * 7919) % 8000000 AS score FROM generate_series(0, $2::int - 1) AS n) AS played
"""
_TRUE_RANK = """
SELECT 1 + count(*) FROM score.standings AS other, score.standings AS own
WHERE own.board = $1 AND own.user_id = $2 AND other.board = $1
  AND (other.score > own.score
    OR (other.score = own.score AND (other.reached_at, other.user_id) < (own.reached_at, own.user_id)))
"""


@dataclass
class Stack:
    """A running platform."""

    data_dir: Path
    status: dict[str, Any]

    @property
    def gateway_port(self) -> int:
        """The gateway's."""
        port: int | None = urlsplit(self.status["urls"]["gateway"]).port
        assert port is not None
        return port

    @property
    def owner_dsn(self) -> str:
        """The database, as its owner."""
        dsn: str = self.status["postgres"]["dsn"]
        return dsn

    @property
    def roots(self) -> dict[str, int]:
        """The server processes: name → pid, children belong to them."""
        services = {name: service["pid"] for name, service in self.status["services"].items()}
        return services | {"postgres": self.status["postgres"]["pid"], "redis": self.status["redis"]["pid"]}

    def redis(self) -> "redis.Redis":
        """A client."""
        return redis.Redis.from_url(self.status["redis"]["url"], socket_timeout=60)

    def execute(self, statement: str, *arguments: object) -> str:
        """Run SQL as the owner."""
        return asyncio.run(self._sql("execute", statement, *arguments))  # type: ignore[return-value]

    def value(self, statement: str, *arguments: object) -> Any:
        """One value of SQL, as the owner."""
        return asyncio.run(self._sql("fetchval", statement, *arguments))

    async def _sql(self, how: str, statement: str, *arguments: object) -> object:
        connection = await asyncpg.connect(self.owner_dsn, timeout=10)
        try:
            await connection.execute("SET synchronous_commit = off; SET work_mem = '256MB'")
            return await getattr(connection, how)(statement, *arguments, timeout=_SQL_TIMEOUT_S)
        finally:
            await connection.close()

    def settle(self) -> None:
        """Give every measured run the same start: nothing left to write back from the one before."""
        self.execute("CHECKPOINT")

    def add_players(self, first: int, last: int) -> None:
        """Accounts `first` to `last - 1`, which nobody can log in to."""
        self.execute(_USERS, first, last)

    def add_board(self, game_id: str, players: int) -> None:
        """A game in which players 0, 1, 2... have a standing, in SQL only."""
        self.execute(_GAME, game_id)
        self.execute(_STANDINGS, game_id, players)
        self.execute("VACUUM ANALYZE score.standings")

    def true_rank(self, board: str, player: int) -> int:
        """A player's rank by SQL."""
        rank: int = self.value(_TRUE_RANK, board, player_id(player))
        return rank

    def mint_tokens(self, players: int) -> Path:
        """Access tokens signed with the stack's own key: registering thousands would measure argon2."""
        key = json.loads((Layout(self.data_dir).secrets / "signing-keys.json").read_text())["keys"][0]
        signer = jwt.PyJWK(key)
        server = str(new_id())
        tokens = {
            "players": [_token(signer, player_id(n), f"bench_{n}", ["player"]) for n in range(players)],
            "server": _token(signer, server, "bench-server", ["player", "server"]),
        }
        path = self.data_dir / "bench-tokens.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(tokens))
        return path

    def versions(self) -> dict[str, str]:
        """Of the two stores."""
        with self.redis() as client:
            info: dict[str, Any] = client.info("server")
        return {"postgresql": self.value("SHOW server_version"), "valkey": str(info.get("valkey_version", "?"))}


def _token(signer: jwt.PyJWK, user_id: str, username: str, roles: list[str]) -> str:
    now = int(time.time())
    claims = {
        "iss": "palio", "aud": "palio-players", "sub": user_id, "iat": now, "exp": now + _TOKENS_VALID_S,
        "jti": str(new_id()), "username": username, "roles": roles,
    }  # fmt: skip
    return jwt.encode(claims, signer, algorithm="EdDSA", headers={"kid": signer.key_id, "typ": "at+jwt"})


@contextmanager
def running() -> Iterator[Stack]:
    """Start a stack with limits off, and leave nothing of it behind."""
    data_dir = Path(tempfile.mkdtemp(prefix="palio-bench-"))
    where = ["--data-dir", str(data_dir)]
    try:
        start = [str(_PALIO), "demo", "--detach", "--limits", "off", *where]
        subprocess.run(start, check=True, timeout=_START_TIMEOUT_S, stdout=subprocess.DEVNULL)
        status = subprocess.run([str(_PALIO), "status", "--json", *where], check=True, timeout=60, capture_output=True)
        yield Stack(data_dir, json.loads(status.stdout))
    finally:
        subprocess.run([str(_PALIO), "stop", *where], check=False, timeout=120, stdout=subprocess.DEVNULL)
        Layout(data_dir).wipe()
        shutil.rmtree(data_dir, ignore_errors=True)
