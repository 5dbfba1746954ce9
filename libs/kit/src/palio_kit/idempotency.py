"""Idempotency keys: the key, the effect and the answer are one transaction, so a retry finds all of it or nothing.

The key's row is inserted first. A twin running at the same time waits on its unique index for at most
`lock_timeout`, then gets 409; a crash rolls the row back, so no stale lock can exist. Needs the table of
`TABLE` in the service's schema.
Source: draft-ietf-httpapi-idempotency-key-header, with 409 for a reused key (docs/adr/0004).
"""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import asyncpg
from fastapi import Depends, Request, Response

from palio_kit.postgres import Connection, Database
from palio_kit.problems import BadRequest, Conflict
from palio_kit.wire import IDEMPOTENCY_KEY

TABLE = """
CREATE TABLE {schema}.idempotency_keys (
    caller      text        NOT NULL,
    route       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    status      smallint    NOT NULL,
    body        bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, route, key)
);
CREATE INDEX idempotency_keys_by_age ON {schema}.idempotency_keys (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.idempotency_keys TO {role};
"""
"""What a migration of the service must create (documented here, written out there)."""

KEEP_HOURS = 72
REPLAYED = "Idempotency-Replayed"
_SCHEMA = re.compile(r"^[a-z]+$")

_CLAIM = """
INSERT INTO {table} (caller, route, key, fingerprint, status, body) VALUES ($1, $2, $3, $4, 0, '')
ON CONFLICT DO NOTHING
"""
_FIND = "SELECT fingerprint, status, body FROM {table} WHERE caller = $1 AND route = $2 AND key = $3"
_KEEP = "UPDATE {table} SET status = $4, body = $5 WHERE caller = $1 AND route = $2 AND key = $3"
_SWEEP = "DELETE FROM {table} WHERE created_at < now() - make_interval(hours => $1)"


class BadKey(BadRequest):
    """An Idempotency-Key has 16 to 64 characters from A-Z a-z 0-9 - and _."""

    code, title = "bad_idempotency_key", "The Idempotency-Key is malformed"


class KeyReused(Conflict):
    """This key was used before with another body."""

    code, title = "idempotency_key_reused", "The Idempotency-Key was used for another request"


class KeyInFlight(Conflict):
    """A request with this key is still running."""

    code, title = "idempotency_key_in_flight", "A request with this key is still running"

    def __init__(self) -> None:
        super().__init__(retry_after_s=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer that can be stored: status and exact body."""

    status: int
    body: bytes
    replayed: bool = False

    def response(self) -> Response:
        """The answer as a response."""
        headers = {REPLAYED: "true"} if self.replayed else {}
        return Response(self.body, self.status, headers, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Keyed:
    """The key of one request and the fingerprint of its body; `key` is None when the client sent none."""

    route: str
    key: str | None
    fingerprint: bytes


def check_key(value: str) -> str:
    """The key if it is well-formed.

    Raises:
        BadKey: it is not.
    """
    if not IDEMPOTENCY_KEY.match(value):
        raise BadKey
    return value


def fingerprint(body: bytes, secret: bytes = b"") -> bytes:
    """What tells two bodies apart; a secret keeps a password in the body from being guessed from it."""
    return hmac.new(secret, body, hashlib.sha256).digest()


async def _keyed(request: Request) -> Keyed:
    values = request.headers.getlist("idempotency-key")
    if len(values) > 1:
        raise BadKey
    key = check_key(values[0]) if values else None
    secret: bytes = getattr(request.app.state, "fingerprint_secret", b"")
    route: str = request.scope["route"].path
    return Keyed(f"{request.method} {route}", key, fingerprint(await request.body(), secret))


IdempotencyKey = Annotated[Keyed, Depends(_keyed)]
"""A route's key."""


class Idempotency:
    """Runs effects at most once per (caller, route, key)."""

    def __init__(self, database: Database, schema: str) -> None:
        if not _SCHEMA.match(schema):
            raise ValueError(schema)
        self._database = database
        table = f"{schema}.idempotency_keys"
        self._claim = _CLAIM.format(table=table)
        self._find = _FIND.format(table=table)
        self._keep = _KEEP.format(table=table)
        self._sweep = _SWEEP.format(table=table)

    async def run(self, caller: str, keyed: Keyed, effect: Callable[[Connection], Awaitable[Outcome]]) -> Outcome:
        """Run `effect` in a transaction and keep its outcome, or replay the kept one.

        Raises:
            KeyReused, KeyInFlight: as their names say.
            Problem: whatever `effect` raises; then nothing is kept.
        """
        async with self._database.transaction() as connection:
            if keyed.key is None:
                return await effect(connection)
            kept = await self._claim_or_find(connection, caller, keyed)
            if kept is not None:
                return kept
            outcome = await effect(connection)
            await connection.execute(self._keep, caller, keyed.route, keyed.key, outcome.status, outcome.body)
            return outcome

    async def sweep(self) -> float:
        """Forget keys older than 72 hours (a step of `tasks.running`)."""
        async with self._database.transaction() as connection:
            await connection.execute(self._sweep, KEEP_HOURS)
        return 600.0

    async def _claim_or_find(self, connection: Connection, caller: str, keyed: Keyed) -> Outcome | None:
        try:
            claimed = await connection.execute(self._claim, caller, keyed.route, keyed.key, keyed.fingerprint)
        except asyncpg.LockNotAvailableError as error:
            raise KeyInFlight from error
        if claimed.endswith(" 1"):
            return None
        row = await connection.fetchrow(self._find, caller, keyed.route, keyed.key)
        if row is None:  # swept in between
            raise KeyInFlight
        if row["fingerprint"] != keyed.fingerprint:
            raise KeyReused
        return Outcome(row["status"], row["body"], replayed=True)
