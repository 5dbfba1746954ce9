"""What must hold, and whether it did: thresholds over a run's numbers, and the one word that sums a run up. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """What a threshold speaks of; names as in crds/loadtest.yaml."""

    P50_LATENCY_MS = "P50LatencyMs"
    P95_LATENCY_MS = "P95LatencyMs"
    P99_LATENCY_MS = "P99LatencyMs"
    ERROR_PER_MILLE = "ErrorPerMille"
    REQUESTS_PER_SECOND = "RequestsPerSecond"
    P99_FRESHNESS_MS = "P99FreshnessMs"


SHORT_NAMES = {
    "p50_ms": Metric.P50_LATENCY_MS,
    "p95_ms": Metric.P95_LATENCY_MS,
    "p99_ms": Metric.P99_LATENCY_MS,
    "error_per_mille": Metric.ERROR_PER_MILLE,
    "requests_per_second": Metric.REQUESTS_PER_SECOND,
    "p99_freshness_ms": Metric.P99_FRESHNESS_MS,
}
"""How the command line names them; the resource's own names are understood too."""


class Side(StrEnum):
    """Which side of the border is good."""

    AT_MOST = "AtMost"
    AT_LEAST = "AtLeast"


class Verdict(StrEnum):
    """Whether the thresholds held. Inconclusive: the numbers say more about the generator than about the platform."""

    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"


class ThresholdRefused(ValueError):
    """A text that is no threshold."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One border, inclusive."""

    metric: Metric
    op: Side
    value: float

    @property
    def key(self) -> Metric:
        """A run has one threshold a metric, as the resource's list is a map by it."""
        return self.metric

    @property
    def text(self) -> str:
        """As one writes it on the command line: `p99_ms<=50`."""
        short = next(name for name, metric in SHORT_NAMES.items() if metric is self.metric)
        return f"{short}{'<=' if self.op is Side.AT_MOST else '>='}{self.value:g}"

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """`p99_ms<=50`, or `P99LatencyMs<=50`.

        Raises:
            ThresholdRefused: it is neither.
        """
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=)\s*(\d{1,16}(?:\.\d{1,6})?)\s*", text)
        names = SHORT_NAMES | {metric.value: metric for metric in Metric}
        if match is None or match[1] not in names:
            raise ThresholdRefused(f"{text!r} is not a threshold like p99_ms<=50; known: {', '.join(SHORT_NAMES)}")
        return cls(names[match[1]], Side.AT_MOST if match[2] == "<=" else Side.AT_LEAST, float(match[3]))


@dataclass(frozen=True, slots=True)
class Check:
    """One threshold held against a run; `measured` is None if the run has no such number."""

    metric: Metric
    op: Side
    value: float
    measured: float | None
    held: bool


def check(threshold: Threshold, numbers: Mapping[Metric, float | None]) -> Check:
    """Hold a threshold against a run. A number that is not there holds nothing."""
    measured = numbers.get(threshold.metric)
    held = measured is not None and (
        measured <= threshold.value if threshold.op is Side.AT_MOST else measured >= threshold.value
    )
    return Check(threshold.metric, threshold.op, threshold.value, measured, held)


def verdict(checks: Sequence[Check], doubts: Sequence[str]) -> Verdict:
    """The run in one word. Doubts (reasons to believe the generator was measured) come before any threshold."""
    if doubts:
        return Verdict.INCONCLUSIVE
    return Verdict.PASSED if all(one.held for one in checks) else Verdict.FAILED
