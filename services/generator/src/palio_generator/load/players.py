"""The virtual users' accounts and tokens.

In the demo profile the user service makes accounts that nobody can log in to, and tokens for them, a few hundred a
call: it knows the generator by its service identity, and that one asks for the runners of LoadTests. Where only the
gateway can be reached, they register and log in there as people do, at the pace that the gateway's limits allow: about
ten a second, which is told and waited for.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from palio_generator.gateway import Gateway, Session, key_of
from palio_kit.http import Peer
from palio_kit.problems import Problem

Tell = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much."""

FRESH_S = 120.0
"""Tokens that end sooner are renewed."""
MADE_PATH = "/internal/v1/virtual-players"
MADE_AT_ONCE_MAX = 200
_SIGN_INS_AT_ONCE = 4
_RENEWALS_AT_ONCE = 2
_TAKEN = frozenset({"username_taken", "email_taken"})


@dataclass(slots=True)
class Player:
    """A virtual user: `token` is valid until `expires_at` on the monotonic clock."""

    number: int
    user_id: str
    token: str
    expires_at: float


class Accounts(ABC):
    """Where virtual users come from."""

    @abstractmethod
    async def enter(self, numbers: Sequence[int], tell: Tell) -> list[Player]:
        """The players of these numbers, with fresh tokens.

        Raises:
            Problem: the platform's own.
        """

    @abstractmethod
    async def renew(self, players: Sequence[Player]) -> None:
        """Give players new tokens, in place.

        Raises:
            Problem: the platform's own.
        """


class MadeAccounts(Accounts):
    """Accounts made by the user service, one call for many; a LoadTest's runner asks the generator at another path."""

    def __init__(self, maker: Peer, path: str = MADE_PATH) -> None:
        self._maker = maker
        self._path = path

    @override
    async def enter(self, numbers: Sequence[int], tell: Tell) -> list[Player]:
        players: list[Player] = []
        for first in range(0, len(numbers), MADE_AT_ONCE_MAX):
            players += await self._made(numbers[first : first + MADE_AT_ONCE_MAX])
            tell("accounts", len(players), len(numbers))
        return players

    @override
    async def renew(self, players: Sequence[Player]) -> None:
        for first in range(0, len(players), MADE_AT_ONCE_MAX):
            some = players[first : first + MADE_AT_ONCE_MAX]
            for player, renewed in zip(some, await self._made([player.number for player in some]), strict=True):
                player.token, player.expires_at = renewed.token, renewed.expires_at

    async def _made(self, numbers: Sequence[int]) -> list[Player]:
        asked_at = time.monotonic()
        answer: dict[str, Any] = await self._maker.call(
            "POST", self._path, {"numbers": list(numbers)}, safe_to_repeat=True
        )
        expires_at = asked_at + answer["expires_in"]
        return [
            Player(number, told["user_id"], told["access_token"], expires_at)
            for number, told in zip(numbers, answer["players"], strict=True)
        ]


class RegisteredAccounts(Accounts):
    """Accounts registered at the gateway, with the demo users' password."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._sessions: dict[int, Session] = {}

    @override
    async def enter(self, numbers: Sequence[int], tell: Tell) -> list[Player]:
        gate = asyncio.Semaphore(_SIGN_INS_AT_ONCE)
        players: list[Player] = []

        async def one(number: int) -> None:
            async with gate:
                players.append(await self._entered(number))
                tell("signing in", len(players), len(numbers))

        async with asyncio.TaskGroup() as group:
            for number in numbers:
                group.create_task(one(number))
        return sorted(players, key=lambda player: player.number)

    @override
    async def renew(self, players: Sequence[Player]) -> None:
        gate = asyncio.Semaphore(_RENEWALS_AT_ONCE)

        async def one(player: Player) -> None:
            async with gate:
                renewed = await self._renewed(player.number)
                player.token, player.expires_at = renewed.access_token, renewed.expires_at

        async with asyncio.TaskGroup() as group:
            for player in players:
                group.create_task(one(player))

    async def _entered(self, number: int) -> Player:
        username = f"load_{number:05}"
        try:
            await self._gateway.register(username, key=key_of("load", "user", username))
        except Problem as problem:
            if problem.code not in _TAKEN:
                raise
        session = self._sessions[number] = await self._gateway.login(username)
        return Player(number, str(session.user_id), session.access_token, session.expires_at)

    async def _renewed(self, number: int) -> Session:
        try:
            session = await self._gateway.refresh(self._sessions[number])
        except Problem:  # ended, or it is not known whether the token was used up: a login settles both
            session = await self._gateway.login(f"load_{number:05}")
        self._sessions[number] = session
        return session
