"""A service's internal routes as the operator uses them: JSON both ways. Refused and not answering are told apart."""

from typing import Any

import msgspec

from palio_kit.http import Peer, Reply
from palio_kit.logs import logger
from palio_kit.problems import Unavailable

log = logger(__name__)

ERRORS = 400
_NOT_KNOWN_TO_IT = (401, 403)
_SHOWN_BYTES = 200


class StoreAway(Exception):
    """The service does not answer, or not what was asked; it may or may not have done it.

    Its text goes on after the service's name, and is the same as long as the trouble is.
    """


class Store:
    """One service that keeps what resources are about. Every call is one that may be repeated."""

    def __init__(self, service: Peer) -> None:
        self._service = service

    async def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        """Its answer, whatever the status.

        Raises:
            StoreAway: there is none.
        """
        try:
            return await self._service.send(
                method, path, body=None if body is None else msgspec.json.encode(body),
                headers={"content-type": "application/json"}, safe_to_repeat=True,
            )  # fmt: skip
        except Unavailable as error:
            raise StoreAway("does not answer") from error


def json_of(reply: Reply) -> dict[str, Any]:
    """The answer's JSON.

    Raises:
        StoreAway: it has none.
    """
    try:
        return msgspec.json.decode(reply.body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise StoreAway(f"answered {reply.status} and no JSON") from error


def document_of(reply: Reply) -> dict[str, Any]:
    """The JSON of an answer that says yes.

    Raises:
        StoreAway: it does not.
    """
    if reply.status >= ERRORS:
        raise StoreAway(refusal_of(reply))
    return json_of(reply)


def refusal_of(reply: Reply) -> str:
    """An answer that says no, in words that go on after the service's name."""
    log.warning("store_refused", status=reply.status, body=reply.body[:_SHOWN_BYTES].decode(errors="replace"))
    if reply.status in _NOT_KNOWN_TO_IT:
        return f"refuses the operator ({reply.status}): it does not know its token"
    return f"answered {reply.status}"
