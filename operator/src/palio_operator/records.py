"""The tournament service's side of a tournament: read, write, let go. Refused and not answering are told apart."""

from typing import Any

import msgspec

from palio_kit.http import Peer, Reply
from palio_kit.problems import Unavailable
from palio_operator.conditions import rfc3339
from palio_operator.models import Meta, Record, Refusal, TournamentSpec

_NOT_FOUND, _ERRORS = 404, 400
_REFUSALS = (404, 409, 422)
_REASONS = {"tournament_frozen": "ImmutableFieldChanged", "record_of_another": "NameConflict"}
_IN_PAST = "the end is in the past"


class StoreAway(Exception):
    """The tournament service does not answer, or not what was asked; it may or may not have done it."""


class Refused(Exception):
    """The tournament service will not write this down; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Records:
    """A client of the record routes."""

    def __init__(self, service: Peer) -> None:
        self._service = service

    async def get(self, record_id: str) -> Record | None:
        """The record; None if there is none.

        Raises:
            StoreAway: it is not known.
        """
        reply = await self._send("GET", _path(record_id))
        return None if reply.status == _NOT_FOUND else Record.parse(_document(reply))

    async def put(self, meta: Meta, spec: TournamentSpec) -> tuple[Record, bool]:
        """Make the record what the resource wants; True if it had been changed beside it.

        Raises:
            Refused: the service will not.
            StoreAway: it is not known whether it did.
        """
        reply = await self._send("PUT", _path(meta.record_id), document(meta, spec))
        if reply.status in _REFUSALS:
            raise Refused(_refusal(_json(reply)))
        written = _document(reply)
        return Record.parse(written["record"]), bool(written["repaired"])

    async def withdraw(self, meta: Meta, *, purge: bool) -> None:
        """Let go of the record.

        Raises:
            StoreAway: it is not known whether that was done.
        """
        query = f"?owner={meta.uid}&purge={'true' if purge else 'false'}"
        reply = await self._send("DELETE", _path(meta.record_id) + query)
        if reply.status >= _ERRORS:
            raise StoreAway(f"withdrawing was answered by {reply.status}")

    async def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        try:
            return await self._service.send(
                method, path, body=None if body is None else msgspec.json.encode(body),
                headers={"content-type": "application/json"}, safe_to_repeat=True,
            )  # fmt: skip
        except Unavailable as error:
            raise StoreAway(str(error.detail)) from error


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


def _json(reply: Reply) -> dict[str, Any]:
    try:
        return msgspec.json.decode(reply.body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise StoreAway(f"an answer of status {reply.status} is not JSON") from error


def _document(reply: Reply) -> dict[str, Any]:
    if reply.status >= _ERRORS:
        raise StoreAway(f"it answered {reply.status}: {reply.body[:200]!r}")
    return _json(reply)


def _refusal(problem: dict[str, Any]) -> Refusal:
    """Why, as a reason of `Accepted`."""
    code = str(problem.get("code", ""))
    places = [(str(one.get("pointer")), str(one.get("detail"))) for one in problem.get("errors") or []]
    if ("/end_time", _IN_PAST) in places:
        message = "endTime is already past; a tournament that was never open cannot be played: set a later one"
        return Refusal("EndTimeInPast", message)
    where = "; ".join(f"{pointer.removeprefix('/')}: {detail}" for pointer, detail in places)
    said = str(problem.get("detail", code))
    return Refusal(_REASONS.get(code, "InvalidSpec"), f"{said} ({where}); correct the resource" if where else said)
