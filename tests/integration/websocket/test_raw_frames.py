"""Bytes that no client library would send: the socket is closed for a reason, the others notice nothing."""

import asyncio
import random
import struct

import pytest

from integration.websocket.conftest import Stream
from integration.websocket.test_misuse import handshake, raw_socket

MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, masked: bool = True) -> bytes:
    first = (0x80 if fin else 0) | (reserved << 4) | opcode
    size, extended = (len(payload), b"") if len(payload) < 126 else (126, struct.pack("!H", len(payload)))
    if not masked:
        return bytes([first, size]) + extended + payload
    covered = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))
    return bytes([first, 0x80 | size]) + extended + MASK + covered


TEXT, BINARY, CONTINUATION, CLOSE, PING = 1, 2, 0, 8, 9

BAD = {
    "unmasked": (frame(TEXT, b"{}", masked=False), 1002),
    "reserved bit": (frame(TEXT, b"{}", reserved=4), 1002),
    "reserved opcode": (frame(3, b"{}"), 1002),
    "reserved control opcode": (frame(11), 1002),
    "bad UTF-8": (frame(TEXT, b"\xff\xfe"), 1007),
    "bad UTF-8 over two fragments": (frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b"\x28"), 1007),
    "long ping": (frame(PING, b"x" * 126), 1002),
    "fragmented ping": (frame(PING, b"x", fin=False), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "text within a fragmented text": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"), 1002),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close with a code nobody may send": (frame(CLOSE, struct.pack("!H", 1005)), 1002),
    "announced size of 2^63": (bytes([0x81, 0xFF]) + b"\xff" * 8 + MASK, 1009),
    "announced size over the bound": (bytes([0x81, 0xFF]) + struct.pack("!Q", 65_537) + MASK, 1009),
    "fragmented binary": (frame(BINARY, b"x", fin=False), 4500),
}


@pytest.mark.parametrize("case", BAD)
async def test_malformed_frames_close_with_a_reason(stream: Stream, case: str) -> None:
    data, code = BAD[case]
    async with stream.connect() as healthy:
        await healthy.subscribe("score")
        received = await _after(stream, data)
        assert struct.pack("!H", code) == received[2:4], received
        assert await healthy.next("heartbeat")


async def test_random_bytes_end_nothing_but_their_own_socket(stream: Stream) -> None:
    chance = random.Random(7461)
    async with stream.connect() as healthy:
        await healthy.subscribe("leaderboard:global")
        await healthy.next("snapshot")
        for _ in range(150):
            valid = frame(TEXT, b'{"type":"ping"}')
            noise = chance.randbytes(chance.randrange(1, 64))
            cut = chance.randrange(len(valid))
            await _after(stream, chance.choice([noise, valid[:cut] + noise, valid + noise]), patience_s=0.02)
        await healthy.say(type="ping")
        assert await healthy.next("pong")
        assert (await healthy.next("heartbeat"))["versions"]


async def test_compression_is_declined(stream: Stream) -> None:
    status, headers = await handshake(stream, {"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert status == 101
    assert "sec-websocket-extensions" not in headers


async def test_pings_within_the_protocol_are_answered(stream: Stream) -> None:
    assert await _after(stream, frame(PING, b"hello")) == b"\x8a\x05hello"


async def _after(stream: Stream, data: bytes, *, patience_s: float = 20) -> bytes:
    """What the server says after these bytes, heartbeats aside, until it is silent or gone."""
    reader, writer = await raw_socket(stream)
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        async with asyncio.timeout(patience_s):
            received = await reader.read(4_096)
            while received.startswith(b"\x81"):
                received = received[2 + received[1] :] or await reader.read(4_096)
            return received
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        writer.close()
