"""What users can do with accounts and sessions. Decisions are the domain's; here they meet the store and the clock.

A password is checked only after its attempt was counted, so that guesses sent all at once still queue up.
"""

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from palio_kit.callers import Caller
from palio_kit.http import Peer
from palio_kit.idempotency import Idempotency, Keyed, Outcome
from palio_kit.ids import new_id
from palio_kit.logs import logger
from palio_kit.postgres import Connection
from palio_kit.problems import Problem, Unauthorized
from palio_user import domain
from palio_user.domain import GameStats, GlobalStats, Standing, Subject, Tournaments, Verdict
from palio_user.errors import (
    InvalidCredentials,
    InvalidRefreshToken,
    RefreshReused,
    UsernameTaken,
    WrongPassword,
)
from palio_user.models import Me, Profile, RegisterRequest, TokensAnswer, UserAnswer
from palio_user.passwords import HashingBusy, Passwords
from palio_user.signing import Signer
from palio_user.store import Account, NewAccount, NextToken, PublicProfile, Store

log = logger(__name__)

_ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Stats:
    """A player's statistics."""

    profile: PublicProfile
    games: list[GameStats]
    overall: GlobalStats | None
    tournaments: Tournaments


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """Makes access tokens of one issuer."""

    signer: Signer
    issuer: str
    audience: str
    is_demo: bool

    def of(self, account: Account) -> str:
        """A user's token, with the roles the account has now."""
        return self._signed(Subject(account.user_id, account.username), self.roles_of(account.roles))

    def of_generator(self) -> str:
        """The generator's token, as a game server."""
        return self._signed(domain.GENERATOR, [domain.SERVER])

    def roles_of(self, granted: Sequence[str]) -> list[str]:
        """The roles a token says for those granted."""
        return domain.effective_roles(granted, is_demo=self.is_demo)

    def _signed(self, subject: Subject, roles: Sequence[str]) -> str:
        claims = domain.access_claims(
            subject, roles, issuer=self.issuer, audience=self.audience, now_s=int(time.time()), token_id=new_id()
        )
        return self.signer.sign(claims)


@dataclass(frozen=True, slots=True)
class Accounts:
    """Registration, the own account, roles, statistics."""

    store: Store
    passwords: Passwords
    access: AccessTokens
    idempotency: Idempotency
    leaderboard: Peer

    async def register(self, wanted: RegisterRequest, keyed: Keyed) -> Outcome:
        """Make an account, once per key.

        Raises:
            UsernameTaken, EmailTaken, HashingBusy: as their names say.
        """
        if domain.is_reserved(wanted.username):
            raise UsernameTaken
        password_hash = await self.passwords.hash(wanted.password)  # before the transaction: it takes long
        account = NewAccount(new_id(), wanted.username, wanted.email, password_hash)

        async def make(connection: Connection) -> Outcome:
            created_at = await self.store.add(connection, account)
            return Outcome(201, _registration(account.user_id, account.username, created_at))

        return await self.idempotency.run(_ANONYMOUS, keyed, make)

    async def profile(self, user_id: UUID) -> PublicProfile:
        """What everybody may know of a user."""
        return await self.store.profile(user_id)

    async def me(self, caller: Caller) -> Me:
        """The caller's own account."""
        return self._me(await self.store.by_id(caller.user_id))

    async def change(self, caller: Caller, current_password: str, email: str | None, password: str | None) -> Me:
        """Change the caller's e-mail address, password or both; a new password ends all sessions.

        Raises:
            WrongPassword, TooManyAttempts, EmailTaken: as their names say.
        """
        account = await self.store.by_id(caller.user_id)
        if not await check_password(self.store, self.passwords, account.username, account, current_password):
            raise WrongPassword
        await self.store.forget_attempts(account.username)
        password_hash = None if password is None else await self.passwords.hash(password)
        changed = await self.store.change(account, email=email, password_hash=password_hash)
        if changed is None:
            raise WrongPassword
        return self._me(changed)

    async def erase(self, caller: Caller) -> None:
        """Erase the caller's account. What was won stays with the id; who that was is forgotten."""
        account = await self.store.find(caller.user_id)
        if account is not None:
            await self.store.erase(account, _registration(account.user_id, account.username, account.created_at))

    async def virtual_players(self, numbers: Sequence[int]) -> list[tuple[UUID, str]]:
        """The accounts of virtual players, made when first asked for, and an access token for each.

        Raises:
            UsernameTaken: a name of theirs is somebody else's.
        """
        names = [domain.virtual_username(number) for number in numbers]
        wanted = [NewAccount(new_id(), name, f"{name}@players.example", domain.NO_PASSWORD) for name in names]
        return [(account.user_id, self.access.of(account)) for account in await self.store.enter_virtual(wanted)]

    async def set_roles(self, caller: Caller, user_id: UUID, roles: Sequence[str]) -> list[str]:
        """Replace a user's granted roles; answers what the next token will say.

        Raises:
            Unauthorized: the caller's account is erased.
        """
        if await self.store.find(caller.user_id) is None:
            raise Unauthorized
        kept = domain.stored_roles(roles)
        await self.store.set_roles(user_id, kept)
        return self.access.roles_of(kept)

    async def stats(self, user_id: UUID) -> Stats:
        """A player's statistics; what other services cannot tell for now is null or empty."""
        profile = await self.store.profile(user_id)
        standings = await self.store.standings(user_id)
        ranks = await self._ranks(user_id, standings)
        return Stats(
            profile=profile,
            games=domain.games_of(standings, ranks),
            overall=domain.global_of(standings, ranks),
            tournaments=await self.store.tournaments(user_id),
        )

    async def _ranks(self, user_id: UUID, standings: Sequence[Standing]) -> dict[str, int]:
        """Ranks by board; none while the leaderboard is away (fail open: scores are shown without)."""
        if not standings:
            return {}
        question = {"user_id": str(user_id), "boards": [standing.board for standing in standings]}
        try:
            answer: dict[str, Any] = await self.leaderboard.call("POST", "/internal/v1/ranks", question)
            return {board: place["rank"] for board, place in answer["ranks"].items() if place is not None}
        except (Problem, KeyError, TypeError, AttributeError, ValueError) as error:
            log.warning("ranks_unknown", error=repr(error))
            return {}

    def _me(self, account: Account) -> Me:
        return Me(
            id=account.user_id, username=account.username, created_at=account.created_at,
            email=account.email, roles=self.access.roles_of(account.roles),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sessions:
    """Signing in, going on, signing out."""

    store: Store
    passwords: Passwords
    access: AccessTokens

    async def login(self, username: str, password: str) -> TokensAnswer:
        """Open a session. An unknown name costs the same work and gets the same answer as a wrong password.

        Raises:
            InvalidCredentials, TooManyAttempts, HashingBusy: as their names say.
        """
        account = await self.store.by_name(username)
        right = await check_password(self.store, self.passwords, username, account, password)
        if account is None or not right:
            raise InvalidCredentials
        token = secrets.token_urlsafe(32)
        if not await self.store.open_session(account, new_id(), NextToken(hash_token(token))):
            raise InvalidCredentials
        if self.passwords.is_outdated(account.password_hash):
            await self.store.replace_hash(account, await self.passwords.hash(password))
        return self._answer(account, token)

    async def refresh(self, presented: str) -> TokensAnswer:
        """Continue a session with its newest refresh token, which is used up by that.

        Raises:
            RefreshReused: it was used before; its session has been ended.
            InvalidRefreshToken: it is unknown, expired, or of an ended session.
        """
        following = secrets.token_urlsafe(32)
        rotation = await self.store.rotate(hash_token(presented), NextToken(hash_token(following)))
        if rotation.verdict is Verdict.REUSED:
            log.warning("refresh_reused")
            raise RefreshReused
        if rotation.account is None:
            raise InvalidRefreshToken
        return self._answer(rotation.account, following)

    async def logout(self, presented: str) -> None:
        """End the session of a refresh token, if it has one."""
        await self.store.end_session_of(hash_token(presented))

    def _answer(self, account: Account, refresh_token: str) -> TokensAnswer:
        return TokensAnswer(
            access_token=self.access.of(account), refresh_token=refresh_token,
            user=UserAnswer(id=account.user_id, username=account.username),
        )  # fmt: skip


async def check_password(
    store: Store, passwords: Passwords, username: str, account: Account | None, password: str
) -> bool:
    """Whether it is the account's password; the attempt is counted before, and stays counted unless it is right.

    Raises:
        TooManyAttempts, HashingBusy: as their names say; a busy attempt is not counted.
    """
    await store.claim_attempt(username)
    try:
        return await passwords.matches(account.password_hash if account else None, password)
    except HashingBusy:
        await store.return_attempt(username)
        raise


def _registration(user_id: UUID, username: str, created_at: datetime) -> bytes:
    """What is answered to a registration, to the byte: it is kept under the request's key and must be found again."""
    return Profile(id=user_id, username=username, created_at=created_at).model_dump_json().encode()


def hash_token(token: str) -> bytes:
    """What is stored of a refresh token: it is random already, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).digest()
