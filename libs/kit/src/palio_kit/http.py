"""Calling another palio service: bounded, with this service's identity and trace, errors passed on.

aiohttp, because httpx leaks pool slots when callers are cancelled (httpcore#1093) and costs five times its CPU.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from palio_kit import metrics, tracing
from palio_kit.callers import SERVICE_TOKEN_HEADER
from palio_kit.logs import logger
from palio_kit.problems import OutcomeUnknown, Problem, Unavailable
from palio_kit.settings import ServiceSettings

log = logger(__name__)

_CONNECTIONS_MAX = 64
IDLE_S = 4.0
"""How long a pooled connection may be idle: less than a server goes on answering when it leaves (`leave_s`)."""

_IDENTITY_FRESH_S = 30.0
_CONNECT_TIMEOUT_S = 1.0


class Identity:
    """This service's own tokens, one file per callee; a projected volume or the local launcher keeps them fresh."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tokens: dict[str, tuple[float, str]] = {}

    def token_for(self, callee: str) -> str:
        """The token to show to `callee`; read again every half minute because files are rotated."""
        read_at, token = self._tokens.get(callee, (float("-inf"), ""))
        if time.monotonic() - read_at > _IDENTITY_FRESH_S:
            token = (self._directory / callee).read_text().strip()
            self._tokens[callee] = (time.monotonic(), token)
        return token


@dataclass(frozen=True, slots=True)
class Reply:
    """Another service's answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Peer:
    """One other service."""

    def __init__(self, session: aiohttp.ClientSession, identity: Identity, name: str, base_url: str) -> None:
        self._session = session
        self._identity = identity
        self._name = name
        self._base_url = base_url

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        safe_to_repeat: bool = False,
    ) -> Reply:
        """Send a request and read the answer, whatever its status.

        Args:
            path: with its query, percent-encoded already.
            safe_to_repeat: try once more on a new connection if the first was lost.

        Raises:
            Unavailable: the service could not be reached, so it did nothing.
            OutcomeUnknown: the connection was lost or too slow after sending.
        """
        try:
            return await self._once(method, path, body, headers)
        except (Unavailable, OutcomeUnknown):
            if not safe_to_repeat:
                raise
            return await self._once(method, path, body, headers)

    async def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None) -> Reply:
        started = time.perf_counter()
        outcome = "unreachable"
        try:
            async with self._session.request(
                method,
                self._base_url + path,
                data=body,
                headers=self._headers(headers),
                allow_redirects=False,
            ) as answer:
                reply = Reply(answer.status, answer.headers, await answer.read())
            outcome = "answered"
            return reply
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, FileNotFoundError) as error:
            log.warning("peer_unreachable", peer=self._name, error=repr(error))
            raise Unavailable(f"The {self._name} service is away for now.") from error
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            outcome = "lost"
            log.warning("peer_lost", peer=self._name, error=repr(error))
            raise OutcomeUnknown(f"The {self._name} service did not answer in time.") from error
        finally:
            metrics.UPSTREAM_SECONDS.labels(self._name, outcome).observe(time.perf_counter() - started)

    async def call(self, method: str, path: str, document: object = None, *, safe_to_repeat: bool = False) -> Any:
        """Send JSON, get JSON; a problem of the callee is raised as ours.

        Raises:
            Problem: the callee's own, with its status and code.
        """
        body = None if document is None else msgspec.json.encode(document)
        reply = await self.send(
            method,
            path,
            body=body,
            headers={"content-type": "application/json"},
            safe_to_repeat=safe_to_repeat,
        )
        if reply.status >= 400:  # noqa: PLR2004 - HTTP's own border
            raise problem_of(reply)
        return msgspec.json.decode(reply.body) if reply.body else None

    async def call_packed(self, path: str, document: object, *, kind: Any = Any, safe_to_repeat: bool = False) -> Any:
        """POST msgpack, get msgpack: the hot internal calls.

        Args:
            kind: what the answer must be; Any takes everything.

        Raises:
            OutcomeUnknown: the answer is not msgpack, or not of that kind.
            Problem: the callee's own.
        """
        reply = await self.send(
            "POST", path, body=msgspec.msgpack.encode(document), headers={"content-type": "application/msgpack"},
            safe_to_repeat=safe_to_repeat,
        )  # fmt: skip
        if reply.status >= 400:  # noqa: PLR2004
            raise problem_of(reply)
        try:
            return msgspec.msgpack.decode(reply.body, type=kind)
        except msgspec.DecodeError as error:
            log.warning("peer_not_understood", peer=self._name, path=path, error=repr(error))
            raise OutcomeUnknown(f"The {self._name} service's answer was not understood.") from error

    def _headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        own = {
            SERVICE_TOKEN_HEADER: self._identity.token_for(self._name),
            "traceparent": tracing.current().traceparent,
        }
        return {**headers, **own} if headers else own


def problem_of(reply: Reply) -> Problem:
    """The problem in an error answer, as an exception of the same status, code and detail."""
    try:
        document = json.loads(reply.body)
        status, code, title = int(document["status"]), str(document["code"]), str(document["title"])
        detail = str(document["detail"])
    except (ValueError, KeyError, TypeError):
        kind_of_failure = OutcomeUnknown if reply.status == Problem.status else Unavailable
        return kind_of_failure("Another service answered with an error.")
    kind = type("PassedOn", (Problem,), {"status": status, "code": code, "title": title, "__doc__": detail})
    retry_after = reply.headers.get("Retry-After", "")
    problem: Problem = kind(detail, retry_after_s=int(retry_after) if retry_after.isdigit() else None)
    return problem


class Peers:
    """All services this one may call."""

    def __init__(self, session: aiohttp.ClientSession, settings: ServiceSettings) -> None:
        self._session = session
        self._settings = settings
        self._identity = Identity(settings.identity_dir)

    def peer(self, name: str) -> Peer:
        """The service called `name`, at the address the settings give."""
        return Peer(self._session, self._identity, name, getattr(self._settings, f"{name}_url").rstrip("/"))

    @property
    def session(self) -> aiohttp.ClientSession:
        """The shared client, for what is not request and answer (web sockets)."""
        return self._session


@asynccontextmanager
async def connect(settings: ServiceSettings) -> AsyncIterator[Peers]:
    """Open the shared client."""
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=_CONNECTIONS_MAX, keepalive_timeout=IDLE_S)
    timeout = aiohttp.ClientTimeout(total=settings.upstream_timeout_s, sock_connect=_CONNECT_TIMEOUT_S)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield Peers(session, settings)
