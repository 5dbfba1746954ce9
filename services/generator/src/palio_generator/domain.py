"""Who the simulated players are and how they play: handles, skill, form, sessions, histories, tournaments to run.

Pure rules: randomness comes in as a `random.Random`, so one seed always makes the same people with the same past.
A performance is a number of standard deviations around the average game (0); scores grow exponentially with it and
flatten towards the ends of a game's range, so that no one ever reaches a bound.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from faker import Faker

DEMO_PASSWORD = "palio-demo-player"  # noqa: S105 - documented: demo users are for anyone to log in as
"""The password of every demo user."""

_CONTRADE = (
    "aquila", "bruco", "chiocciola", "civetta", "drago", "giraffa", "istrice", "leocorno", "lupa", "nicchio", "oca",
    "onda", "pantera", "selva", "tartuca", "torre", "montone",
)  # fmt: skip
_HANDLE_MAX = 20
_LOCALES = ("en_US", "it_IT")

_REACH_MAX = 1_000_000
"""How far above its lowest score a game without a real upper bound is played."""


def handles(seed: int, count: int) -> list[str]:
    """The first `count` handles of a seed: a first name and a quarter of Siena, each once, ASCII, 20 characters."""
    names = Faker(list(_LOCALES), use_weighting=False)
    names.seed_instance(seed)
    rng = random.Random(f"{seed}/handles")  # noqa: S311 - play, not a secret
    found: dict[str, None] = {}
    while len(found) < count:
        name = str(names.first_name()).lower()
        handle = f"{name}_{rng.choice(_CONTRADE)}"
        if name.isascii() and name.isalpha() and len(handle) <= _HANDLE_MAX:
            found[handle] = None
    return list(found)


@dataclass(frozen=True, slots=True)
class Game:
    """What a player must know of a game: its slug, which way is up, and the scores it takes (inclusive)."""

    game_id: str
    ascending: bool
    score_min: int
    score_max: int


@dataclass(frozen=True, slots=True)
class Temper:
    """What a player is born with. Talent and spread in performances, eagerness relative to the average player."""

    talent: float
    spread: float
    eagerness: float
    tastes_seed: int

    def affinity(self, game_id: str) -> float:
        """How much better (or worse) this player is at that game than at others."""
        return random.Random(f"{self.tastes_seed}/{game_id}").gauss(0, 0.4)  # noqa: S311 - play, not a secret

    def taste(self, game_id: str) -> float:
        """How much this player likes that game; a weight above 0."""
        return math.exp(1.5 * self.affinity(game_id))


def temper(rng: random.Random) -> Temper:
    """Someone new: talents are normal, so are most people; a few are eager enough for ten."""
    return Temper(
        talent=rng.gauss(0, 0.8),
        spread=rng.uniform(0.4, 0.9),
        eagerness=math.exp(rng.gauss(0, 0.6)),
        tastes_seed=rng.getrandbits(32),
    )


def temper_of(seed: int, slot: int) -> Temper:
    """The temper of the demo user in that slot: the same in histories, simulations and after a restart."""
    return temper(random.Random(f"{seed}/temper/{slot}"))  # noqa: S311 - play, not a secret


@dataclass(slots=True)
class Career:
    """A player over time: practice in each game, form that drifts, tiredness that rest takes away."""

    temper: Temper
    played: dict[str, int] = field(default_factory=dict)
    form: float = 0.0
    tiredness: float = 0.0

    def play(self, game: Game, rng: random.Random) -> int:
        """Play one game and be changed by it; the score."""
        practice = 0.25 * math.log1p(self.played.get(game.game_id, 0))
        performance = (
            self.temper.talent + self.temper.affinity(game.game_id) + practice + self.form - self.tiredness
            + rng.gauss(0, self.temper.spread)
        )  # fmt: skip
        self.played[game.game_id] = self.played.get(game.game_id, 0) + 1
        self.form = 0.85 * self.form + rng.gauss(0, 0.15)
        self.tiredness = min(1.0, self.tiredness + 0.05)
        return score_for(game, performance)

    def rest(self, share: float = 1.0) -> None:
        """Recover `share` (0 to 1) of the tiredness."""
        self.tiredness *= 1 - share


def score_for(game: Game, performance: float) -> int:
    """The score of a performance: better ones score higher, or lower where less is better; always within bounds."""
    floor, ceiling = playable_range(game)
    odds = 0.08 * math.exp(-0.35 * performance) if game.ascending else 0.22 * math.exp(0.5 * performance)
    share: float = odds / (1 + odds)
    return floor + int((ceiling - floor) * share)


def playable_range(game: Game) -> tuple[int, int]:
    """The lowest and highest score people play for: the game's bounds, but no further than a million up from 0."""
    floor = max(game.score_min, 0) if game.score_max > 0 else game.score_min
    return floor, min(game.score_max, floor + _REACH_MAX)


@dataclass(frozen=True, slots=True)
class Played:
    """One game of a history: by whom (slot) and the score."""

    slot: int
    score: int


def history(rng: random.Random, tempers: Sequence[Temper], game: Game, count: int) -> list[Played]:
    """What `tempers` played of one game in the past, in order; who is eager or likes the game played it more."""
    careers = [Career(temper) for temper in tempers]
    weights = [temper.eagerness * temper.taste(game.game_id) for temper in tempers]
    slots = rng.choices(range(len(tempers)), weights, k=count)
    return [Played(slot, _after_a_night(careers[slot], rng).play(game, rng)) for slot in slots]


def _after_a_night(career: Career, rng: random.Random) -> Career:
    career.rest(rng.random())
    return career


def arrival_s(rng: random.Random, players: int) -> float:
    """When a player first comes after the start, in seconds: two at once, the others within half a minute."""
    return rng.uniform(0, min(30.0, 0.25 * players))


def session_games(rng: random.Random, temper: Temper) -> int:
    """How many games a player plays before leaving: 1 to 40, mostly around 8."""
    return min(40, max(1, round(rng.lognormvariate(math.log(8), 0.6) * math.sqrt(temper.eagerness))))


def game_s(rng: random.Random) -> float:
    """How long one game takes, in seconds, with the breath before the next: 0.8 to 15, mostly around 3."""
    return min(15.0, max(0.8, rng.lognormvariate(math.log(3), 0.5)))


def away_s(rng: random.Random, temper: Temper) -> float:
    """How long a player stays away after a session, in seconds: 3 to 90; the eager ones are back sooner."""
    return min(90.0, max(3.0, rng.expovariate(1 / 20) / temper.eagerness))


def choose_game(rng: random.Random, temper: Temper, games: Sequence[Game], contested: Sequence[str]) -> Game:
    """The next game: three times in four one of those contested (its tournaments joined), else by taste."""
    wanted = [game for game in games if game.game_id in contested]
    pool = wanted if wanted and rng.random() < 0.75 else list(games)  # noqa: PLR2004 - said above
    return rng.choices(pool, [temper.taste(game.game_id) for game in pool])[0]


@dataclass(frozen=True, slots=True)
class OpenTournament:
    """A tournament one may join, as the list of tournaments tells it."""

    tournament_id: str
    game_id: str
    places: int
    taken: int


def may_join(tournament: OpenTournament) -> bool:
    """Simulated players leave half of the places to people."""
    return tournament.taken < tournament.places // 2


def wants_to_join(rng: random.Random, temper: Temper) -> bool:
    """Whether a player enters a tournament it sees; asked once a session."""
    return rng.random() < min(0.9, 0.45 * temper.eagerness)


@dataclass(frozen=True, slots=True)
class TournamentPlan:
    """A tournament of the demo population. Times in seconds from the moment it is planned."""

    key: str
    name: str
    starts_in_s: int
    lasts_s: int
    places: int
    prize_pool: int
    entrants: int
    games_each: int

    def starts_at(self, planned_at: datetime) -> datetime:
        """When it opens."""
        return planned_at + timedelta(seconds=self.starts_in_s)

    def ends_at(self, planned_at: datetime) -> datetime:
        """When it closes."""
        return planned_at + timedelta(seconds=self.starts_in_s + self.lasts_s)


TOURNAMENTS = (
    TournamentPlan("sunday", "Sunday Grand Palio", 1800, 3600, 100, 5_000, 18, 0),
    TournamentPlan("evening", "Evening Cup", 0, 900, 64, 1_000, 20, 3),
    TournamentPlan("dash", "Ninety-Second Dash", 0, 90, 32, 300, 12, 2),
)
"""One to come, one for a quarter of an hour, one whose prizes are paid while one watches (last, as it is short)."""


def tournament_game(plan: TournamentPlan, games: Sequence[Game]) -> Game:
    """Which game a planned tournament is played in: the next one of the catalogue for each plan."""
    return games[TOURNAMENTS.index(plan) % len(games)]


def entrants(seed: int, plan: TournamentPlan, players: int) -> list[int]:
    """The slots of those who enter a planned tournament; at most its places and the players there are."""
    rng = random.Random(f"{seed}/entrants/{plan.key}")  # noqa: S311 - play, not a secret
    return sorted(rng.sample(range(players), min(plan.entrants, plan.places, players)))


def contest(seed: int, plan: TournamentPlan, game: Game, tempers: Mapping[int, Temper]) -> list[Played]:
    """What the entrants (slot → temper) play in a tournament that is open at once: each their games, by turns."""
    rng = random.Random(f"{seed}/contest/{plan.key}")  # noqa: S311 - play, not a secret
    careers = {slot: Career(temper) for slot, temper in tempers.items()}
    return [Played(slot, career.play(game, rng)) for _ in range(plan.games_each) for slot, career in careers.items()]
