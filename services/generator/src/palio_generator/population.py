"""Filling an empty platform: demo users, what they played before, tournaments to watch.

Every piece of work has a name; its Idempotency-Key and its body follow from the name and the first plan, and the name
is noted when it is done. So a killed generator goes on where it was, and nothing is ever counted twice.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from palio_generator import domain
from palio_generator.domain import Game, Played, TournamentPlan
from palio_generator.errors import NoGames
from palio_generator.gateway import Gateway, Token, key_of
from palio_generator.roster import Roster
from palio_generator.sessions import Login, ServerPass
from palio_generator.settings import Settings
from palio_generator.store import DemoUser, Piece, Store
from palio_kit.problems import Invalid, Problem

T = TypeVar("T")

EVERYTHING = "everything"
"""The piece that is done when all others are."""

_BATCH_ROWS = 50
_USER_S, _ROW_S, _TOURNAMENT_S, _ENTRY_S = 0.1, 0.0005, 0.2, 0.01
"""What kinds of work cost beside each other (a password is hashed for a user); only the proportions matter."""
_OVER = frozenset({"tournament_full", "tournament_closed"})


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run works with; `gate` bounds registrations and logins."""

    settings: Settings
    gateway: Gateway
    store: Store
    roster: Roster
    server: ServerPass
    gate: asyncio.Semaphore


@dataclass(slots=True)
class Progress:
    """How far a run is; times on the monotonic clock. `done_before` is what earlier runs had done.

    Done and total count things; effort, spent by this run and left to it, knows that things differ.
    """

    step: str = "catalogue"
    done: int = 0
    done_before: int = 0
    total: int = 0
    effort: float = 0.0
    effort_left: float = 0.0
    users: int = 0
    submissions: int = 0
    tournaments: int = 0
    started_at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None

    def rate_per_second(self, now: float) -> float:
        """Work done in this run per second."""
        elapsed_s = (self.ended_at or now) - self.started_at
        return (self.done - self.done_before) / elapsed_s if elapsed_s > 0 else 0.0

    def eta_s(self, now: float) -> float | None:
        """Seconds to go if effort goes on as it did; None if it cannot be told or has ended."""
        if self.effort <= 0 or self.ended_at is not None:
            return None
        return max(0.0, self.effort_left) / self.effort * (now - self.started_at)

    def advance(self, count: int, each_s: float) -> None:
        """So many things of one kind were done."""
        self.done += count
        self.effort += count * each_s
        self.effort_left -= count * each_s

    @property
    def found_all(self) -> bool:
        """Whether this run found everything there."""
        return 0 < self.total == self.done_before


@dataclass(frozen=True, slots=True)
class Batch:
    """A piece of one game's history."""

    piece: str
    game: Game
    played: Sequence[Played]


class Population:
    """One run of populate."""

    def __init__(self, tools: Tools) -> None:
        self._settings = tools.settings
        self._gateway = tools.gateway
        self._store = tools.store
        self._roster = tools.roster
        self._server = tools.server.token
        self._gate = tools.gate
        self._finished: set[str] = set()
        self.progress = Progress()

    async def run(self) -> None:
        """Make what is missing.

        Raises:
            Problem: what stopped it; the next run goes on from there.
        """
        self._finished = await self._store.pieces_done()
        games = await self._games()
        tempers = [domain.temper_of(self._settings.seed, slot) for slot in range(self._settings.population_users)]
        batches = await asyncio.to_thread(lambda: list(self._batches(games, tempers)))
        await self._measure(batches)
        users = await self._enter_users()
        self.progress.step = "games"
        await self._each(batches, lambda batch: self._play(batch.piece, batch.game, batch.played, users))
        for plan in domain.TOURNAMENTS:
            self.progress.step = f"tournament: {plan.name}"
            await self._hold(plan, domain.tournament_game(plan, games), users)
        await self._store.finish(EVERYTHING)
        self.progress.step = "done"

    async def _games(self) -> list[Game]:
        catalogue = {game.game_id: game for game in await self._gateway.games()}
        if not catalogue:
            raise NoGames
        planned = await self._store.begin(list(catalogue))
        return [catalogue[game_id] for game_id in planned if game_id in catalogue]

    def _batches(self, games: Sequence[Game], tempers: Sequence[domain.Temper]) -> Iterator[Batch]:
        """Each game's history in pieces, games by turns so that all boards fill together."""
        counts = _shares(self._settings.population_submissions, len(games))
        histories = [
            domain.history(random.Random(f"{self._settings.seed}/history/{game.game_id}"), tempers, game, count)  # noqa: S311
            for game, count in zip(games, counts, strict=True)
        ]
        for start in range(0, max(counts), _BATCH_ROWS):
            for game, played in zip(games, histories, strict=True):
                if played[start : start + _BATCH_ROWS]:
                    yield Batch(f"history/{game.game_id}/{start}", game, played[start : start + _BATCH_ROWS])

    async def _measure(self, batches: Sequence[Batch]) -> None:
        """Count what there is to do, and what of it is done."""
        users = self._settings.population_users
        work = {batch.piece: (len(batch.played), _ROW_S) for batch in batches}
        for plan in domain.TOURNAMENTS:
            entrants = len(domain.entrants(self._settings.seed, plan, users))
            work[_piece(plan)] = (1, _TOURNAMENT_S)
            work[_piece(plan, "entrants")] = (entrants, _ENTRY_S)
            work[_piece(plan, "games")] = (entrants * plan.games_each, _ROW_S)
        left = [work[piece] for piece in work.keys() - self._finished]
        left.append((users - sum(1 for slot in await self._roster.users() if slot < users), _USER_S))
        self.progress.total = users + sum(count for count, _ in work.values())
        self.progress.done_before = self.progress.done = self.progress.total - sum(count for count, _ in left)
        self.progress.effort_left = sum(count * each_s for count, each_s in left)

    async def _enter_users(self) -> dict[int, DemoUser]:
        self.progress.step = "users"
        there = await self._roster.users()
        missing = [slot for slot in range(self._settings.population_users) if slot not in there]
        await self._each(missing, self._enter_user)
        return {slot: there[slot] for slot in range(self._settings.population_users)}

    async def _enter_user(self, slot: int) -> None:
        _, created = await self._roster.at(slot)
        self.progress.users += created
        self.progress.advance(1, _USER_S)

    async def _play(self, piece: str, game: Game, played: Sequence[Played], users: dict[int, DemoUser]) -> None:
        if piece in self._finished:
            return
        rows = [
            {"user_id": str(users[one.slot].user_id), "game_id": game.game_id, "score": one.score} for one in played
        ]
        accepted = await self._gateway.submit_batch(rows, key=self._key(piece), token=self._server) if rows else 0
        self.progress.submissions += accepted  # not in the line above: `+=` would read the old count before waiting
        await self._finish(piece)
        self.progress.advance(len(rows), _ROW_S)

    async def _hold(self, plan: TournamentPlan, game: Game, users: dict[int, DemoUser]) -> None:
        slots = domain.entrants(self._settings.seed, plan, len(users))
        tournament_id = await self._create(plan, game, users[slots[0]])
        await self._join(plan, tournament_id, [users[slot] for slot in slots])
        tempers = {slot: domain.temper_of(self._settings.seed, slot) for slot in slots}
        played = domain.contest(self._settings.seed, plan, game, tempers)
        await self._play(_piece(plan, "games"), game, played, users)

    async def _create(self, plan: TournamentPlan, game: Game, organiser: DemoUser) -> UUID:
        piece = _piece(plan)
        planned = await self._store.plan(piece)
        if planned.made_id is not None:
            return planned.made_id
        login = Login(self._gateway, organiser.username, self._gate)
        try:
            tournament_id, created = await self._announce(plan, game, planned, login.token)
        except Problem as problem:
            if problem.status != Invalid.status:
                raise
            planned = await self._store.plan_anew(piece)  # planned before a long break: its end has passed
            tournament_id, created = await self._announce(plan, game, planned, login.token)
        self.progress.tournaments += created
        await self._finish(piece, tournament_id)
        self.progress.advance(1, _TOURNAMENT_S)
        return tournament_id

    async def _announce(self, plan: TournamentPlan, game: Game, planned: Piece, token: Token) -> tuple[UUID, bool]:
        return await self._gateway.create_tournament(
            plan.name, game.game_id, places=plan.places, prize_pool=plan.prize_pool,
            start=plan.starts_at(planned.planned_at), end=plan.ends_at(planned.planned_at),
            key=self._key(_piece(plan), planned.planned_at.isoformat()), token=token,
        )  # fmt: skip

    async def _join(self, plan: TournamentPlan, tournament_id: UUID, users: Sequence[DemoUser]) -> None:
        piece = _piece(plan, "entrants")
        if piece not in self._finished:
            await self._each(users, lambda user: self._join_one(tournament_id, user))
            await self._finish(piece)

    async def _join_one(self, tournament_id: UUID, user: DemoUser) -> None:
        try:
            await self._gateway.join(
                tournament_id, user.user_id, key=self._key("join", tournament_id, user.slot), token=self._server
            )
        except Problem as problem:
            if problem.code not in _OVER:
                raise
        self.progress.advance(1, _ENTRY_S)

    async def _finish(self, piece: str, made_id: UUID | None = None) -> None:
        await self._store.finish(piece, made_id)
        self._finished.add(piece)

    async def _each(self, items: Iterable[T], do: Callable[[T], Awaitable[None]]) -> None:
        await each(items, do, at_once=self._settings.writes_in_flight_max)

    def _key(self, *parts: object) -> str:
        return key_of(self._store.population, *parts)


async def each(items: Iterable[T], do: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Do it for each item, `at_once` at a time; the first error ends all and is raised as it is."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await do(item)

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(at_once):
                workers.create_task(work())
    except ExceptionGroup as group:
        raise group.exceptions[0] from group


def _shares(total: int, parts: int) -> list[int]:
    share, remainder = divmod(total, parts)
    return [share + 1] * remainder + [share] * (parts - remainder)


def _piece(plan: TournamentPlan, part: str = "") -> str:
    return f"tournament/{plan.key}/{part}" if part else f"tournament/{plan.key}"
