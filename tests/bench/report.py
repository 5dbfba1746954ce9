"""Many runs to few numbers: medians with their spread, ratios taken within each round, and the lines that show them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

GENERATOR_BOUND = 0.8
"""Above this share of a core the load generator may be what was measured."""

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """A median and the range it was taken from."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of at least one value."""
        found = list(values)
        return cls(median(found), min(found), max(found))

    def text(self, digits: int = 0, unit: str = "") -> str:
        """As `median (lowest-highest)`."""
        return f"{self.median:,.{digits}f}{unit} ({self.lowest:,.{digits}f}-{self.highest:,.{digits}f})"


@dataclass(frozen=True)
class Row:
    """All runs of one variant."""

    name: str
    rate: Spread
    p50_ms: Spread
    p99_ms: Spread
    per_cpu_second: Spread
    cpu_share: dict[str, float]
    """Cores each server used, where it was more than a fiftieth of one."""
    generator_cpu: Spread

    @classmethod
    def of(cls, name: str, runs: Sequence[Result]) -> "Row":
        """Of the runs' results."""
        cores = {
            server: median(run["servers_cpu_s"][server] / run["seconds"] for run in runs)
            for server in runs[0]["servers_cpu_s"]
        }
        return cls(
            name,
            Spread.of(run["rate"] for run in runs),
            Spread.of(run["p50_ms"] for run in runs),
            Spread.of(run["p99_ms"] for run in runs),
            Spread.of(run["operations"] / max(sum(run["servers_cpu_s"].values()), 0.01) for run in runs),
            {server: round(used, 2) for server, used in cores.items() if used > 0.02},
            Spread.of(run["generator_cpu"] for run in runs),
        )

    def lines(self) -> list[str]:
        """For people."""
        bound = "  ! the generator is the bottleneck" if self.generator_cpu.median > GENERATOR_BOUND else ""
        cores = ", ".join(f"{server} {used:.2f}" for server, used in self.cpu_share.items())
        latency = f"p50 {self.p50_ms.text(2, ' ms')}   p99 {self.p99_ms.text(2, ' ms')}"
        spent = f"cores: {cores}; generator {self.generator_cpu.median:.2f}{bound}"
        return [
            f"  {self.name:<26} {self.rate.text():>26} /s   {latency}",
            f"  {'':<26} {self.per_cpu_second.text():>26} per CPU-second   {spent}",
        ]


@dataclass(frozen=True)
class Goal:
    """A number to reach; `least` or else at most."""

    what: str
    measured: Spread
    limit: float
    least: bool = True

    @property
    def reached(self) -> bool:
        """Whether the median does."""
        return self.measured.median >= self.limit if self.least else self.measured.median <= self.limit

    def line(self) -> str:
        """For people."""
        sign, mark = ("≥" if self.least else "≤"), ("reached" if self.reached else "MISSED")
        digits = 0 if self.limit >= 50 else 2
        return f"  {mark:<8} {self.what}: {self.measured.text(digits)}, reach {sign} {self.limit:,}"


def ratio(one: Sequence[Result], other: Sequence[Result], field: str = "rate") -> Spread:
    """One over the other, round by round: what disturbs a round disturbs both."""
    return Spread.of(a[field] / b[field] for a, b in zip(one, other, strict=True))


def as_document(value: Any) -> Any:
    """Dataclasses to what JSON takes."""
    return asdict(value)
