"""When requests are due and whose turn it is. Pure: one seed and one plan always make the same traffic.

A paced run's moments follow from the request's number alone, so nothing that happens can shift them; who acts then is
decided by the users' own pace. Without a rate that pace makes the moments too. No answer is ever waited for.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heapify, heapreplace
from itertools import accumulate, count
from math import sqrt

from palio_generator.domain import Career, Game, game_s, temper_of
from palio_generator.load.plan import Plan, Scenario

_REST = 0.05
_EAGERNESS_MIN, _EAGERNESS_MAX = 0.3, 3.0
_GAME_MEAN_S = 3.4


class Kind(StrEnum):
    """A request; the value names its endpoint in reports."""

    SUBMIT = "POST /api/v1/scores"
    TOP = "GET /api/v1/leaderboard"
    RANK = "GET /api/v1/leaderboard/rank"
    AROUND = "GET /api/v1/leaderboard/around"


MIXTURES: Mapping[Scenario, Mapping[Kind, int]] = {
    Scenario.SUBMIT_SCORES: {Kind.SUBMIT: 100},
    Scenario.READ_TOP: {Kind.TOP: 100},
    Scenario.READ_AROUND: {Kind.AROUND: 100},
    Scenario.LIVE_UPDATES: {Kind.SUBMIT: 100},
    Scenario.MIXED: {Kind.SUBMIT: 40, Kind.TOP: 30, Kind.RANK: 15, Kind.AROUND: 15},
    Scenario.TOURNAMENT_RUSH: {Kind.SUBMIT: 70, Kind.TOP: 15, Kind.AROUND: 15},
}
"""Of a hundred requests, how many are what. TournamentRush reads the tournament's board, the others the game's."""


@dataclass(slots=True)
class Call:
    """One request: its moment (seconds after the start), who, what, and the score if it submits one."""

    due_s: float
    user: int
    kind: Kind
    score: int = 0


def arrival_s(plan: Plan, number: int) -> float:
    """When request `number` (from 0, of all runners together) of a paced run is due, in seconds after the start.

    The rate grows linearly until `ramp_up_s`, so after t seconds of the ramp `rate * t**2 / (2 * ramp)` were due.
    """
    assert plan.requests_per_second is not None
    in_ramp = plan.requests_per_second * plan.ramp_up_s / 2
    if number < in_ramp:
        return sqrt(2 * plan.ramp_up_s * number / plan.requests_per_second)
    return plan.ramp_up_s + (number - in_ramp) / plan.requests_per_second


def moments(plan: Plan) -> Iterator[float]:
    """When this runner's requests of a paced run are due, in order, until the end."""
    for number in count(plan.share.index, plan.share.count):
        due_s = arrival_s(plan, number)
        if number >= plan.arrivals_in_all:
            return
        yield due_s


class Traffic:
    """A runner's calls, in order."""

    def __init__(self, plan: Plan, game: Game) -> None:
        self._plan = plan
        self._game = game
        self._random = random.Random(f"{plan.seed}/traffic/{plan.share.index}/{plan.share.count}")  # noqa: S311 - play
        self._careers = {user: Career(temper_of(plan.seed, user)) for user in plan.own_users}
        self._kinds: Sequence[Kind] = list(MIXTURES[plan.scenario])
        self._weights = list(accumulate(MIXTURES[plan.scenario].values()))
        self._turns = [(self._arrival_s(user), user) for user in plan.own_users]
        heapify(self._turns)

    def calls(self) -> Iterator[Call]:
        """All of them, until the plan's end."""
        if self._plan.is_paced:
            for due_s in moments(self._plan):
                yield self._call(due_s, self._next_turn()[1])
            return
        while True:
            due_s, user = self._next_turn()
            if due_s >= self._plan.duration_s:
                return
            yield self._call(due_s, user)

    def first_scores(self) -> Iterator[tuple[int, int]]:
        """A score for each user to have before the run, so that there is a rank to ask for."""
        for user, career in self._careers.items():
            yield user, career.play(self._game, self._random)

    def _arrival_s(self, user: int) -> float:
        """Users come one after the other during the ramp, or all within one game if there is none."""
        within_s = self._plan.ramp_up_s or _GAME_MEAN_S
        return within_s * user / self._plan.virtual_users

    def _next_turn(self) -> tuple[float, int]:
        """Whose turn it is, and when by their own pace; their next one is a game later."""
        ready_s, user = self._turns[0]
        eagerness = min(max(self._careers[user].temper.eagerness, _EAGERNESS_MIN), _EAGERNESS_MAX)
        heapreplace(self._turns, (ready_s + game_s(self._random) / eagerness, user))
        return ready_s, user

    def _call(self, due_s: float, user: int) -> Call:
        kind = self._kinds[0]
        if len(self._kinds) > 1:
            kind = self._random.choices(self._kinds, cum_weights=self._weights)[0]
        if kind is not Kind.SUBMIT:
            return Call(due_s, user, kind)
        career = self._careers[user]
        score = career.play(self._game, self._random)
        career.rest(_REST)
        return Call(due_s, user, kind, score)
