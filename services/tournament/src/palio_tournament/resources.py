"""`Tournament` resources, as REST makes them in a cluster: one way in, so kubectl and REST meet in the same record.

A resource's name follows from the caller and the Idempotency-Key, so a request that is repeated after a crash finds
what the first one made. Plain aiohttp with the pod's own token: three calls do not need the 188 MB client.
"""

import hashlib
import json
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp

from palio_kit.logs import logger
from palio_kit.problems import FieldError, Invalid, OutcomeUnknown, Unavailable
from palio_kit.times import rfc3339
from palio_tournament.domain import Keep, Order, Rules

log = logger(__name__)

CREATED_BY = "palio.gg/created-by"
_NAME_MAX = 31
_TIMEOUT_S = 2.0
_NOT_FOUND, _CONFLICT, _UNPROCESSABLE, _ERRORS = 404, 409, 422, 400
_KEEPS = {Keep.BEST: "Best", Keep.SUM: "Sum", Keep.LAST: "Latest"}
_ORDERS = {Order.DESCENDING: "Descending", Order.ASCENDING: "Ascending"}


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of one namespace."""

    session: aiohttp.ClientSession
    url: str
    namespace: str
    token_file: Path

    async def create(self, rules: Rules, settlement_delay_s: int, key: str | None) -> UUID:
        """Create a tournament's resource, or find the one that this key created; its uid is the tournament's id.

        Raises:
            Invalid: the API server will not have it.
            Unavailable, OutcomeUnknown: it does not answer.
        """
        body = manifest(rules, settlement_delay_s, name_of(rules, key))
        status, told = await self._send("POST", self._path(), body)
        if status == _CONFLICT:
            status, told = await self._send("GET", self._path(body["metadata"]["name"]))
        if status == _UNPROCESSABLE:
            raise Invalid(errors=_errors(told))
        if status >= _ERRORS:
            log.warning("resource_not_created", status=status, reason=told.get("reason"))
            raise Unavailable("The cluster does not take the tournament for now.")
        return UUID(told["metadata"]["uid"])

    async def cancel(self, source: str, owner: UUID) -> None:
        """Have the resource `namespace/name` want its tournament cancelled; one that is gone or another is left alone.

        Raises:
            Unavailable, OutcomeUnknown: the API server does not answer.
        """
        namespace, _, name = source.partition("/")
        body = {"metadata": {"uid": str(owner)}, "spec": {"desiredState": "Cancelled"}}
        status, told = await self._send("PATCH", self._path(name, namespace), body)
        if status >= _ERRORS and status not in (_NOT_FOUND, _CONFLICT):
            log.warning("resource_not_cancelled", status=status, reason=told.get("reason"))
            raise Unavailable("The cluster does not take the cancellation for now.")

    def _path(self, name: str = "", namespace: str = "") -> str:
        base = f"/apis/palio.gg/v1alpha1/namespaces/{namespace or self.namespace}/tournaments"
        return f"{base}/{name}" if name else base

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
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


def name_of(rules: Rules, key: str | None) -> str:
    """A resource's name: the tournament's as far as it goes, and what tells two of one name apart."""
    words = re.sub(r"[^a-z0-9]+", "-", rules.name.lower())[:_NAME_MAX].strip("-") or "tournament"
    kept = hashlib.sha256(f"{rules.created_by}{key}".encode()).hexdigest()[:8] if key else secrets.token_hex(4)
    return f"{words}-{kept}"


def manifest(rules: Rules, settlement_delay_s: int, name: str) -> dict[str, Any]:
    """A tournament's rules as its resource says them."""
    return {
        "apiVersion": "palio.gg/v1alpha1",
        "kind": "Tournament",
        "metadata": {"name": name, "annotations": {CREATED_BY: str(rules.created_by)}},
        "spec": {
            "game": rules.game_id, "displayName": rules.name,
            "startTime": rfc3339(rules.starts_at), "endTime": rfc3339(rules.ends_at),
            "scoring": {
                "order": _ORDERS[rules.order], "aggregation": _KEEPS[rules.keep], "tieBreak": str(rules.ties),
            },
            "entry": {"policy": str(rules.entry), "maxParticipants": rules.max_participants},
            "currency": rules.currency, "prizePool": rules.prize_pool,
            "prizes": [
                {"key": prize.key, "rankFrom": prize.rank_first, "rankTo": prize.rank_last, "amount": prize.amount}
                for prize in rules.prizes
            ],
            "settlementDelaySeconds": settlement_delay_s,
        },
    }  # fmt: skip


def _errors(told: Mapping[str, Any]) -> list[FieldError]:
    causes = (told.get("details") or {}).get("causes") or [{"message": told.get("message", "")}]
    return [FieldError("/" + str(one.get("field", "")).replace(".", "/"), str(one.get("message"))) for one in causes]


@asynccontextmanager
async def connect(url: str, namespace: str, credentials: Path) -> AsyncIterator[Resources]:
    """Open a client with the pod's token and the cluster's certificate (`token` and `ca.crt` in `credentials`)."""
    trust = ssl.create_default_context(cafile=str(credentials / "ca.crt")) if url.startswith("https") else None
    connector = aiohttp.TCPConnector(limit=8, ssl=trust if trust is not None else True)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield Resources(session, url.rstrip("/"), namespace, credentials / "token")
