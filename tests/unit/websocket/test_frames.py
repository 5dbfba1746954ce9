"""Server frames are what RFC 6455 says, whoever reads them."""

from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from palio_websocket import frames


def read(data: bytes) -> list[bytes]:
    client = ClientProtocol(parse_uri("ws://x/"), state=OPEN)
    client.receive_data(data)
    got = client.events_received()
    assert all(isinstance(frame, Frame) and frame.opcode is Opcode.TEXT and frame.fin for frame in got)
    return [bytes(frame.data) for frame in got if isinstance(frame, Frame)]


@given(st.lists(st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000]), max_size=6))
def test_frames_of_every_size_are_read_as_they_were_written(sizes: list[int]) -> None:
    payloads = [b"x" * size for size in sizes]
    assert read(b"".join(frames.text(payload) for payload in payloads)) == payloads


@given(st.text())
def test_any_text_survives(detail: str) -> None:
    (payload,) = read(frames.error("x", detail.encode("utf-8", "replace").decode()))
    assert payload.decode()
