"""People who come, play, join tournaments, tire, leave and come back: one task a player, all of them bounded.

Time here is play: every wait is what a person would take, divided by the simulation's speed.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from palio_generator import domain
from palio_generator.domain import Career, Game, OpenTournament
from palio_generator.gateway import Gateway, key_of
from palio_generator.roster import Roster
from palio_generator.sessions import Login
from palio_generator.store import DemoUser
from palio_kit.logs import logger
from palio_kit.problems import Problem, Unauthorized

log = logger(__name__)

_LOOK_S = 2.0
_CATALOGUE_S = 30.0
_REST_BETWEEN_GAMES = 0.02
_EXPECTED = frozenset({"tournament_full", "tournament_closed"})


@dataclass(slots=True)
class Tally:
    """What happened since the start."""

    players: int
    speed: float
    started_at: datetime
    submissions: int = 0
    joins: int = 0
    errors: int = 0


@dataclass(slots=True)
class Seat:
    """One simulated player at work; `joined` maps tournaments entered to their games."""

    user: DemoUser
    login: Login
    career: Career
    joined: dict[str, str] = field(default_factory=dict)

    @property
    def temper(self) -> domain.Temper:
        """What the player is like."""
        return self.career.temper


class Simulation:
    """One running simulation."""

    def __init__(self, gateway: Gateway, roster: Roster, tally: Tally, *, seed: int, gate: asyncio.Semaphore) -> None:
        """
        Args:
            gate: how many players may log in at once.
        """
        self._gateway = gateway
        self._roster = roster
        self._seed = seed
        self._gate = gate
        self._random = random.Random()  # noqa: S311 - play; unseeded, so that no two simulations are the same
        self._games: Sequence[Game] = ()
        self._read_catalogue_at = float("-inf")
        self._open: dict[str, OpenTournament] = {}
        self._ready = asyncio.Event()
        self.tally = tally

    async def run(self) -> None:
        """Play until cancelled."""
        async with asyncio.TaskGroup() as people:
            people.create_task(self._look_around(), name="simulation-lookout")
            for slot in range(self.tally.players):
                people.create_task(self._live(slot), name=f"simulation-player-{slot}")

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.tally.speed)

    async def _look_around(self) -> None:
        """See again and again what can be played and which tournaments are open, once for all players."""
        while True:
            try:
                await self._look()
            except Problem as problem:
                self._count_error("look", problem)
            except Exception:
                self.tally.errors += 1
                log.exception("simulation_lookout_failed")
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> None:
        if time.monotonic() - self._read_catalogue_at > _CATALOGUE_S:
            self._games = await self._gateway.games()
            self._read_catalogue_at = time.monotonic()
        self._open = {tournament.tournament_id: tournament for tournament in await self._gateway.tournaments()}
        if self._games:
            self._ready.set()

    async def _live(self, slot: int) -> None:
        """A player's life: away, a session, away... An error ends the session, not the player."""
        await self._ready.wait()
        await self._wait(domain.arrival_s(self._random, self.tally.players))
        seat: Seat | None = None
        temper = domain.temper_of(self._seed, slot)
        while True:
            try:
                seat = seat or await self._sit_down(slot, temper)
                await self._session(seat)
            except Problem as problem:
                self._count_error("session", problem)
                if seat is not None and problem.status == Unauthorized.status:
                    seat.login.forget()
            except Exception:
                self.tally.errors += 1
                log.exception("simulated_player_failed", slot=slot)
            await self._wait(domain.away_s(self._random, temper))

    async def _sit_down(self, slot: int, temper: domain.Temper) -> Seat:
        user, _ = await self._roster.at(slot)
        return Seat(user, Login(self._gateway, user.username, self._gate), Career(temper))

    async def _session(self, seat: Seat) -> None:
        seat.career.rest()
        await seat.login.token()
        await self._enter_tournaments(seat)
        for _ in range(domain.session_games(self._random, seat.temper)):
            await self._wait(domain.game_s(self._random))
            contested = [game_id for key, game_id in seat.joined.items() if key in self._open]
            game = domain.choose_game(self._random, seat.temper, self._games, contested)
            score = seat.career.play(game, self._random)
            seat.career.rest(_REST_BETWEEN_GAMES)
            accepted = await self._gateway.submit(seat.user.user_id, game.game_id, score, token=seat.login.token)
            self.tally.submissions += accepted

    async def _enter_tournaments(self, seat: Seat) -> None:
        for tournament in list(self._open.values()):
            if tournament.tournament_id in seat.joined or not self._appeals(seat, tournament.tournament_id):
                continue
            await self._enter(seat, tournament)

    def _appeals(self, seat: Seat, tournament_id: str) -> bool:
        current = self._open.get(tournament_id)
        return current is not None and domain.may_join(current) and domain.wants_to_join(self._random, seat.temper)

    async def _enter(self, seat: Seat, tournament: OpenTournament) -> None:
        tournament_id = tournament.tournament_id
        # Taken before asking: players look at one picture, which is up to two seconds old.
        self._open[tournament_id] = replace(self._open[tournament_id], taken=self._open[tournament_id].taken + 1)
        key = key_of("simulation", tournament_id, seat.user.user_id)
        try:
            joined = await self._gateway.join(tournament_id, seat.user.user_id, key=key, token=seat.login.token)
        except Problem as problem:
            if problem.code not in _EXPECTED:
                raise
            return
        self.tally.joins += joined
        seat.joined[tournament_id] = tournament.game_id

    def _count_error(self, doing: str, problem: Problem) -> None:
        self.tally.errors += 1
        log.info("simulation_error", doing=doing, status=problem.status, code=problem.code, detail=problem.detail)
