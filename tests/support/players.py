"""Players that submit scores with idempotency keys and remember exactly what they were told."""

import asyncio
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

PASSWORD = "a-password-for-tests"
DURING_A_FAULT = {429, 503}


@dataclass
class Player:
    """One registered user."""

    user_id: str
    username: str
    token: str


@dataclass
class History:
    """What happened to every submission: `acked` and `unknown` by idempotency key."""

    acked: dict[str, dict[str, Any]] = field(default_factory=dict)
    unknown: dict[str, tuple[Player, dict[str, Any]]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


async def register(session: aiohttp.ClientSession, gateway: str, count: int) -> list[Player]:
    """Register and log in `count` new players."""
    return [await _enter(session, gateway, f"p{uuid.uuid4().hex[:12]}") for _ in range(count)]


async def _enter(session: aiohttp.ClientSession, gateway: str, username: str) -> Player:
    body = {"username": username, "email": f"{username}@example.test", "password": PASSWORD}
    async with session.post(f"{gateway}/api/v1/users/register", json=body) as answer:
        assert answer.status == 201, await answer.text()
    async with session.post(
        f"{gateway}/api/v1/users/login", json={"username": username, "password": PASSWORD}
    ) as answer:
        assert answer.status == 200, await answer.text()
        said = await answer.json()
    return Player(said["user"]["id"], username, said["access_token"])


class Load:
    """Closed loops of keyed submissions until `stop`."""

    def __init__(self, gateway: str, players: list[Player], game_id: str, *, seed: int) -> None:
        self._gateway = gateway
        self._players = players
        self._game_id = game_id
        self._random = random.Random(seed)
        self._running = True
        self.history = History()

    async def run(self, session: aiohttp.ClientSession, loops: int) -> None:
        """Run `loops` loops until `stop`."""
        await asyncio.gather(*(self._loop(session) for _ in range(loops)))

    def stop(self) -> None:
        """Let every loop end after its submission."""
        self._running = False

    async def _loop(self, session: aiohttp.ClientSession) -> None:
        while self._running:
            player = self._random.choice(self._players)
            body = {"user_id": player.user_id, "game_id": self._game_id, "score": self._random.randrange(1_000_000)}
            if not await self.submit(session, uuid.uuid4().hex, player, body):
                await asyncio.sleep(0.05)

    async def submit(self, session: aiohttp.ClientSession, key: str, player: Player, body: dict[str, Any]) -> bool:
        """Submit once; True if it was acked."""
        headers = {"authorization": f"Bearer {player.token}", "idempotency-key": key}
        try:
            async with session.post(f"{self._gateway}/api/v1/scores", json=body, headers=headers) as answer:
                return self._note(key, player, body, answer.status, answer.headers, await answer.json())
        except (aiohttp.ClientError, TimeoutError):
            self.history.statuses[0] += 1
            self.history.unknown[key] = (player, body)
            return False

    def _note(self, key: str, player: Player, body: Any, status: int, headers: Any, document: Any) -> bool:
        self.history.statuses[status] += 1
        if status == 201:
            self.history.acked[key] = document
            self.history.unknown.pop(key, None)
            return True
        # A repeated call may meet its first attempt still running; the key makes that answer definite later.
        in_flight = status == 409 and document.get("code") == "idempotency_key_in_flight"
        if not (status in DURING_A_FAULT or in_flight) or "Retry-After" not in headers:
            self.history.wrong.append(f"{status} {document}")
        self.history.unknown[key] = (player, body)
        return False

    async def settle_unknown(self, session: aiohttp.ClientSession) -> None:
        """Retry what is unknown with the same keys until each has a definite answer."""
        for _ in range(100):
            for key, (player, body) in list(self.history.unknown.items()):
                await self.submit(session, key, player, body)
            if not self.history.unknown:
                return
            await asyncio.sleep(0.2)
