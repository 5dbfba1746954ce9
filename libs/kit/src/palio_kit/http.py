"""Calling another palio service: bounded, with this service's identity and trace, errors passed on.

aiohttp, because httpx leaks pool slots when callers are cancelled (httpcore#1093) and costs five times its CPU.
What has not begun to be written certainly did nothing: it is `Unavailable` however it failed, and may be tried again.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
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
_READY_TIMEOUT_S = 1.4  # name, place in the pool and connection; two of them fit into every `within_s`


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


@dataclass(slots=True)
class _Call:
    """One call, tried once or twice. As long as it has not `begun` to be written it did nothing."""

    peer: str
    begun: bool = False

    def failed(self) -> Unavailable:
        """What to tell the caller."""
        if self.begun:
            return OutcomeUnknown(f"The {self.peer} service did not answer in time.")
        return Unavailable(f"The {self.peer} service is away for now.")


class Peer:
    """One other service; `session` is a `client()`."""

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
        within_s: float | None = None,
    ) -> Reply:
        """Send a request and read the answer, whatever its status. What never left is tried a second time.

        Args:
            path: with its query, percent-encoded already.
            safe_to_repeat: try a second time also if the first was lost on its way or the answer was.
            within_s: for both together; each has the settings' `upstream_timeout_s`.

        Raises:
            Unavailable: the service could not be reached, so it did nothing.
            OutcomeUnknown: the connection was lost or too slow after sending.
        """
        call = _Call(self._name)
        try:
            async with asyncio.timeout(within_s):
                try:
                    return await self._once(call, method, path, body, headers)
                except Unavailable:
                    if call.begun and not safe_to_repeat:
                        raise
                return await self._once(call, method, path, body, headers)
        except TimeoutError as error:
            raise call.failed() from error

    async def _once(
        self, call: _Call, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Reply:
        started = time.perf_counter()
        outcome = "unreachable"
        try:
            async with self._session.request(
                method,
                self._base_url + path,
                data=body,
                headers=self._headers(headers),
                allow_redirects=False,
                trace_request_ctx=call,
            ) as answer:
                reply = Reply(answer.status, answer.headers, await answer.read())
            outcome = "answered"
            return reply
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            outcome = "lost" if call.begun else "unreachable"
            log.warning(f"peer_{outcome}", peer=self._name, error=repr(error))
            raise call.failed() from error
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

    async def call_packed(
        self,
        path: str,
        document: object,
        *,
        kind: Any = Any,
        safe_to_repeat: bool = False,
        within_s: float | None = None,
    ) -> Any:
        """POST msgpack, get msgpack: the hot internal calls.

        Args:
            kind: what the answer must be; Any takes everything.
            safe_to_repeat, within_s: as for `send`.

        Raises:
            OutcomeUnknown: the answer is not msgpack, or not of that kind.
            Problem: the callee's own.
        """
        reply = await self.send(
            "POST", path, body=msgspec.msgpack.encode(document), headers={"content-type": "application/msgpack"},
            safe_to_repeat=safe_to_repeat, within_s=within_s,
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


@asynccontextmanager
async def client(timeout_s: float, connections_max: int) -> AsyncIterator[aiohttp.ClientSession]:
    """The client that peers need: it tells them when a call begins.

    Args:
        timeout_s: one try of a call, whole.
        connections_max: to one host; further calls wait.
    """
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=connections_max, keepalive_timeout=IDLE_S)
    timeout = aiohttp.ClientTimeout(total=timeout_s, connect=_READY_TIMEOUT_S, sock_connect=_CONNECT_TIMEOUT_S)
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_note_begun)  # "sent" is aiohttp's word: it says so just before it writes
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
    ) as session:  # fmt: skip
        yield session


async def _note_begun(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    call: _Call = context.trace_request_ctx
    call.begun = True


@asynccontextmanager
async def connect(settings: ServiceSettings) -> AsyncIterator[Peers]:
    """Open the shared client."""
    async with client(settings.upstream_timeout_s, _CONNECTIONS_MAX) as session:
        yield Peers(session, settings)
