"""The cluster's API server, as a service speaks with it: plain aiohttp with the pod's own token.

The few calls that services make do not need the official client, which is 188 MB.
"""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from palio_kit.problems import FieldError, Invalid, OutcomeUnknown, Unavailable

NOT_FOUND, CONFLICT, UNPROCESSABLE, ERRORS = 404, 409, 422, 400
_TIMEOUT_S = 2.0
_CONNECTIONS_MAX = 8


@dataclass(frozen=True, slots=True)
class ApiServer:
    """The API server at `url`; the token is read for each call, because the kubelet rotates it."""

    session: aiohttp.ClientSession
    url: str
    token_file: Path

    async def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """One request (a PATCH merges): its status and document, whatever they are.

        Raises:
            Unavailable: it could not be reached, so nothing happened.
            OutcomeUnknown: it did not answer in time.
        """
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            headers = {"authorization": f"Bearer {self.token_file.read_text().strip()}", "content-type": kind}
            data = None if body is None else json.dumps(body)
            async with self.session.request(method, self.url + path, data=data, headers=headers) as answer:
                return answer.status, dict(await answer.json())
        except (aiohttp.ClientConnectorError, FileNotFoundError) as error:
            raise Unavailable("The cluster is away for now; nothing was changed.") from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise OutcomeUnknown("The cluster did not answer in time.") from error


def refusal(told: Mapping[str, Any]) -> Invalid:
    """Why the API server would not have a resource (its answer's document), as our problem."""
    causes = (told.get("details") or {}).get("causes") or [{"message": told.get("message", "")}]
    return Invalid(
        errors=[
            FieldError("/" + str(one.get("field", "")).replace(".", "/"), str(one.get("message"))) for one in causes
        ]
    )


@asynccontextmanager
async def connect(url: str, credentials: Path) -> AsyncIterator[ApiServer]:
    """Open a client with the pod's token and the cluster's certificate (`token` and `ca.crt` in `credentials`)."""
    trust = ssl.create_default_context(cafile=str(credentials / "ca.crt")) if url.startswith("https") else None
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS_MAX, ssl=trust if trust is not None else True)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield ApiServer(session, url.rstrip("/"), credentials / "token")
