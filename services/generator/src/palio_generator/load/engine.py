"""One runner's run, from the plan to the report.

The one decision worth knowing: nothing here waits for an answer before it sends the next request. The schedule says
when, the pacer wakes us then, and whatever is late, in us or in the platform, shows in the numbers.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

from palio_generator.load import stage, targets
from palio_generator.load.connections import Exchange, Pool
from palio_generator.load.environment import environment
from palio_generator.load.freshness import FORGET_S, Audience, Pending
from palio_generator.load.histograms import Histogram
from palio_generator.load.listeners import Listeners
from palio_generator.load.pacer import Pacer, pacer
from palio_generator.load.plan import Plan
from palio_generator.load.players import FRESH_S, Tell
from palio_generator.load.requests import Requests
from palio_generator.load.results import Report, Second, freshness_of, judged
from palio_generator.load.schedule import Call, Kind, Traffic
from palio_generator.load.stage import Stage, Surroundings
from palio_generator.load.tally import Clock, Tally
from palio_generator.load.targets import Place
from palio_generator.load.verdicts import Verdict
from palio_kit.problems import Problem

LIVE_PATH = "/ws/main"
CATCH_UP_MAX = 256
"""Requests sent at one wake at most: after a stall of our own, answers are read in between."""
_LEAD_S = 0.05
_DRAIN_MORE_S = 1.0
_RENEWAL_LOOK_S = 15.0

OnSecond = Callable[[Second], None]


@asynccontextmanager
async def prepared(plan: Plan, surroundings: Surroundings, tell: Tell) -> AsyncIterator["Run"]:
    """Everything opened and made that the plan's load needs.

    Raises:
        TargetRefused: load may not go there.
        Problem, NoStage, OSError, TimeoutError: the platform is not there, or does not let us in.
    """
    target = targets.read_target(plan.base_url, plan.allowed_hosts)
    place = await asyncio.to_thread(targets.resolve, target)
    live = await asyncio.to_thread(targets.resolve, _live_target(plan))
    async with stage.opened(plan, place, surroundings, tell) as set_stage:
        run = Run(plan, place, live, set_stage, surroundings)
        try:
            await run.open(tell)
            yield run
        finally:
            run.close()


def _live_target(plan: Plan) -> targets.Target:
    url = plan.live_url or plan.base_url.rstrip("/").replace("http", "ws", 1) + LIVE_PATH
    return targets.read_target(url, plan.allowed_hosts, schemes=("ws", "wss"))


def soon() -> float:
    """The earliest moment a run may begin (seconds since 1970)."""
    return time.time() + _LEAD_S


class Run:
    """One run. `open`, then `measure`, then `close`; `stop` ends it early."""

    def __init__(self, plan: Plan, place: Place, live: Place, set_stage: Stage, surroundings: Surroundings) -> None:
        self._plan = plan
        self._stage = set_stage
        self._surroundings = surroundings
        self._feed, self._board = Pending(), Pending()
        self._audiences = {"feed": Audience(self._feed), "board": Audience(self._board)}
        channels = set_stage.channels
        named = dict(zip(channels, self._audiences.values(), strict=True))
        self._listeners = Listeners(live, channels, named)
        connections = min(plan.connections_max, max(8, len(plan.own_users)))
        self._pool = Pool(place, size=connections, timeout_s=plan.request_timeout_s, done=self._done)
        self._requests = Requests(place.target, set_stage)
        self._calls: Iterator[Call] = Traffic(plan, set_stage.game).calls()
        self._next: Call | None = None
        self._started = 0.0
        self._ends = 0.0
        self._tally = Tally(started=0.0, measured_from=0.0, ends=0.0)
        self._pacer: Pacer | None = None
        self._over = asyncio.Event()
        self._drained = asyncio.Event()
        self._was_stopped = False
        self._sockets_max = 0

    async def open(self, tell: Tell) -> None:
        """Open connections and sockets.

        Raises:
            OSError, TimeoutError: they are not let in.
        """
        await self._pool.open()
        tell("connections", 0, 1)
        await self._listeners.open(self._plan.own_sockets)
        tell("connections", 1, 1)

    @property
    def sockets(self) -> int:
        """Open live sockets."""
        return self._listeners.count

    def stop(self) -> None:
        """End early: no more is sent, what is under way is waited for, the report says so."""
        if not self._over.is_set():
            self._was_stopped = True
            self._ends = self._tally.ends = min(self._ends, time.monotonic()) if self._ends else 0.0
            self._over.set()

    async def measure(self, on_second: OnSecond, *, start_at: float | None = None) -> Report:
        """Run it.

        Args:
            start_at: seconds since 1970, for runners that begin together; at once if None or past.
        """
        started_at = max(start_at or 0.0, soon())
        self._begin(time.monotonic() + started_at - time.time())
        renewing = asyncio.create_task(self._renew_tokens())
        gc.freeze()
        clock = Clock() if not self._plan.measured_from_s else None
        try:
            number = 0
            while not self._over.is_set():
                await self._until(self._started + number + 1)
                if clock is None and time.monotonic() >= self._tally.measured_from:
                    clock = Clock()
                self._tell_second(number, on_second)
                number += 1
            cpu = clock.share() if clock else Clock().share()
            if self._tally.in_flight:
                await self._drain()
                self._tell_second(number, on_second)
        finally:
            renewing.cancel()
            gc.unfreeze()
        return self._report(started_at, cpu)

    def close(self) -> None:
        """Close what is open."""
        if self._pacer is not None:
            self._pacer.close()
        self._listeners.close()
        self._pool.close()

    # the schedule

    def _begin(self, started: float) -> None:
        self._started = started
        self._ends = started + self._plan.duration_s
        measured_from = started + self._plan.measured_from_s
        self._tally = Tally(started=started, measured_from=measured_from, ends=self._ends)
        for audience in self._audiences.values():
            audience.measured_from = measured_from
        self._next = next(self._calls, None)
        self._pacer = pacer(self._act)
        self._pacer.start(started)

    def _act(self, now: float) -> float | None:
        """Send what is due; answers when the next one is, which may be at once after a stall."""
        for _ in range(CATCH_UP_MAX):
            call = self._next
            if call is None or self._was_stopped:
                self._over_at_end(now)
                return None if self._over.is_set() else self._ends
            due_at = self._started + call.due_s
            if due_at > now:
                return due_at
            self._send(call, due_at, time.monotonic())
            self._next = next(self._calls, None)
        return now

    def _over_at_end(self, now: float) -> None:
        if now >= self._ends:
            self._over.set()

    def _send(self, call: Call, due_at: float, now: float) -> None:
        self._tally.handed(due_at, now)
        if call.kind is Kind.SUBMIT and self._plan.sockets_in_all:
            score = (self._stage.players[call.user].user_id, call.score)
            self._feed.sent(score, now)
            self._board.sent(score, now)
        self._pool.send(Exchange(call, self._requests.of(call), due_at), now)

    def _done(self, exchange: Exchange, now: float) -> None:
        self._tally.done(exchange, now)
        if not self._tally.in_flight and self._over.is_set():
            self._drained.set()
        if exchange.call.kind is Kind.SUBMIT and self._plan.sockets_in_all:
            score = (self._stage.players[exchange.call.user].user_id, exchange.call.score)
            for pending in (self._feed, self._board):
                (pending.answered if exchange.status in range(200, 300) else pending.failed)(score)

    # around it

    async def _until(self, moment: float) -> None:
        """Wait for a moment, or for the end of sending if that comes first."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + moment - time.monotonic()):
                await self._over.wait()

    async def _drain(self) -> None:
        """Wait for the answers under way; what takes longer than a request may take is given up by the pool."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._plan.request_timeout_s + _DRAIN_MORE_S):
                await self._drained.wait()

    async def _renew_tokens(self) -> None:
        """Renew what will end soon, in the background. A refusal is tried again at the next look."""
        players = list(self._stage.players.values())
        while True:
            await asyncio.sleep(_RENEWAL_LOOK_S)
            ending = [player for player in players if player.expires_at < time.monotonic() + FRESH_S]
            if ending:
                with suppress(Problem, BaseExceptionGroup, OSError, TimeoutError):
                    await self._stage.accounts.renew(ending)
                self._requests.forget(player.number for player in ending)

    def _tell_second(self, number: int, on_second: OnSecond) -> None:
        now = time.monotonic()
        self._sockets_max = max(self._sockets_max, self._listeners.count)
        feed = self._audiences["feed"]
        row = self._tally.second(number, sent=self._pool.written, sockets=self._listeners.count, freshness=feed.second)
        self._pool.written = 0
        for audience, pending in zip(self._audiences.values(), (self._feed, self._board), strict=True):
            audience.second = Histogram()
            pending.forget(now - FORGET_S)
        on_second(row)

    def _report(self, started_at: float, cpu: float) -> Report:
        tally, plan = self._tally, self._plan
        endpoints = tally.told()
        response = Histogram.merged(endpoint.response for endpoint in endpoints)
        service = Histogram.merged(endpoint.service for endpoint in endpoints)
        freshness = tuple(freshness_of(name, one.whole) for name, one in self._audiences.items())
        heard = freshness[0] if freshness[0].samples else None
        measured_s = max(self._ends - tally.measured_from, 0.0)
        return judged(
            Report(
                plan=plan,
                started_at=started_at,
                measured_s=measured_s,
                requests=sum(endpoint.requests for endpoint in endpoints),
                errors=sum(endpoint.errors for endpoint in endpoints),
                requests_per_second=tally.answered_in_time / measured_s if measured_s else 0.0,
                target_rate=tally.due / measured_s if measured_s else 0.0,
                p50_ms=response.percentile_ms(50),
                p95_ms=response.percentile_ms(95),
                p99_ms=response.percentile_ms(99),
                max_ms=response.max_ms,
                service_p50_ms=service.percentile_ms(50),
                service_p99_ms=service.percentile_ms(99),
                schedule_error_p50_ms=tally.schedule_error.percentile_ms(50),
                schedule_error_p99_ms=tally.schedule_error.percentile_ms(99),
                schedule_error=tally.schedule_error.encoded(),
                generator_cpu=cpu,
                verdict=Verdict.INCONCLUSIVE,
                doubts=(),
                checks=(),
                was_stopped=self._was_stopped,
                sent_share=tally.handed_in_time / tally.due if tally.due else 1.0,
                backlog_max=self._pool.backlog_max,
                errors_by_class=dict(tally.errors_by_class),
                endpoints=endpoints,
                freshness=freshness,
                freshness_p50_ms=heard.p50_ms if heard else None,
                freshness_p99_ms=heard.p99_ms if heard else None,
                version_gaps=self._listeners.gaps,
                sockets=self._sockets_max,
                sockets_lost=self._listeners.lost_count,
                environment=environment(self._stage.target, self._surroundings.commit),
            )
        )
