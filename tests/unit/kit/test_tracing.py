"""W3C Trace Context."""

import pytest

from palio_kit import tracing


def test_a_trace_is_continued_with_a_span_of_our_own() -> None:
    trace = tracing.continue_or_start(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert trace.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert trace.span_id != "b7ad6b7169203331"
    assert trace.sampled
    assert trace.traceparent == f"00-{trace.trace_id}-{trace.span_id}-01"


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01",
        b"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        b"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
    ],
)
def test_anything_else_starts_a_new_unsampled_trace(header: bytes | None) -> None:
    trace = tracing.continue_or_start(header)
    assert len(trace.trace_id) == 32
    assert not trace.sampled
