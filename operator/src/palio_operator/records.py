"""The tournament service's side of a tournament: read, write, let go."""

from typing import Any

from palio_kit.http import Peer
from palio_operator.models import Meta, Record, Refusal, TournamentSpec
from palio_operator.resources import rfc3339
from palio_operator.stores import ERRORS, Store, StoreAway, document_of, json_of, refusal_of

_NOT_FOUND = 404
_REFUSALS = (404, 409, 422)
_REASONS = {"tournament_frozen": "ImmutableFieldChanged", "record_of_another": "NameConflict"}
_IN_PAST = "the end is in the past"


class Refused(Exception):
    """The tournament service will not write this down; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Records:
    """A client of the record routes."""

    def __init__(self, service: Peer) -> None:
        self._store = Store(service)

    async def get(self, record_id: str) -> Record | None:
        """The record; None if there is none.

        Raises:
            StoreAway: it is not known.
        """
        reply = await self._store.send("GET", _path(record_id))
        return None if reply.status == _NOT_FOUND else Record.parse(document_of(reply))

    async def put(self, meta: Meta, spec: TournamentSpec) -> tuple[Record, bool]:
        """Make the record what the resource wants; True if it had been changed beside it.

        Raises:
            Refused: the service will not.
            StoreAway: it is not known whether it did.
        """
        reply = await self._store.send("PUT", _path(meta.record_id), document(meta, spec))
        if reply.status in _REFUSALS:
            raise Refused(_refusal(json_of(reply)))
        written = document_of(reply)
        return Record.parse(written["record"]), bool(written["repaired"])

    async def withdraw(self, meta: Meta, *, purge: bool) -> None:
        """Let go of the record.

        Raises:
            StoreAway: it is not known whether that was done.
        """
        query = f"?owner={meta.uid}&purge={'true' if purge else 'false'}"
        reply = await self._store.send("DELETE", _path(meta.record_id) + query)
        if reply.status >= ERRORS:
            raise StoreAway(refusal_of(reply))


_FIELDS = {
    "name": "displayName", "game_id": "game", "start_time": "startTime", "end_time": "endTime",
    "keep": "scoring.aggregation", "order": "scoring.order", "ties": "scoring.tieBreak", "entry": "entry.policy",
    "max_participants": "entry.maxParticipants", "prize_pool": "prizePool",
    "settlement_delay_s": "settlementDelaySeconds", "rank_first": "rankFrom", "rank_last": "rankTo",
}  # fmt: skip
"""What the record's fields are called in a resource."""


def document(meta: Meta, spec: TournamentSpec) -> dict[str, Any]:
    """A resource as the tournament service takes it."""
    wanted: dict[str, Any] = {
        "revision": meta.generation, "owner": meta.uid, "source": meta.source, "adopt": meta.adopts is not None,
        "desired_state": str(spec.desired_state), "created_by": meta.created_by,
        "name": spec.name, "game_id": spec.game_id, "keep": spec.keep, "order": spec.order, "ties": spec.ties,
        "start_time": rfc3339(spec.starts_at), "end_time": rfc3339(spec.ends_at), "entry": spec.entry,
        "max_participants": spec.max_participants, "prize_pool": spec.prize_pool, "currency": spec.currency,
        "settlement_delay_s": spec.settlement_delay_s,
    }  # fmt: skip
    if spec.prizes:
        wanted["prizes"] = [
            {"key": prize.key, "rank_first": prize.rank_first, "rank_last": prize.rank_last, "amount": prize.amount}
            for prize in spec.prizes
        ]
    return wanted


def _path(record_id: str) -> str:
    return f"/internal/v1/tournaments/{record_id}/record"


def _refusal(problem: dict[str, Any]) -> Refusal:
    """Why, as a reason of `Accepted`, in the words of whoever wrote the resource."""
    code = str(problem.get("code", ""))
    places = [(str(one.get("pointer")), str(one.get("detail"))) for one in problem.get("errors") or []]
    if ("/end_time", _IN_PAST) in places:
        message = "endTime is already past; a tournament that was never open cannot be played: set a later one"
        return Refusal("EndTimeInPast", message)
    where = "; ".join(f"{_field(pointer)}: {detail.removeprefix('Value error, ')}" for pointer, detail in places)
    said = str(problem.get("detail", code)) if code in _REASONS or not where else "the spec makes no sense"
    return Refusal(_REASONS.get(code, "InvalidSpec"), f"{said} ({where}); correct the resource" if where else said)


def _field(pointer: str) -> str:
    """Where in the resource a place of the record comes from: `/prizes/0/rank_first` → `spec.prizes[0].rankFrom`."""
    parts = [_FIELDS.get(part, part) for part in pointer.removeprefix("/").split("/")]
    return "spec." + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts).removeprefix(".")
