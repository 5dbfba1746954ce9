"""Latencies as histograms: three significant digits between a microsecond and an hour, as bytes that merge.

Percentiles of several runners or seconds are never averaged: their histograms are added, which loses nothing.
"""

from collections.abc import Iterable

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # the package carries no types

LOWEST_US, HIGHEST_US, DIGITS = 1, 3_600_000_000, 3
_US = 1e6
_MS = 1e3


class Histogram:
    """A histogram of times; recorded in seconds, told in milliseconds."""

    def __init__(self, inner: HdrHistogram | None = None) -> None:
        self._inner = inner or HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS, b64_wrap=False)
        self._record = self._inner.record_value

    @classmethod
    def decoded(cls, encoded: bytes) -> "Histogram":
        """From `encoded()` bytes.

        Raises:
            ValueError: they are something else.
        """
        try:
            return cls(HdrHistogram.decode(encoded, b64_wrap=False))
        except Exception as error:  # the library raises whatever base64, zlib and its own code happen to
            raise ValueError("not an encoded histogram") from error

    @classmethod
    def merged(cls, parts: "Iterable[bytes]") -> "Histogram":
        """The histogram of all that the encoded parts hold."""
        whole = cls()
        for part in parts:
            whole.add(cls.decoded(part))
        return whole

    def record(self, seconds: float, count: int = 1) -> None:
        """Count a time, held to the range; times under a microsecond count as one."""
        value = int(seconds * _US)
        self._record(min(max(value, LOWEST_US), HIGHEST_US), count)

    def add(self, other: "Histogram") -> None:
        """Count all that another one holds."""
        self._inner.add(other._inner)  # noqa: SLF001 - another of the same class

    def encoded(self) -> bytes:
        """As bytes: HdrHistogram's V2 format, compressed; as base64 (in JSON) any HdrHistogram library reads it."""
        encoded: bytes = self._inner.encode()
        return encoded

    def clear(self) -> None:
        """Forget all."""
        self._inner.reset()

    @property
    def count(self) -> int:
        """How many times were counted."""
        return int(self._inner.get_total_count())

    def percentile_ms(self, percent: float) -> float:
        """The time that so many per cent did not exceed; 0 of nothing."""
        return float(self._inner.get_value_at_percentile(percent)) / _MS if self.count else 0.0

    @property
    def max_ms(self) -> float:
        """The longest; 0 of nothing."""
        return float(self._inner.get_max_value()) / _MS if self.count else 0.0
