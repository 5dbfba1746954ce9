"""Loss on pub/sub is noticed."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from palio_kit.events import FAREWELL, Continuity, Envelope


def envelope(source: str, sequence: int, kind: str = "scores") -> Envelope:
    return Envelope(source, sequence, kind, 0.0, "", None)


@given(st.integers(1, 50), st.sets(st.integers(2, 50)))
def test_every_hole_is_noticed_and_nothing_else(count: int, lost: set[int]) -> None:
    continuity = Continuity()
    received = [number for number in range(1, count + 1) if number not in lost]
    noticed = [number for number in received if not continuity.accepts(envelope("a", number), 0.0)]
    assert noticed == [number for before, number in pairwise(received) if number != before + 1]


def test_sources_count_by_themselves() -> None:
    continuity = Continuity()
    assert all(continuity.accepts(envelope(source, 7), 0.0) for source in "abc")
    assert all(continuity.accepts(envelope(source, 8), 0.0) for source in "abc")


def test_a_repeated_event_is_not_continuous() -> None:
    continuity = Continuity()
    assert continuity.accepts(envelope("a", 1), 0.0)
    assert not continuity.accepts(envelope("a", 1), 0.0)


def test_silence_of_a_known_source_is_told_once() -> None:
    continuity = Continuity()
    continuity.accepts(envelope("a", 1), 0.0)
    assert not continuity.fell_silent(2.9)
    assert continuity.fell_silent(3.1)
    assert not continuity.fell_silent(9.0)


def test_a_source_that_said_farewell_may_be_silent() -> None:
    continuity = Continuity()
    continuity.accepts(envelope("a", 1), 0.0)
    continuity.accepts(envelope("a", 2, FAREWELL), 0.0)
    assert not continuity.fell_silent(100.0)
