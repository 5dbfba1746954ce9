"""Clients that are wrong, slow, silent, foreign or too many: told so, and harmless to the others."""

import asyncio
import base64
import json
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import websockets
from prometheus_client import REGISTRY

from integration.websocket.conftest import USER_IDS, Stream
from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually

GLOBAL = "leaderboard:global"
ME, OTHER = UUID(USER_IDS[1]), UUID(USER_IDS[2])
VALID_S = 5
"""How long a token is valid whose end is awaited: long enough to be shown in time on a busy machine."""

StreamOf = Callable[..., Stream]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("", "malformed_json"),
        ("{", "malformed_json"),
        ('{"type":"ping"', "malformed_json"),
        ('{"type":"ping","at":NaN}', "malformed_json"),
        ('{"type":"resync","channel":"\\ud800"}', "malformed_json"),
        ("[" * 60_000, "invalid_message"),
        ("null", "invalid_message"),
        ("[]", "invalid_message"),
        ('{"type":"publish"}', "invalid_message"),
        ('{"channels":["score"]}', "invalid_message"),
        ('{"type":"subscribe"}', "invalid_message"),
        ('{"type":"subscribe","channels":[]}', "invalid_message"),
        ('{"type":"subscribe","channels":"score"}', "invalid_message"),
        ('{"type":"subscribe","channels":[1]}', "invalid_message"),
        ('{"type":"subscribe","channels":["score"],"token":1}', "invalid_message"),
        ('{"type":"resync","channel":"score"}', "not_subscribed"),
        ('{"type":"subscribe","channels":["nothing"]}', "unknown_channel"),
    ],
)
async def test_messages_that_are_wrong_are_answered_and_the_socket_stays(
    stream: Stream, message: str, code: str
) -> None:
    async with stream.connect() as client:
        await client.socket.send(message)
        error = await client.next("error")
        assert error["code"] == code
        await client.say(type="ping")
        assert await client.next("pong")


async def test_the_twentieth_error_closes(stream: Stream) -> None:
    async with stream.connect() as client:
        for _ in range(20):
            await client.say(type="nonsense")
        assert (await client.closed())[0] == 4500


async def test_a_binary_frame_closes(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.socket.send(b'{"type":"ping"}')
        assert (await client.closed())[0] == 4500


async def test_a_frame_over_64_kib_closes(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.socket.send("x" * 65 * 1024)
        assert (await client.closed())[0] == 1009


async def test_fragments_over_64_kib_close(stream: Stream) -> None:
    async with stream.connect() as client:
        with pytest.raises(websockets.ConnectionClosed) as closing:
            await client.socket.send("x" * 1024 for _ in range(1_000))
            await client.socket.recv()
        assert closing.value.rcvd is not None
        assert closing.value.rcvd.code == 1009


async def test_the_hundred_and_first_channel_is_left_out(stream: Stream) -> None:
    boards = [f"leaderboard:game:g{number}" for number in range(102)]
    for board in boards:
        stream.behind.put(board.removeprefix("leaderboard:"), [1])
    async with stream.connect() as client:
        await client.subscribe(*boards)
        assert (await client.next("subscribed"))["channels"] == boards[:100]
        error = await client.next("error")
        assert (error["code"], error["channel"]) == ("too_many_channels", boards[100])
        await client.subscribe(boards[0])
        assert (await client.next("subscribed"))["channels"] == [boards[0]]
        await client.subscribe("score")
        assert (await client.next("error"))["channel"] == "score"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101), ("http://localhost:3000", 101), ("http://127.0.0.1:49152", 101), ("null", 403),
        ("http://evil.test", 403), ("http://localhost.evil.test", 403), ("", 403),
    ],
)  # fmt: skip
async def test_pages_of_other_origins_are_refused_at_the_handshake(
    stream: Stream, origin: str | None, status: int
) -> None:
    answer, _ = await handshake(stream, {} if origin is None else {"Origin": origin})
    assert answer == status


@pytest.mark.parametrize(("origin", "status"), [("http://localhost:3000", 101), ("http://localhost:3001", 403)])
async def test_outside_the_demo_only_named_origins_may_connect(stream_of: StreamOf, origin: str, status: int) -> None:
    answer, _ = await handshake(stream_of(profile="production"), {"Origin": origin})
    assert answer == status


async def test_another_path_is_not_found(stream: Stream) -> None:
    assert (await handshake(stream, path="/ws/other"))[0] == 404


async def test_too_many_sockets_are_told_to_come_later(stream_of: StreamOf) -> None:
    stream = stream_of(sockets_max=1)
    async with stream.connect() as client:
        await client.say(type="ping")
        await client.next("pong")
        status, headers = await handshake(stream)
        assert (status, headers["retry-after"]) == (503, "5")

    async def room_again() -> bool:
        return (await handshake(stream))[0] == 101

    await eventually(room_again)


async def test_too_many_handshakes_are_told_to_come_later(stream_of: StreamOf) -> None:
    stream = stream_of(accepts_per_second=0.1, accepts_burst=2)
    answers = [await handshake(stream) for _ in range(3)]
    assert [status for status, _ in answers] == [101, 101, 503]
    assert int(answers[2][1]["retry-after"]) >= 1


async def test_a_client_that_answers_no_ping_is_closed(stream_of: StreamOf) -> None:
    stream = stream_of(ping_interval_s=0.2, ping_timeout_s=0.3, close_timeout_s=0.3)
    reader, writer = await raw_socket(stream)
    try:
        async with asyncio.timeout(20):
            data = await reader.read(-1)
    finally:
        writer.close()
    assert b"\x88" in data
    assert (4002).to_bytes(2, "big") in data


async def test_a_slow_reader_gets_the_newest_snapshot_once_it_reads(stream_of: StreamOf) -> None:
    stream = stream_of(frame_interval_ms=10, held_back_bytes=2_048)
    left_out = _metric("palio_live_left_out_frames_total")
    async with stream.connect(sock=small_socket(stream), max_queue=1) as client:
        await client.subscribe(GLOBAL)
        await client.next("snapshot")
        version = 1

        async def left_out_some() -> bool:
            nonlocal version
            for _ in range(5):
                version = stream.behind.put("global", [version * 1_000 + player for player in range(100)])
                stream.source.scores({"global": ("e1", version)})
            return _metric("palio_live_left_out_frames_total") > left_out + 20

        await eventually(left_out_some, within_s=120)
        held, deltas_after, jumped = 1, 0, 0
        async with asyncio.timeout(60):
            while held < version:
                frame = json.loads(await client.socket.recv())
                if frame["type"] == "delta":
                    assert frame["base"] == held
                    deltas_after += 1
                elif frame["type"] == "snapshot":
                    jumped += frame["version"] > held + 1
                held = frame.get("version", held)
        assert deltas_after > 0
        assert jumped > 0


async def test_a_reader_that_stays_slow_is_closed(stream_of: StreamOf) -> None:
    stream = stream_of(
        frame_interval_ms=10, held_back_bytes=2_048, slow_bytes_max=4_096, slow_s=1, heartbeat_interval_ms=100
    )
    async with stream.connect(sock=small_socket(stream), max_queue=1) as client, stream.connect() as healthy:
        await client.subscribe(GLOBAL)
        await healthy.subscribe("score")
        closed = _metric("palio_live_closed_total", code="4001")
        version = 0

        async def is_closed() -> bool:
            nonlocal version
            version += 1
            changed = stream.behind.put("global", [version * 1_000 + player for player in range(100)])
            stream.source.scores({"global": ("e1", changed)})
            return _metric("palio_live_closed_total", code="4001") > closed

        await eventually(is_closed, within_s=120)
        assert await healthy.next("heartbeat")


async def test_a_flood_of_messages_slows_the_flooder_only(stream_of: StreamOf) -> None:
    stream = stream_of(messages_per_second=4, messages_burst=10)
    async with stream.connect() as flooder, stream.connect() as other:
        began = time.monotonic()
        for _ in range(80):
            await flooder.say(type="ping")
        await other.say(type="ping")
        assert await other.next("pong", within_s=10), "the flooder's last one comes after 17 s"
        for _ in range(20):
            await flooder.next("pong")
        assert time.monotonic() - began > (20 - 10) / 4 - 0.1, "beyond the burst each had to wait its turn"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (lambda issuer: None, "token_needed"),
        (lambda issuer: "nonsense", "token_refused"),
        (lambda issuer: issuer.access_token(ME, valid_s=-60), "token_refused"),
        (lambda issuer: Issuer().access_token(ME), "token_refused"),
        (lambda issuer: issuer.access_token(OTHER), "not_yours"),
        (lambda issuer: issuer.access_token(OTHER, roles=("admin",)), "not_yours"),
    ],
)
async def test_a_players_channel_is_his_alone(stream: Stream, issuer: Issuer, token: Any, code: str) -> None:
    async with stream.connect() as client:
        await client.subscribe(f"player:{ME}", "score", token=token(issuer))
        assert (await client.next("subscribed"))["channels"] == ["score"]
        error = await client.next("error")
        assert (error["code"], error["channel"]) == (code, f"player:{ME}")


async def test_a_players_channel_ends_with_his_token(stream: Stream, issuer: Issuer) -> None:
    async with stream.connect() as client:
        await client.subscribe(f"player:{ME}", "score", token=issuer.access_token(ME, valid_s=VALID_S))
        assert len((await client.next("subscribed"))["channels"]) == 2
        error = await client.next("error")
        assert (error["code"], error["channel"]) == ("token_refused", f"player:{ME}")
        assert list((await client.next("heartbeat"))["versions"]) == ["score"]


async def test_a_renewed_token_keeps_the_channel(stream: Stream, issuer: Issuer) -> None:
    async with stream.connect() as client:
        await client.subscribe(f"player:{ME}", token=issuer.access_token(ME, valid_s=VALID_S))
        first_ends = datetime.now(UTC) + timedelta(seconds=VALID_S)
        await client.subscribe("score", token=issuer.access_token(ME))
        while datetime.fromisoformat((await client.next("heartbeat"))["at"]) < first_ends:
            pass
        # Tokens end right after a heartbeat, so it is the next one that tells.
        assert sorted((await client.next("heartbeat"))["versions"]) == [f"player:{ME}", "score"]


async def test_somebody_elses_token_ends_the_first_ones_channel(stream: Stream, issuer: Issuer) -> None:
    async with stream.connect() as client:
        await client.subscribe(f"player:{ME}", token=issuer.access_token(ME))
        await client.next("snapshot")
        await client.subscribe(f"player:{OTHER}", token=issuer.access_token(OTHER))
        error = await client.next("error")
        assert (error["code"], error["channel"]) == ("not_yours", f"player:{ME}")
        assert (await client.next("snapshot"))["channel"] == f"player:{OTHER}"


async def test_outside_the_demo_nothing_is_told_without_a_token(stream_of: StreamOf, issuer: Issuer) -> None:
    stream = stream_of(profile="production")
    async with stream.connect() as client:
        await client.subscribe("score")
        assert (await client.next("error"))["code"] == "token_needed"
        assert await client.closed() == (4501, "token_needed")
    async with stream.connect() as client:
        await client.subscribe("score", token=issuer.access_token(ME, valid_s=VALID_S))
        assert (await client.next("snapshot"))["channel"] == "score"
        assert await client.closed() == (4501, "token expired")


async def test_outside_the_demo_who_stays_silent_is_closed(stream_of: StreamOf) -> None:
    async with stream_of(profile="production", first_token_s=1).connect() as client:
        assert await client.closed() == (4501, "no token")


async def test_ten_thousand_subscriptions_stay_within_the_bound(stream: Stream) -> None:
    async with stream.connect() as client:
        for first in range(0, 1_000, 500):
            await client.subscribe(*(f"player:{UUID(int=number)}" for number in range(first, first + 500)))
        assert (await client.next("subscribed"))["channels"] == []
        await client.say(type="ping")
        assert await client.next("pong")


def small_socket(stream: Stream) -> socket.socket:
    """A connected socket whose kernel takes little in advance."""
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connected.connect(("127.0.0.1", int(stream.http_url.rpartition(":")[2])))
    return connected


async def raw_socket(
    stream: Stream, headers: dict[str, str] | None = None, path: str = "/ws/main"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has sent its handshake, and answers nothing by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(stream.http_url.rpartition(":")[2]))
    fields = {
        "Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    } | (headers or {})  # fmt: skip
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    writer.write("\r\n".join(lines).encode())
    return reader, writer


async def handshake(
    stream: Stream, headers: dict[str, str] | None = None, path: str = "/ws/main"
) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer; the connection is closed then."""
    reader, writer = await raw_socket(stream, headers, path)
    try:
        async with asyncio.timeout(20):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    finally:
        writer.close()
    pairs = (line.partition(": ") for line in head[1:] if line)
    return int(head[0].split()[1]), {name.lower(): value for name, _, value in pairs}


def _metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0
