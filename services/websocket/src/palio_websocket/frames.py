"""Server frames as bytes: header and JSON, made once and written to every socket as they are.

A server's frames are not masked (RFC 6455, 5.1), so one sequence of bytes serves all.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from palio_websocket.domain import EVENTS_BYTES_MAX, Board, ChannelName, Delta, Ring, Told

_FIN_TEXT = b"\x81"
_SHORT_MAX, _MEDIUM_MAX = 125, 65_535
_MEDIUM, _LONG = b"\x7e", b"\x7f"

encode = msgspec.json.Encoder().encode


def text(payload: bytes) -> bytes:
    """A whole text frame."""
    size = len(payload)
    if size <= _SHORT_MAX:
        return b"%b%c%b" % (_FIN_TEXT, size, payload)
    if size <= _MEDIUM_MAX:
        return b"%b%b%b%b" % (_FIN_TEXT, _MEDIUM, size.to_bytes(2, "big"), payload)
    return b"%b%b%b%b" % (_FIN_TEXT, _LONG, size.to_bytes(8, "big"), payload)


def of(document: Mapping[str, Any]) -> bytes:
    """A small message, for one socket."""
    return text(encode(document))


def error(code: str, detail: str, channel: str | None = None) -> bytes:
    """What was wrong with a message, or with a channel."""
    told = {"type": "error", "code": code, "detail": detail}
    return of(told if channel is None else told | {"channel": channel})


def heartbeat(at: str, versions: Iterable[tuple[str, tuple[str, int]]]) -> bytes:
    """What was told last on each channel."""
    return of({"type": "heartbeat", "at": at, "versions": dict(versions)})


def board_snapshot(name: ChannelName, board: Board) -> bytes:
    """A board as it is."""
    return of({
        "type": "snapshot", "channel": name.text, "epoch": board.epoch, "version": board.version, "board": name.board,
        "order": board.order, "tie_break": board.tie_break, "total": board.total, "rows": board.rows,
    })  # fmt: skip


def board_delta(name: ChannelName, epoch: str, delta: Delta) -> bytes:
    """How a board changed."""
    return of({
        "type": "delta", "channel": name.text, "epoch": epoch, "base": delta.base, "version": delta.version,
        "total": delta.total, "rows": delta.rows, "removed": delta.removed,
    })  # fmt: skip


def events(name: ChannelName, epoch: str, told: Told) -> bytes:
    """Events of a feed; joined by hand, because each is JSON already."""
    head = b'{"type":"event","channel":%b,"epoch":%b,"base":%d,"version":%d,"events":[%b],"skipped":%d}'
    return text(
        head % (encode(name.text), encode(epoch), told.base, told.version, b",".join(told.events), told.skipped)
    )


def feed_snapshot(name: ChannelName, ring: Ring, tournament: bytes | None) -> bytes:
    """The last events of a feed, and the tournament's state if the feed is about one."""
    state = b"" if tournament is None else b'"tournament":%b,' % tournament
    kept: Sequence[bytes] = ring.events() if tournament is None else ring.events(_beside(tournament))
    head = b'{"type":"snapshot","channel":%b,"epoch":%b,"version":%d,%b"events":[%b]}'
    return text(head % (encode(name.text), encode(ring.epoch), ring.version, state, b",".join(kept)))


def _beside(tournament: bytes) -> int:
    """The bytes left for events beside a tournament's state."""
    return max(0, EVENTS_BYTES_MAX - len(tournament))
