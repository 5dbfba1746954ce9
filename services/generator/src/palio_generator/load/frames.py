"""The live protocol as far as a load needs it: a web socket's bytes, and what a frame says of scores. Pure.

A frame's bytes are the same on every socket that hears it, so each is understood once and recognised after that.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

_FIN_TEXT, _FIN_CLOSE, _FIN_PONG = 0x81, 0x88, 0x8A
_OPCODE, _LENGTH, _MASK = 0x0F, 0x7F, 0x80
_SHORT_MAX, _MEDIUM, _LONG = 125, 126, 127
TEXT, CLOSE, PING = 0x1, 0x8, 0x9

FRAME_BYTES_MAX = 1024 * 1024


class FrameRefused(ValueError):
    """Bytes that are no frame of a server's."""


def masked(opcode_byte: int, payload: bytes) -> bytes:
    """A client's frame of at most 65,535 bytes, masked as RFC 6455 (5.3) wants it."""
    size = len(payload)
    length = bytes((_MASK | size,)) if size <= _SHORT_MAX else bytes((_MASK | _MEDIUM,)) + size.to_bytes(2, "big")
    key = os.urandom(4)
    return bytes((opcode_byte,)) + length + key + bytes(byte ^ key[at & 3] for at, byte in enumerate(payload))


def text(document: object) -> bytes:
    """A client's message."""
    return masked(_FIN_TEXT, msgspec.json.encode(document))


def pong(payload: bytes) -> bytes:
    """The answer to a ping."""
    return masked(_FIN_PONG, payload)


def close() -> bytes:
    """A farewell."""
    return masked(_FIN_CLOSE, (1000).to_bytes(2, "big"))


class Reader:
    """A server's bytes to its frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Opcode and payload of every whole frame so far.

        Raises:
            FrameRefused: it is masked, in pieces or over a mebibyte.
        """
        self._buffer += data
        at = 0
        while (found := self._frame(at)) is not None:
            opcode, start, end = found
            yield opcode, bytes(self._buffer[start:end])
            at = end
        del self._buffer[:at]

    def _frame(self, at: int) -> tuple[int, int, int] | None:
        buffer = self._buffer
        if len(buffer) < at + 2:
            return None
        first, size, start = buffer[at], buffer[at + 1], at + 2
        if not first & _MASK or size & _MASK:  # a server's frames are whole and not masked
            raise FrameRefused("a frame in pieces, or a masked one")
        if size > _SHORT_MAX:
            wide = 2 if size == _MEDIUM else 8
            if len(buffer) < start + wide:
                return None
            size, start = int.from_bytes(buffer[start : start + wide], "big"), start + wide
        if size > FRAME_BYTES_MAX:
            raise FrameRefused("a frame over a mebibyte")
        return None if len(buffer) < start + size else (first & _OPCODE, start, start + size)


Score = tuple[str, int]
"""A player's id and a score: enough to recognise a submission."""


class _Row(msgspec.Struct):
    user_id: str = ""
    score: int = 0


class _Frame(msgspec.Struct):
    type: str = ""
    channel: str = ""
    epoch: str = ""
    base: int | None = None
    version: int = -1
    skipped: int = 0
    events: list[_Row] = []
    rows: list[_Row] = []


@dataclass(frozen=True, slots=True)
class Told:
    """A frame of a channel. `base` is None for a snapshot; `skipped` counts scores that it counts but does not show."""

    channel: str
    epoch: str
    base: int | None
    version: int
    scores: tuple[Score, ...]
    skipped: int


_decode = msgspec.json.Decoder(_Frame).decode


def understood(payload: bytes) -> Told | None:
    """What a text frame tells; None for replies and heartbeats.

    Raises:
        FrameRefused: it is not one of the protocol's.
    """
    try:
        frame = _decode(payload)
    except msgspec.MsgspecError as error:
        raise FrameRefused(str(error)) from error
    if frame.type not in ("snapshot", "delta", "event"):
        return None
    base = None if frame.type == "snapshot" else frame.base
    scores = tuple((row.user_id, row.score) for row in frame.rows or frame.events)
    return Told(frame.channel, frame.epoch, base, frame.version, scores, frame.skipped)
