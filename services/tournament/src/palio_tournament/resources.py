"""`Tournament` resources, as REST makes them in a cluster: one way in, so kubectl and REST meet in the same record.

A resource's name follows from the caller and the Idempotency-Key, so a request that is repeated after a crash finds
what the first one made.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from palio_kit.apiserver import CONFLICT, ERRORS, NOT_FOUND, UNPROCESSABLE, ApiServer, refusal
from palio_kit.logs import logger
from palio_kit.problems import Unavailable
from palio_kit.times import rfc3339
from palio_tournament.domain import Keep, Order, Rules

log = logger(__name__)

CREATED_BY = "palio.gg/created-by"
_NAME_MAX = 31
_KEEPS = {Keep.BEST: "Best", Keep.SUM: "Sum", Keep.LAST: "Latest"}
_ORDERS = {Order.DESCENDING: "Descending", Order.ASCENDING: "Ascending"}


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources of one namespace."""

    server: ApiServer
    namespace: str

    async def create(self, rules: Rules, settlement_delay_s: int, key: str | None) -> UUID:
        """Create a tournament's resource, or find the one that this key created; its uid is the tournament's id.

        Raises:
            Invalid: the API server will not have it.
            Unavailable, OutcomeUnknown: it does not answer.
        """
        body = manifest(rules, settlement_delay_s, name_of(rules, key))
        status, told = await self.server.send("POST", self._path(), body)
        if status == CONFLICT:
            status, told = await self.server.send("GET", self._path(body["metadata"]["name"]))
        if status == UNPROCESSABLE:
            raise refusal(told)
        if status >= ERRORS:
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
        status, told = await self.server.send("PATCH", self._path(name, namespace), body)
        if status >= ERRORS and status not in (NOT_FOUND, CONFLICT):
            log.warning("resource_not_cancelled", status=status, reason=told.get("reason"))
            raise Unavailable("The cluster does not take the cancellation for now.")

    def _path(self, name: str = "", namespace: str = "") -> str:
        base = f"/apis/palio.gg/v1alpha1/namespaces/{namespace or self.namespace}/tournaments"
        return f"{base}/{name}" if name else base


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
