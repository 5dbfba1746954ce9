import random
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palio_generator import domain
from palio_generator.domain import Career, Game, OpenTournament

SAFE = 2**53 - 1
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@st.composite
def games(draw: st.DrawFn) -> Game:
    low, high = sorted((draw(st.integers(-SAFE, SAFE)), draw(st.integers(-SAFE, SAFE))))
    return Game(draw(st.sampled_from(["space-race", "x", "time-trial"])), draw(st.booleans()), low, high)


performances = st.floats(-50, 50)
seeds = st.integers(0, 2**31 - 1)


@given(games(), performances)
def test_a_score_is_always_within_the_bounds_of_its_game(game: Game, performance: float) -> None:
    assert game.score_min <= domain.score_for(game, performance) <= game.score_max


@given(games(), performances, performances)
def test_a_better_performance_never_scores_worse(game: Game, one: float, other: float) -> None:
    worse, better = (domain.score_for(game, performance) for performance in sorted((one, other)))
    assert better <= worse if game.ascending else better >= worse


@given(games(), seeds, st.integers(1, 30))
def test_a_career_stays_within_bounds(game: Game, seed: int, count: int) -> None:
    rng = random.Random(seed)
    career = Career(domain.temper(rng))
    assert all(game.score_min <= career.play(game, rng) <= game.score_max for _ in range(count))


@given(games(), seeds, st.integers(1, 12), st.integers(0, 80))
def test_one_seed_has_one_past(game: Game, seed: int, players: int, count: int) -> None:
    tempers = [domain.temper_of(seed, slot) for slot in range(players)]
    first = domain.history(random.Random(seed), tempers, game, count)
    assert first == domain.history(random.Random(seed), tempers, game, count)
    assert len(first) == count
    assert all(0 <= played.slot < players for played in first)


def test_another_seed_has_another_past() -> None:
    game = Game("space-race", ascending=False, score_min=0, score_max=10**6)
    tempers = [domain.temper_of(1, slot) for slot in range(10)]
    assert domain.history(random.Random(1), tempers, game, 50) != domain.history(random.Random(2), tempers, game, 50)


def test_the_skilled_score_more_than_the_unskilled() -> None:
    game = Game("space-race", ascending=False, score_min=0, score_max=10**6)
    rng = random.Random(7)
    good, bad = (Career(domain.Temper(talent, 0.6, 1.0, tastes_seed=1)) for talent in (1.0, -1.0))
    assert median(good.play(game, rng) for _ in range(200)) > 1.5 * median(bad.play(game, rng) for _ in range(200))


def test_practice_helps_and_tiredness_goes_with_rest() -> None:
    game = Game("space-race", ascending=False, score_min=0, score_max=10**6)
    career = Career(domain.Temper(0, 0.0, 1.0, tastes_seed=1))
    for _ in range(40):
        career.play(game, random.Random(1))
    assert career.tiredness == pytest.approx(1.0)
    tired = domain.score_for(game, -career.tiredness)
    career.rest()
    assert career.tiredness == 0
    assert domain.score_for(game, -career.tiredness) > tired
    assert career.played == {"space-race": 40}


@settings(deadline=None)  # the first call loads the names
@given(seeds)
def test_handles_are_distinct_and_fit_for_registration(seed: int) -> None:
    names = domain.handles(seed, 60)
    assert len(set(names)) == 60
    assert all(3 <= len(name) <= 20 and name.replace("_", "").isalpha() and name.isascii() for name in names)
    assert domain.handles(seed, 20) == names[:20]


@given(seeds, st.integers(1, 200))
def test_waits_and_sessions_are_bounded(seed: int, players: int) -> None:
    rng = random.Random(seed)
    temper = domain.temper(rng)
    assert 0 <= domain.arrival_s(rng, players) <= 30
    assert 1 <= domain.session_games(rng, temper) <= 40
    assert 0.8 <= domain.game_s(rng) <= 15
    assert 3 <= domain.away_s(rng, temper) <= 90


@given(seeds)
def test_a_contested_game_is_played_more(seed: int) -> None:
    rng = random.Random(seed)
    temper = domain.temper(rng)
    choice = [Game(name, ascending=False, score_min=0, score_max=100) for name in ("a", "b", "c", "d")]
    chosen = [domain.choose_game(rng, temper, choice, ["c"]).game_id for _ in range(200)]
    assert chosen.count("c") > 100


@pytest.mark.parametrize(("taken", "allowed"), [(0, True), (4, True), (5, False), (10, False)])
def test_simulated_players_leave_half_of_the_places_to_people(taken: int, allowed: bool) -> None:
    assert domain.may_join(OpenTournament("t", "g", 10, taken)) is allowed


def test_a_duel_has_a_place_for_one_simulated_player() -> None:
    assert domain.may_join(OpenTournament("t", "g", 2, 0))
    assert not domain.may_join(OpenTournament("t", "g", 2, 1))


@given(seeds, st.integers(2, 60), st.sampled_from(domain.TOURNAMENTS))
def test_entrants_fit_their_tournament(seed: int, players: int, plan: domain.TournamentPlan) -> None:
    slots = domain.entrants(seed, plan, players)
    assert len(set(slots)) == len(slots) <= plan.places
    assert all(0 <= slot < players for slot in slots)
    assert slots == domain.entrants(seed, plan, players)


def test_the_demo_has_a_tournament_to_come_one_under_way_and_a_short_one() -> None:
    times = {plan.key: (plan.starts_at(NOON) - NOON, plan.ends_at(NOON) - NOON) for plan in domain.TOURNAMENTS}
    assert any(start > timedelta(0) for start, _ in times.values())
    assert any(start == timedelta(0) and end >= timedelta(minutes=5) for start, end in times.values())
    assert any(start == timedelta(0) and end == timedelta(seconds=90) for start, end in times.values())


@given(seeds, st.sampled_from(domain.TOURNAMENTS))
def test_a_contest_gives_each_entrant_the_same_number_of_games(seed: int, plan: domain.TournamentPlan) -> None:
    game = Game("space-race", ascending=False, score_min=0, score_max=10**6)
    slots = domain.entrants(seed, plan, 40)
    played = domain.contest(seed, plan, game, {slot: domain.temper_of(seed, slot) for slot in slots})
    assert [one.slot for one in played].count(slots[0]) == plan.games_each
    assert len(played) == plan.games_each * len(slots)
