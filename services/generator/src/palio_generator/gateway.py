"""A client of the gateway's public REST, like anybody's: it waits when told to, and repeats what is safe to repeat.

The one decision worth knowing: every write carries an Idempotency-Key, so a lost answer is simply asked for again.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from palio_generator.domain import DEMO_PASSWORD, Game, OpenTournament
from palio_generator.errors import GatewayAnswer
from palio_kit import tracing
from palio_kit.http import IDLE_S, Reply, problem_of
from palio_kit.ids import new_id
from palio_kit.problems import Problem, Unavailable
from palio_kit.settings import ServiceSettings

_CONNECTIONS_MAX = 64
_REQUEST_S = 5.0
_CONNECT_S = 1.0
_BACKOFF_S = 0.2
_BACKOFF_MAX_S = 2.0
_PAGES_MAX = 20
_BUSY = frozenset({429, 503})
_BAD = 400
_CREATED = 201
_FRESH_S = 60.0
_OPEN_PHASES = ("Active", "Scheduled")
_IN_FLIGHT = "idempotency_key_in_flight"


@dataclass(frozen=True, slots=True)
class Done:
    """A successful answer; `replayed` if an earlier try with the same key was answered so."""

    document: Any
    status: int
    replayed: bool

    @property
    def created(self) -> bool:
        """Whether this very call made something."""
        return self.status == _CREATED and not self.replayed


@dataclass(frozen=True, slots=True)
class Session:
    """A player's tokens; `expires_at` on the monotonic clock."""

    user_id: UUID
    access_token: str
    refresh_token: str
    expires_at: float

    def is_fresh(self, now: float) -> bool:
        """Whether the access token will hold for another minute."""
        return now < self.expires_at - _FRESH_S


Token = Callable[[], Awaitable[str]]


def key_of(*parts: object) -> str:
    """The Idempotency-Key of a named piece of work: the same name, the same key."""
    return hashlib.sha256("/".join(str(part) for part in parts).encode()).hexdigest()[:40]


class Gateway:
    """The gateway's calls this service makes."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, *, patience_s: float) -> None:
        """
        Args:
            patience_s: how long one call is tried again while it is told to wait or hears nothing.
        """
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._patience_s = patience_s

    # people

    async def register(self, username: str, *, key: str) -> tuple[UUID, bool]:
        """Register a demo user; its id, and whether this call made it.

        Raises:
            Problem: `username_taken`, among others.
        """
        body = {"username": username, "email": f"{username}@players.example", "password": DEMO_PASSWORD}
        done = await self._call("POST", "/api/v1/users/register", body, key=key)
        return _id(done.document), done.created

    async def login(self, username: str) -> Session:
        """Log a demo user in.

        Raises:
            Problem: with status 401, somebody else's account.
        """
        body = {"username": username, "password": DEMO_PASSWORD}
        return _session((await self._call("POST", "/api/v1/users/login", body, repeat=True)).document)

    async def refresh(self, session: Session) -> Session:
        """The next pair of tokens. Never repeated: a refresh token that was used twice ends the session.

        Raises:
            Problem: with status 401, the session has ended.
        """
        body = {"refresh_token": session.refresh_token}
        return _session((await self._call("POST", "/api/v1/users/refresh", body, repeat=False)).document)

    # games and scores

    async def games(self) -> list[Game]:
        """The whole catalogue (at most 20 pages)."""
        return [_game(item) for item in await self._items("/api/v1/games?limit=100")]

    async def submit(self, user_id: UUID, game_id: str, score: int, *, token: Token, key: str | None = None) -> bool:
        """Submit a score; whether it was accepted now (and not on an earlier try, or earlier under that key)."""
        body = {"user_id": str(user_id), "game_id": game_id, "score": score}
        return (await self._call("POST", "/api/v1/scores", body, key=key or str(new_id()), token=token)).created

    async def submit_batch(self, rows: list[dict[str, Any]], *, key: str, token: Token) -> int:
        """Submit rows `{"user_id","game_id","score"}` as a game server; how many were accepted now."""
        done = await self._call("POST", "/api/v1/scores/batch", {"items": rows}, key=key, token=token)
        accepted: int = _field(done.document, "accepted", int)
        return 0 if done.replayed else accepted

    # tournaments

    async def tournaments(self) -> list[OpenTournament]:
        """Those that are scheduled or under way."""
        return [
            _tournament(item)
            for phase in _OPEN_PHASES
            for item in await self._items(f"/api/v1/tournaments?phase={phase}&limit=100")
        ]

    async def tournament_named(self, name: str) -> str | None:
        """The id of a tournament of that name that is scheduled or under way."""
        pages = [await self._items(f"/api/v1/tournaments?phase={phase}&limit=100") for phase in _OPEN_PHASES]
        found = (item for items in pages for item in items if _field(item, "name", str) == name)
        return next((_field(item, "id", str) for item in found), None)

    async def create_tournament(
        self, name: str, game_id: str, *, places: int, prize_pool: int, start: datetime, end: datetime,
        key: str, token: Token,
    ) -> tuple[UUID, bool]:  # fmt: skip
        """Create a tournament; its id, and whether this call made it.

        Raises:
            Problem: 422 if its end has passed.
        """
        body = {
            "name": name, "game_id": game_id, "max_participants": places, "prize_pool": prize_pool,
            "start_time": _moment(start), "end_time": _moment(end),
        }  # fmt: skip
        done = await self._call("POST", "/api/v1/tournaments", body, key=key, token=token)
        return _id(done.document), done.created

    async def join(self, tournament_id: UUID | str, user_id: UUID, *, key: str, token: Token) -> bool:
        """Enter a tournament; whether this call did it.

        Raises:
            Problem: `tournament_full` and `tournament_closed`, among others.
        """
        body = {"tournament_id": str(tournament_id), "user_id": str(user_id)}
        return (await self._call("POST", "/api/v1/tournaments/register", body, key=key, token=token)).created

    async def alive(self) -> None:
        """Prove that the gateway answers (readiness).

        Raises:
            Unavailable: it does not.
        """
        await self._once("GET", "/livez", None, {})

    # how

    async def _items(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(_PAGES_MAX):
            page = (await self._call("GET", path + cursor, repeat=True)).document
            items += _field(page, "items", list)
            if not page.get("next_cursor"):
                break
            cursor = f"&cursor={page['next_cursor']}"
        return items

    async def _call(
        self, method: str, path: str, document: object = None, *, key: str | None = None, token: Token | None = None,
        repeat: bool | None = None,
    ) -> Done:  # fmt: skip
        """One call, tried again while the gateway says to wait; after a lost answer only if it is safe (`repeat`)."""
        body = None if document is None else msgspec.json.encode(document)
        safe = repeat if repeat is not None else key is not None
        deadline = time.monotonic() + self._patience_s
        tries = 0
        while True:
            tries += 1
            try:
                return _done(await self._once(method, path, body, await _headers(key, token)))
            except Problem as problem:
                wait_s = _wait_s(problem, tries, safe=safe)
                if wait_s is None or time.monotonic() + wait_s > deadline:
                    raise
            await asyncio.sleep(wait_s)

    async def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        try:
            async with self._session.request(
                method, self._base_url + path, data=body, headers=headers, allow_redirects=False
            ) as answer:
                reply = Reply(answer.status, answer.headers, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _Lost(f"The gateway did not answer: {type(error).__name__}.") from error
        if reply.status >= _BAD:
            raise problem_of(reply)
        return reply


class _Lost(Unavailable):
    """No answer came, so what was asked may have happened or not."""

    code = "gateway_away"


def _wait_s(problem: Problem, tries: int, *, safe: bool) -> float | None:
    """How long to wait before the next try; None if there should be none."""
    lost = isinstance(problem, _Lost) or problem.code == "outcome_unknown"
    if lost and not safe:
        return None
    if problem.status not in _BUSY and problem.code != _IN_FLIGHT:
        return None
    told_s = 0 if isinstance(problem, _Lost) else problem.retry_after_s or 0
    backoff_s = min(_BACKOFF_MAX_S, _BACKOFF_S * 2 ** min(tries - 1, 10))
    wait_s: float = told_s + backoff_s * (0.5 + random.random() / 2)  # noqa: S311 - jitter
    return wait_s


async def _headers(key: str | None, token: Token | None) -> dict[str, str]:
    headers = {"content-type": "application/json", "traceparent": tracing.continue_or_start(None).traceparent}
    if key is not None:
        headers["idempotency-key"] = key
    if token is not None:
        headers["authorization"] = f"Bearer {await token()}"
    return headers


def _done(reply: Reply) -> Done:
    try:
        document = msgspec.json.decode(reply.body) if reply.body else None
    except msgspec.DecodeError as error:
        raise GatewayAnswer from error
    return Done(document, reply.status, replayed=reply.headers.get("Idempotency-Replayed") == "true")


def _field(document: Any, name: str, kind: type[Any]) -> Any:
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise GatewayAnswer(f"The gateway's answer has no `{name}`.")
    return value


def _id(document: Any) -> UUID:
    return UUID(_field(document, "id", str))


def _session(document: Any) -> Session:
    return Session(
        _id(_field(document, "user", dict)),
        _field(document, "access_token", str),
        _field(document, "refresh_token", str),
        time.monotonic() + _field(document, "expires_in", int),
    )


def _game(item: Any) -> Game:
    return Game(
        _field(item, "id", str),
        _field(item, "order", str) == "asc",
        _field(item, "score_min", int),
        _field(item, "score_max", int),
    )


def _tournament(item: Any) -> OpenTournament:
    return OpenTournament(
        _field(item, "id", str),
        _field(item, "game_id", str),
        _field(item, "max_participants", int),
        _field(item, "participants", int),
    )


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


@asynccontextmanager
async def connect(settings: ServiceSettings, *, patience_s: float) -> AsyncIterator[Gateway]:
    """Open the client."""
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, keepalive_timeout=IDLE_S)
    timeout = aiohttp.ClientTimeout(total=_REQUEST_S, sock_connect=_CONNECT_S)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield Gateway(session, settings.gateway_url, patience_s=patience_s)
