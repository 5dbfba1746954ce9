"""Which request we are in: W3C Trace Context ids carried through a task, cheap enough for every request.

Only ids and the sampled flag travel here; exporting spans is somebody else's work.
"""

import random
import re
from contextvars import ContextVar

import msgspec

_TRACEPARENT = re.compile(rb"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
_NO_TRACE, _NO_SPAN = b"0" * 32, b"0" * 16


class Trace(msgspec.Struct, frozen=True, gc=False):
    """One request's place in a trace; `span_id` is this process's own span. A struct: one is made for each request."""

    trace_id: str
    span_id: str
    sampled: bool

    @property
    def traceparent(self) -> str:
        """The header to send onwards."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def continue_or_start(traceparent: bytes | None) -> Trace:
    """Continue the caller's trace, or start one when the header is missing or malformed."""
    fresh = random.getrandbits(192).to_bytes(24, "big").hex()
    match = _TRACEPARENT.match(traceparent) if traceparent else None
    if match is None or match[1] == _NO_TRACE or match[2] == _NO_SPAN:
        return Trace(fresh[:32], fresh[32:], sampled=False)
    return Trace(match[1].decode(), fresh[32:], sampled=bool(int(match[3], 16) & 1))


_current: ContextVar[Trace | None] = ContextVar("palio_trace", default=None)


def current() -> Trace:
    """The trace of the running task; a background task gets a fresh one."""
    trace = _current.get()
    if trace is None:
        trace = enter(continue_or_start(None))
    return trace


def enter(trace: Trace) -> Trace:
    """Make `trace` the running task's."""
    _current.set(trace)
    return trace
