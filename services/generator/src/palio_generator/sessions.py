"""Being signed in: a player's tokens and the generator's own as a game server, kept fresh."""

import asyncio
import time
from typing import Any

from palio_generator.gateway import Gateway, Session
from palio_kit.http import Peer
from palio_kit.problems import Problem

_FRESH_S = 60.0


class Login:
    """One player's tokens: refreshed while the session lasts, else logged in again."""

    def __init__(self, gateway: Gateway, username: str, gate: asyncio.Semaphore) -> None:
        """
        Args:
            gate: how many may log in at once; a login costs the platform a password check.
        """
        self._gateway = gateway
        self._username = username
        self._gate = gate
        self._session: Session | None = None

    async def token(self) -> str:
        """An access token that holds for another minute.

        Raises:
            Problem: with status 401, the account is not (or no longer) a demo user's.
        """
        if self._session is None or not self._session.is_fresh(time.monotonic()):
            self._session = await self._renewed(self._session)
        return self._session.access_token

    def forget(self) -> None:
        """The tokens were refused: log in again next time."""
        self._session = None

    async def _renewed(self, session: Session | None) -> Session:
        async with self._gate:
            if session is not None:
                try:
                    return await self._gateway.refresh(session)
                except Problem:  # ended, or it is not known whether the token was used up: a login settles both
                    self.forget()
            return await self._gateway.login(self._username)


class ServerPass:
    """The generator's own access token with role `server`, from the user service."""

    def __init__(self, user: Peer) -> None:
        self._user = user
        self._token = ""
        self._expires_at = 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """A token that holds for another minute.

        Raises:
            Problem: the user service's own, or `Unavailable`.
        """
        async with self._lock:
            if time.monotonic() > self._expires_at - _FRESH_S:
                answer: dict[str, Any] = await self._user.call(
                    "POST", "/internal/v1/server-tokens", {}, safe_to_repeat=True
                )
                self._token = answer["access_token"]
                self._expires_at = time.monotonic() + answer["expires_in"]
            return self._token
