"""Identifiers: time-ordered UUIDs (RFC 9562, version 7), so new rows land at the end of an index."""

import os
import time
from uuid import UUID

_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)


def uuid7(unix_ms: int, random_bits: int) -> UUID:
    """Build a version 7 UUID from milliseconds since 1970 and 74 random bits (pure)."""
    high, low = divmod(random_bits & ((1 << 74) - 1), 1 << 62)
    return UUID(int=(unix_ms << 80) | _VERSION_AND_VARIANT | (high << 64) | low)


def new_id() -> UUID:
    """A fresh version 7 UUID."""
    return uuid7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big"))
