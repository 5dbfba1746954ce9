"""All SQL of the user service. The accounts' own tables, and three views that other services publish.

What must not happen between two statements is held by a row lock: the attempt's row, the account's, the session's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from palio_kit.logs import logger
from palio_kit.postgres import Connection, Database, sql
from palio_user import domain
from palio_user.domain import Prize, RefreshState, Standing, Tournaments, Verdict
from palio_user.errors import EmailTaken, TooManyAttempts, UsernameTaken, UserNotFound

log = logger(__name__)

_GAMES_MAX = 200
_RETRY_MAX_S = 900
_NOT_PUBLISHED = (
    asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.UndefinedColumnError,
    asyncpg.InsufficientPrivilegeError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account about to be made."""

    user_id: UUID
    username: str
    email: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class Account:
    """A living account; `roles` are those granted beyond `player`."""

    user_id: UUID
    username: str
    email: str
    password_hash: str
    roles: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PublicProfile:
    """What everybody may know."""

    user_id: UUID
    username: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NextToken:
    """The hash of the refresh token that shall continue a session."""

    token_hash: bytes


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of a presented refresh token; the account is there only after `Verdict.ROTATE`."""

    verdict: Verdict
    account: Account | None = None


class Store:
    """Accounts, sessions and attempts in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # accounts

    async def add(self, connection: Connection, account: NewAccount) -> datetime:
        """Make an account within the caller's transaction; answers when.

        Raises:
            UsernameTaken, EmailTaken: as their names say; the transaction is lost.
        """
        key = domain.username_key(account.username)
        try:
            created_at: datetime = await connection.fetchval(
                _sql("add_account"), account.user_id, key, account.username, account.email, account.password_hash
            )
        except asyncpg.UniqueViolationError as error:
            raise _taken(error) from error
        return created_at

    async def by_name(self, username: str) -> Account | None:
        """The living account of that name."""
        async with self._database.connection() as connection:
            return _account(await connection.fetchrow(_sql("account_by_name"), domain.username_key(username)))

    async def by_id(self, user_id: UUID) -> Account:
        """The living account of that id.

        Raises:
            UserNotFound: there is none.
        """
        account = await self.find(user_id)
        if account is None:
            raise UserNotFound
        return account

    async def find(self, user_id: UUID) -> Account | None:
        """The living account of that id, if there is one."""
        async with self._database.connection() as connection:
            return _account(await connection.fetchrow(_sql("account_by_id"), user_id))

    async def profile(self, user_id: UUID) -> PublicProfile:
        """What everybody may know of an account, living or erased.

        Raises:
            UserNotFound: there never was one.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_sql("profile"), user_id)
        if row is None:
            raise UserNotFound
        return PublicProfile(row["user_id"], row["username"], row["created_at"])

    async def replace_hash(self, account: Account, password_hash: str) -> None:
        """Keep the same password under a newer hash."""
        async with self._database.transaction() as connection:
            await connection.execute(_sql("replace_hash"), account.user_id, account.password_hash, password_hash)

    async def change(self, account: Account, *, email: str | None, password_hash: str | None) -> Account | None:
        """Change what is not None and, with a new password, sign the user out everywhere.

        Answers None if the password was changed since `account` was read.

        Raises:
            EmailTaken: the address belongs to another account.
        """
        async with self._database.transaction() as connection:
            try:
                row = await connection.fetchrow(
                    _sql("change_account"), account.user_id, account.password_hash, email, password_hash
                )
            except asyncpg.UniqueViolationError as error:
                raise _taken(error) from error
            if row is not None and password_hash is not None:
                await connection.execute(_sql("end_sessions"), account.user_id)
            return _account(row)

    async def erase(self, account: Account, kept_registration: bytes) -> None:
        """Forget everything about an account but its id; the name stays taken. Erasing twice changes nothing.

        Args:
            kept_registration: what was answered when the account was made, and kept for a retry.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_sql("erase_account"), account.user_id)
            await connection.execute(_sql("forget_sessions"), account.user_id)
            await connection.execute(_sql("forget_attempts"), domain.username_key(account.username))
            await connection.execute(_sql("forget_registration"), kept_registration)

    async def set_roles(self, user_id: UUID, roles: Sequence[str]) -> None:
        """Replace the granted roles.

        Raises:
            UserNotFound: there is no living account of that id.
        """
        async with self._database.transaction() as connection:
            if await connection.fetchval(_sql("set_roles"), user_id, roles) is None:
                raise UserNotFound

    async def grant(self, username: str, role: str) -> UUID:
        """Add one role; answers whose.

        Raises:
            UserNotFound: there is no living account of that name.
        """
        async with self._database.transaction() as connection:
            user_id: UUID | None = await connection.fetchval(_sql("grant_role"), domain.username_key(username), role)
        if user_id is None:
            raise UserNotFound
        return user_id

    async def enter_virtual(self, accounts: Sequence[NewAccount]) -> list[Account]:
        """Make accounts without a password where there are none of these names; all of them, in order.

        Raises:
            UsernameTaken: one of the names (or addresses) is somebody's, or was.
        """
        keys = [domain.username_key(account.username) for account in accounts]
        columns = [
            [account.user_id for account in accounts], keys,
            [account.username for account in accounts], [account.email for account in accounts],
        ]  # fmt: skip
        async with self._database.transaction() as connection:
            await connection.execute(_sql("add_virtual_accounts"), *columns, domain.NO_PASSWORD)
            rows = await connection.fetch(_sql("virtual_accounts"), keys, domain.NO_PASSWORD)
        found = {account.username: account for account in map(_account, rows) if account}
        if len(found) < len(accounts):
            raise UsernameTaken
        return [found[account.username] for account in accounts]

    # sign-in attempts

    async def claim_attempt(self, username: str) -> None:
        """Count a password check before it runs, whether or not the name exists.

        Raises:
            TooManyAttempts: this name must wait.
        """
        key = domain.username_key(username)
        async with self._database.transaction() as connection:
            if await connection.fetchval(_sql("claim_attempt"), key, domain.delays_s()) is not None:
                return
            wait_s = await connection.fetchval(_sql("wait_for_attempt"), key)
        raise TooManyAttempts(retry_after_s=max(1, min(math.ceil(wait_s or 0), _RETRY_MAX_S)))

    async def return_attempt(self, username: str) -> None:
        """Take back an attempt whose password was never looked at."""
        async with self._database.transaction() as connection:
            await connection.execute(_sql("return_attempt"), domain.username_key(username))

    async def forget_attempts(self, username: str) -> None:
        """Start counting at nothing again: the password was right."""
        async with self._database.transaction() as connection:
            await connection.execute(_sql("forget_attempts"), domain.username_key(username))

    # sessions

    async def open_session(self, account: Account, session_id: UUID, token: NextToken) -> bool:
        """Begin a session and forget the failed attempts before it.

        Answers False if the password was changed or the account erased since `account` was read.
        """
        async with self._database.transaction() as connection:
            held = await connection.fetchval(_sql("lock_account"), account.user_id, account.password_hash)
            if held is None:
                return False
            await connection.execute(_sql("open_session"), session_id, account.user_id, domain.REFRESH_VALID)
            await connection.execute(_sql("add_token"), token.token_hash, session_id, domain.REFRESH_VALID)
            await connection.execute(_sql("forget_attempts"), domain.username_key(account.username))
            return True

    async def rotate(self, presented_hash: bytes, following: NextToken) -> Rotation:
        """Judge a presented refresh token and carry out the verdict: continue its session, end it, or nothing."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_sql("lock_token"), presented_hash)
            verdict = domain.judge(RefreshState(row["used"], row["expired"], row["ended"]) if row else None)
            if row is None or verdict is Verdict.REFUSED:
                return Rotation(verdict)
            if verdict is Verdict.REUSED:
                await connection.execute(_sql("end_session"), row["session_id"])
                return Rotation(verdict)
            await connection.execute(_sql("use_token"), presented_hash)
            await connection.execute(_sql("add_token"), following.token_hash, row["session_id"], domain.REFRESH_VALID)
            await connection.execute(_sql("extend_session"), row["session_id"], domain.REFRESH_VALID)
            account = _account(await connection.fetchrow(_sql("account_by_id"), row["user_id"]))
            return Rotation(verdict if account else Verdict.REFUSED, account)

    async def end_session_of(self, token_hash: bytes) -> None:
        """End the session that a refresh token belongs to, if any."""
        async with self._database.transaction() as connection:
            await connection.execute(_sql("end_session_of_token"), token_hash)

    async def sweep(self) -> float:
        """Forget sessions, tokens and attempts that no longer decide anything (a step of `tasks.running`)."""
        async with self._database.transaction() as connection:
            for name in ("sweep_sessions", "sweep_tokens", "sweep_attempts"):
                await connection.execute(_sql(name))
        return 600.0

    # other services' views; before their first migration they are simply empty

    async def standings(self, user_id: UUID) -> list[Standing]:
        """A player's standings, the global one first, at most 200 of them."""
        rows = await self._published("standings", user_id, _GAMES_MAX)
        return [Standing(row["board"], row["score"], row["reached_at"], row["submissions"]) for row in rows]

    async def tournaments(self, user_id: UUID) -> Tournaments:
        """What a player did in tournaments."""
        joined = await self._published("tournaments_joined", user_id)
        prizes = await self._published("prizes", user_id)
        return Tournaments(
            joined=joined[0]["count"] if joined else 0,
            won=prizes[0]["won"] if prizes else 0,
            prizes=tuple(Prize(row["currency"], int(row["amount"])) for row in prizes),
        )

    async def _published(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        try:
            async with self._database.connection() as connection:
                return await connection.fetch(_sql(name), *arguments)
        except _NOT_PUBLISHED as error:
            log.info("view_not_published", statement=name, error=type(error).__name__)
            return []


def _sql(name: str) -> str:
    return sql("palio_user", name)


def _account(row: asyncpg.Record | None) -> Account | None:
    if row is None:
        return None
    return Account(
        row["user_id"], row["username"], row["email"], row["password_hash"], tuple(row["roles"]), row["created_at"]
    )


def _taken(error: asyncpg.UniqueViolationError) -> UsernameTaken | EmailTaken:
    return EmailTaken() if error.constraint_name == "accounts_email_unique" else UsernameTaken()
