import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_generator.load import frames
from palio_generator.load.frames import FrameRefused, Reader, Told, understood
from palio_generator.load.freshness import Audience, Pending
from palio_websocket import frames as served

ADA, BOB, EVE = ("ada", 10), ("bob", 20), ("eve", 30)


@given(st.lists(st.binary(max_size=70_000), max_size=5), st.integers(1, 4_000))
def test_frames_of_the_service_are_read_however_they_are_cut(payloads: list[bytes], step: int) -> None:
    stream = b"".join(served.text(payload) for payload in payloads)
    reader = Reader()
    found = [frame for at in range(0, len(stream), step) for frame in reader.feed(stream[at : at + step])]
    assert found == [(frames.TEXT, payload) for payload in payloads]


@given(st.binary(max_size=2_000))
def test_what_we_write_is_masked_and_can_be_unmasked(payload: bytes) -> None:
    frame = frames.pong(payload)
    assert frame[1] & 0x80
    start = 2 if len(payload) <= 125 else 4
    key = frame[start : start + 4]
    assert bytes(byte ^ key[at % 4] for at, byte in enumerate(frame[start + 4 :])) == payload


@pytest.mark.parametrize("broken", [b"\x01\x00", b"\x81\x80", b"\x81\x7f" + (2**40).to_bytes(8, "big")])
def test_frames_that_no_server_of_ours_writes_are_refused(broken: bytes) -> None:
    with pytest.raises(FrameRefused):
        list(Reader().feed(broken))


def told(**fields: Any) -> bytes:
    return json.dumps({"channel": "score", "epoch": "e", "base": 1, "version": 3} | fields).encode()


def test_a_frame_is_understood_as_far_as_scores_go() -> None:
    events = [{"kind": "score", "user_id": "ada", "score": 10, "rank": None}]
    assert understood(told(type="event", events=events, skipped=1)) == Told("score", "e", 1, 3, (ADA,), 1)
    rows = [{"rank": 1, "user_id": "bob", "username": "b", "score": 20, "reached_at": "x"}]
    assert understood(told(type="delta", rows=rows, removed=[])) == Told("score", "e", 1, 3, (BOB,), 0)
    assert understood(told(type="snapshot", rows=[])) == Told("score", "e", None, 3, (), 0)
    assert understood(b'{"type":"heartbeat","at":"x","versions":{"score":["e",3]}}') is None
    with pytest.raises(FrameRefused):
        understood(b"[]")


def test_scores_that_a_frame_skips_count_as_told_by_it_and_later_ones_do_not() -> None:
    pending = Pending()
    for at, score in enumerate((ADA, BOB, EVE)):
        pending.sent(score, float(at))
        pending.answered(score)
    assert sorted(pending.seen([BOB], skipped=5)) == [0.0, 1.0]
    assert pending.seen([EVE], skipped=0) == [2.0]


def test_a_score_that_was_not_answered_is_not_taken_to_be_skipped() -> None:
    pending = Pending()
    pending.sent(ADA, 1.0)
    pending.sent(BOB, 2.0)
    pending.answered(BOB)
    assert pending.seen([BOB], skipped=1) == [2.0]
    assert pending.seen([ADA], skipped=0) == [1.0]


def test_a_refused_score_is_never_waited_for() -> None:
    pending = Pending()
    pending.sent(ADA, 1.0)
    pending.failed(ADA)
    assert pending.seen([ADA], skipped=0) == []


def test_every_socket_that_hears_a_frame_counts_with_all_its_scores() -> None:
    pending = Pending()
    audience = Audience(pending)
    audience.measured_from = 0.0
    pending.sent(ADA, 1.0)
    pending.sent(BOB, 1.5)
    frame = Told("score", "e", 1, 3, (ADA, BOB), 0)
    audience.heard(frame, 2.0)
    audience.heard(frame, 3.0)
    assert audience.whole.count == 4
    assert audience.whole.max_ms == pytest.approx(2_000, rel=0.01)


def test_old_scores_in_a_snapshot_are_not_news() -> None:
    pending = Pending()
    audience = Audience(pending)
    pending.sent(ADA, 1.0)
    audience.heard(Told("score", "e", None, 3, (ADA,), 0), 9.0)
    assert audience.second.count == 0
