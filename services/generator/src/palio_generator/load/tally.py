"""What is counted while a run goes on: per endpoint, per second, and how honest the schedule was."""

import os
import time
from collections import Counter
from dataclasses import dataclass, field

from palio_generator.load.connections import Exchange
from palio_generator.load.histograms import Histogram
from palio_generator.load.results import Endpoint, Second, endpoint_of
from palio_generator.load.schedule import Kind

_SUCCESS = range(200, 300)


@dataclass(slots=True)
class EndpointTally:
    """One endpoint's histograms. A refusal is quick and would flatter them: only its number is kept."""

    requests: int = 0
    errors: int = 0
    response: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)


@dataclass(slots=True)
class _Running:
    """The counts of the second that is under way."""

    due: int = 0
    answered: int = 0
    errors: int = 0


class Tally:
    """Counts of one run. Moments are of the monotonic clock; measured is what was due in `measured_from..ends`."""

    def __init__(self, *, started: float, measured_from: float, ends: float) -> None:
        self.started = started
        self.measured_from = measured_from
        self.ends = ends
        self.endpoints: dict[Kind, EndpointTally] = {}
        self.schedule_error = Histogram()
        self.errors_by_class: Counter[str] = Counter()
        self.due = 0
        self.handed_in_time = 0
        self.in_flight = 0
        self.answered_in_time = 0
        self._second = _Running()
        self._second_latencies = Histogram()
        self._clock = Clock()

    def handed(self, due_at: float, now: float) -> None:
        """A request's moment came, and it left the schedule."""
        self._second.due += 1
        self.in_flight += 1
        if due_at >= self.measured_from:
            self.due += 1
            self.schedule_error.record(now - due_at)
            if now < self.ends:
                self.handed_in_time += 1

    def done(self, exchange: Exchange, now: float) -> None:
        """It ended, one way or the other."""
        self.in_flight -= 1
        succeeded = exchange.status in _SUCCESS
        response_s = now - exchange.due_at
        self._second.answered += exchange.status > 0
        self._second.errors += not succeeded
        if self.measured_from <= now < self.ends and exchange.status:
            self.answered_in_time += 1
        is_timed = succeeded or not exchange.status
        if is_timed:
            self._second_latencies.record(response_s)
        if exchange.due_at >= self.measured_from:
            self._count(exchange, now, succeeded=succeeded, is_timed=is_timed)

    def second(self, number: int, *, sent: int, sockets: int, freshness: Histogram) -> Second:
        """The row of the second that ends now; the next one begins."""
        running, latencies = self._second, self._second_latencies
        row = Second(
            second=number,
            due=running.due,
            sent=sent,
            answered=running.answered,
            errors=running.errors,
            in_flight=self.in_flight,
            p50_ms=latencies.percentile_ms(50),
            p95_ms=latencies.percentile_ms(95),
            p99_ms=latencies.percentile_ms(99),
            max_ms=latencies.max_ms,
            freshness_p99_ms=freshness.percentile_ms(99) if freshness.count else None,
            sockets=sockets,
            generator_cpu=self._clock.share(),
            latencies=latencies.encoded(),
            freshness=freshness.encoded(),
        )
        self._second = _Running()
        self._second_latencies = Histogram()
        return row

    def told(self) -> tuple[Endpoint, ...]:
        """The endpoints' numbers."""
        return tuple(
            endpoint_of(kind.value, one.requests, one.errors, one.response, one.service)
            for kind, one in self.endpoints.items()
        )

    def _count(self, exchange: Exchange, now: float, *, succeeded: bool, is_timed: bool) -> None:
        tally = self.endpoints.get(exchange.call.kind)
        if tally is None:
            tally = self.endpoints[exchange.call.kind] = EndpointTally()
        tally.requests += 1
        if not succeeded:
            tally.errors += 1
            self.errors_by_class[exchange.failure or f"http_{exchange.status}"] += 1
        if is_timed:
            tally.response.record(now - exchange.due_at)
            tally.service.record(now - (exchange.sent_at or exchange.due_at))


class Clock:
    """This process's processor time, as a share of a core since the last look."""

    def __init__(self) -> None:
        self._cpu_s, self._at = time.process_time(), time.monotonic()

    def share(self) -> float:
        """Since the last look."""
        cpu_s, at = time.process_time(), time.monotonic()
        used = (cpu_s - self._cpu_s) / max(at - self._at, 1e-6)
        self._cpu_s, self._at = cpu_s, at
        return used


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
