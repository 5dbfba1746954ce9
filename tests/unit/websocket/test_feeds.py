"""The numbers of a feed, and what fits into a frame."""

import json

from hypothesis import given
from hypothesis import strategies as st

from palio_websocket import frames
from palio_websocket.domain import EVENTS_BYTES_MAX, EVENTS_MAX, FRAME_BYTES_MAX, ChannelName, Ring, newest_within

bursts = st.lists(st.integers(0, 120), max_size=12)


def event(number: int, size: int = 0) -> bytes:
    return b'{"n":%d,"pad":"%b"}' % (number, b"x" * size)


@given(bursts)
def test_every_event_is_told_or_counted_as_skipped(burst_sizes: list[int]) -> None:
    ring, happened, version = Ring("e"), 0, 0
    for size in burst_sizes:
        for _ in range(size):
            happened += 1
            ring.add(event(happened))
        told = ring.tell()
        if not size:
            assert told is None
            continue
        assert told is not None
        assert told.base == version
        assert told.version - told.base == len(told.events) + told.skipped == size
        assert list(told.events) == [event(number) for number in range(happened - len(told.events) + 1, happened + 1)]
        version = told.version
    assert ring.version == happened


@given(bursts)
def test_a_snapshot_holds_the_newest_that_were_told(burst_sizes: list[int]) -> None:
    ring, told_events = Ring("e"), []
    for size in burst_sizes:
        for number in range(size):
            ring.add(event(number))
        told = ring.tell()
        told_events += list(told.events) if told else []
    ring.add(event(10**6))
    assert list(ring.events()) == told_events[-EVENTS_MAX:]


@given(st.lists(st.integers(0, 30_000), max_size=80))
def test_frames_of_events_stay_within_the_bound(sizes: list[int]) -> None:
    ring, name = Ring("e"), ChannelName("score", "score")
    for number, size in enumerate(sizes):
        ring.add(event(number, size))
    told = ring.tell()
    if told is not None:
        assert len(frames.events(name, "e", told)) <= FRAME_BYTES_MAX
        assert len(frames.feed_snapshot(name, ring, None)) <= FRAME_BYTES_MAX
        assert told.skipped + len(told.events) == len(sizes)


def test_a_tournament_leaves_less_room_for_its_events() -> None:
    ring, name = Ring("e"), ChannelName("tournament:x", "tournament", "x")
    for number in range(50):
        ring.add(event(number, 1_000))
    assert ring.tell() is not None
    frame = frames.feed_snapshot(name, ring, b'{"pad":"%b"}' % (b"x" * 40_000))
    assert len(frame) <= FRAME_BYTES_MAX
    shown = json.loads(frame[4:])["events"]
    assert 0 < len(shown) < 50
    assert shown[-1]["n"] == 49


def test_a_new_history_counts_from_zero_and_keeps_what_is_at_hand() -> None:
    ring = Ring("one")
    ring.add(event(1))
    assert ring.tell() is not None
    ring.add(event(2))
    ring.restart("two")
    assert (ring.epoch, ring.version, list(ring.events())) == ("two", 0, [event(1), event(2)])
    assert ring.tell() is None


def test_a_refilled_history_holds_what_it_was_given() -> None:
    ring = Ring("one")
    ring.add(event(1))
    ring.restart("two", [event(7)] * 60)
    assert list(ring.events()) == [event(7)] * 50


@given(st.lists(st.binary(max_size=50)), st.integers(0, 500))
def test_the_newest_that_fit_are_kept(events: list[bytes], bytes_max: int) -> None:
    kept = list(newest_within(events, bytes_max))
    assert kept == events[len(events) - len(kept) :]
    assert sum(len(one) + 1 for one in kept) <= bytes_max
    if len(kept) < len(events):
        assert sum(len(one) + 1 for one in kept) + len(events[-len(kept) - 1]) + 1 > bytes_max


def test_the_bound_of_events_leaves_room_for_their_frame() -> None:
    assert EVENTS_BYTES_MAX + 1_000 < FRAME_BYTES_MAX
