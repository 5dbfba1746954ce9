"""Any history of joins, scores, cancels, settlements (killed ones too) and reversals ends as a simple model says."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from typing_extensions import override

from palio_kit import postgres
from palio_kit.callers import Caller
from palio_kit.idempotency import Idempotency, Keyed
from palio_kit.ids import new_id
from palio_kit.problems import Problem, Unavailable
from palio_tournament import models, store
from palio_tournament.announcer import Announcer
from palio_tournament.domain import Ties
from palio_tournament.service import Tournaments
from palio_tournament.settings import Settings, for_settlement
from palio_tournament.settlement import Settler

T = TypeVar("T")

PLAYERS = [UUID(int=number) for number in range(1, 8)]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
UNKEYED = Keyed("POST test", None, b"")


@dataclass
class Expected:
    """A tournament as the model sees it."""

    id: UUID
    ties: Ties
    places: int
    pool: int
    phase: str = "Active"
    players: list[UUID] = field(default_factory=list)
    scores: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    held: Counter[UUID] = field(default_factory=Counter)

    def pay(self) -> None:
        """50, 30 and 20 per cent by position; equal scores that share a rank share what their positions get."""
        amounts = [
            self.pool - self.pool * 30 // 100 - self.pool * 20 // 100,
            self.pool * 30 // 100,
            self.pool * 20 // 100,
        ]
        order = sorted(self.scores, key=lambda player: (-self.scores[player][0], self.scores[player][1]))
        for at, player in enumerate(order):
            amount = amounts[at] if at < len(amounts) else 0
            if self.ties is Ties.SHARED:
                tied = [other for other in order if self.scores[other][0] == self.scores[player][0]]
                together = sum(amounts[order.index(tied[0]) : order.index(tied[-1]) + 1])
                amount = together // len(tied) + (tied.index(player) < together % len(tied))
            self.held[player] = amount


class Silent:
    """A publisher nobody listens to."""

    def publish(self, kind: str, data: object) -> None:
        """Say nothing."""


class Machine(RuleBasedStateMachine):
    """Does the same to the service and to the model."""

    tournaments = Bundle("tournaments")

    def __init__(self, service_settings: Settings, owner_dsn: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.expected: list[Expected] = []
        self.moments = 0
        self.run(self._open(service_settings, owner_dsn))

    async def _open(self, service_settings: Settings, owner_dsn: str) -> None:
        self.owner = await asyncpg.connect(owner_dsn)
        self.stack.push_async_callback(self.owner.close)
        database = await self.stack.enter_async_context(postgres.connect(service_settings))
        settling = await self.stack.enter_async_context(postgres.connect(for_settlement(service_settings, 1)))
        announcer = Announcer(database, Silent())  # type: ignore[arg-type]  # all it is asked for is `publish`
        self.service = Tournaments(database, Idempotency(database, "tournament"), announcer)
        self.settler = Settler(settling)
        await self.owner.execute(
            "INSERT INTO users.accounts (user_id, username_key, username, email, password_hash) "
            "SELECT id, sha256(id::text::bytea), id::text, id::text, 'x' FROM unnest($1::uuid[]) AS id "
            "ON CONFLICT DO NOTHING",
            PLAYERS,
        )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @override
    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    def refused(self, work: Awaitable[object]) -> str | None:
        """The code of the problem, if there was one."""

        async def attempt() -> str | None:
            try:
                await work
            except Problem as problem:
                return problem.code
            return None

        return self.run(attempt())

    @precondition(lambda self: len(self.expected) < 3)
    @rule(target=tournaments, ties=st.sampled_from(Ties), places=st.integers(2, 5), pool=st.integers(0, 200))
    def create(self, ties: Ties, places: int, pool: int) -> Expected:
        return self._create(ties, places, pool)

    def _create(self, ties: Ties, places: int, pool: int) -> Expected:
        now = datetime.now(UTC)
        request = models.CreateTournament(
            name="Cup", game_id="space-race", max_participants=places, prize_pool=pool, ties=ties,
            start_time=(now - timedelta(hours=1)).isoformat(),  # type: ignore[arg-type]  # as on the wire
            end_time=(now + timedelta(hours=1)).isoformat(),  # type: ignore[arg-type]  # as on the wire
        )  # fmt: skip
        outcome = self.run(self.service.create(caller(PLAYERS[0], "organiser"), UNKEYED, request))
        answer = models.TournamentAnswer.model_validate_json(outcome.body)
        self.expected.append(Expected(answer.id, ties, places, pool))
        return self.expected[-1]

    @rule(tournament=tournaments, players=st.lists(st.sampled_from(PLAYERS), min_size=1, max_size=4))
    def join(self, tournament: Expected, players: list[UUID]) -> None:
        for player in players:
            self._join(tournament, player)

    def _join(self, tournament: Expected, player: UUID) -> None:
        code = self.refused(self.service.join(caller(player), UNKEYED, tournament.id, player))
        if player in tournament.players:
            assert code is None
        elif tournament.phase != "Active":
            assert code == "tournament_closed"
        elif len(tournament.players) >= tournament.places:
            assert code == "tournament_full"
        else:
            assert code is None
            tournament.players.append(player)

    @rule(tournament=tournaments, round_=st.permutations(range(5)), scores=st.lists(st.integers(0, 2), max_size=5))
    def play(self, tournament: Expected, round_: list[int], scores: list[int]) -> None:
        if tournament.phase != "Active":
            return
        for at, score in zip(round_, scores, strict=False):
            if at < len(tournament.players):
                self._play(tournament, tournament.players[at], score)

    def _play(self, tournament: Expected, player: UUID, score: int) -> None:
        self.moments += 1
        tournament.scores[player] = (score, self.moments)
        self.run(
            self.owner.execute(
                "INSERT INTO score.standings (board, user_id, score, total, reached_at, version, submissions) "
                "VALUES ($1, $2, $3, $3, $4, 1, 1) ON CONFLICT (board, user_id) "
                "DO UPDATE SET score = excluded.score, reached_at = excluded.reached_at",
                store.board(tournament.id), player, score, NOON + timedelta(seconds=self.moments),
            )
        )  # fmt: skip

    @rule(tournament=tournaments)
    def end(self, tournament: Expected) -> None:
        if tournament.phase == "Active":
            self._end(tournament)

    def _end(self, tournament: Expected) -> None:
        tournament.phase = "Settling"
        over = "UPDATE tournament.tournaments SET ends_at = now() - interval '1 s', settles_at = now() WHERE id = $1"
        self.run(self.owner.execute(over, tournament.id))

    @rule()
    def settle(self) -> None:
        for tournament in self.expected:
            self._settle(tournament)

    def _settle(self, tournament: Expected) -> None:
        async def attempt() -> bool | str:
            try:
                return (await self.settler.settle(tournament.id)).changed
            except Problem as problem:
                return problem.code

        changed = self.run(attempt())
        expected = {"Active": "not_yet_due", "Settling": True, "Completed": False, "Cancelled": "not_settling"}
        assert changed == expected[tournament.phase]
        if changed is True:
            tournament.phase = "Completed"
            tournament.pay()

    @precondition(lambda self: len(self.expected) < 6)
    @rule(
        target=tournaments,
        ties=st.sampled_from(Ties),
        pool=st.integers(1, 200),
        players=st.permutations(PLAYERS[:5]),
        scores=st.lists(st.integers(0, 1), min_size=2, max_size=5),
    )
    def play_a_whole_one(self, ties: Ties, pool: int, players: list[UUID], scores: list[int]) -> Expected:
        tournament = self._create(ties, 5, pool)
        for player, score in zip(players, scores, strict=False):
            self._join(tournament, player)
            self._play(tournament, player, score)
        self._end(tournament)
        return tournament

    @precondition(lambda self: any(one.phase == "Settling" for one in self.expected))
    @rule(tournament=tournaments, step=st.sampled_from(["freeze_standings", "_pay", "complete"]))
    def settle_and_be_killed(self, tournament: Expected, step: str) -> None:
        if tournament.phase != "Settling":
            return
        self.run(self._killed_at(step, tournament.id))

    async def _killed_at(self, step: str, tournament_id: UUID) -> None:
        original: Callable[..., Awaitable[None]] = getattr(store, step)

        async def killed(connection: Any, *arguments: Any) -> None:
            await original(connection, *arguments)
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await self.owner.execute("SELECT pg_terminate_backend($1, 5000)", pid)

        setattr(store, step, killed)
        try:
            with suppress(Unavailable):
                await self.settler.settle(tournament_id)
        finally:
            setattr(store, step, original)

    @rule(tournament=tournaments)
    def cancel(self, tournament: Expected) -> None:
        code = self.refused(self.service.cancel(caller(PLAYERS[0]), tournament.id))
        assert code == ("tournament_settled" if tournament.phase == "Completed" else None)
        if code is None:
            tournament.phase = "Cancelled"

    @rule(tournament=tournaments, chosen=st.integers(0, 9))
    def reverse(self, tournament: Expected, chosen: int) -> None:
        page = self.run(self.service.awards(tournament.id, cursor=None, limit=100))
        if not page.items:
            return
        award = page.items[chosen % len(page.items)]
        outcome = self.run(self.service.reverse(caller(PLAYERS[0], "admin"), UNKEYED, tournament.id, award.transfer_id))
        assert outcome.status == (200 if award.reversed_at else 201)
        tournament.held[award.user_id] = 0

    @precondition(lambda self: self.expected)
    @rule()
    def reverse_something_else(self) -> None:
        for tournament in self.expected[-1:]:
            stranger = self.service.reverse(caller(PLAYERS[0], "admin"), UNKEYED, tournament.id, new_id())
            assert self.refused(stranger) == "award_not_found"

    @invariant()
    def service_and_model_agree(self) -> None:
        self.run(self._compare())

    async def _compare(self) -> None:
        for tournament in self.expected[-4:]:
            told = await self.service.tournament(tournament.id)
            assert (told.phase, told.participants) == (tournament.phase, len(tournament.players))
            rows = await self.owner.fetch(
                "SELECT account, sum(amount)::bigint AS held FROM tournament.ledger_entries "
                "JOIN tournament.transfers ON transfers.id = transfer_id WHERE tournament_id = $1 GROUP BY account",
                tournament.id,
            )
            held = {row["account"]: row["held"] for row in rows}
            assert sum(held.values()) == 0
            players = {user: held.get(f"player:{user}", 0) for user in PLAYERS}
            assert players == {user: tournament.held[user] for user in PLAYERS}
            if tournament.phase == "Completed":
                assert held.get("house", 0) == -tournament.pool
                assert (await self.settler.verify(tournament.id)).ok


def caller(user_id: UUID, *roles: str) -> Caller:
    return Caller(user_id, str(user_id), frozenset(("player", *roles)), "token")


def test_service_and_model_agree_on_every_history(make_settings: Any, owner_dsn: str) -> None:
    service_settings = make_settings(Settings)
    run_state_machine_as_test(
        lambda: Machine(service_settings, owner_dsn),  # type: ignore[arg-type]  # it calls what it is given
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # shrinking against a real server takes minutes
        ),
    )
