import string
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from palio_user import domain
from palio_user.domain import GlobalStats, Standing, Subject

USERNAMES = st.text(string.ascii_letters + string.digits + "_.-", min_size=3, max_size=24)
AT = datetime(2030, 1, 1, tzinfo=UTC)


@given(USERNAMES)
def test_names_that_differ_only_in_case_are_one(username: str) -> None:
    assert domain.username_key(username.upper()) == domain.username_key(username.lower())


@given(USERNAMES, USERNAMES)
def test_names_that_differ_in_more_than_case_are_two(one: str, other: str) -> None:
    assert (domain.username_key(one) == domain.username_key(other)) == (one.lower() == other.lower())


@given(st.text())
def test_a_password_is_the_same_however_its_characters_were_composed(password: str) -> None:
    once = domain.normal_password(password)
    assert domain.normal_password(once) == once


def test_the_generators_name_is_reserved_in_any_case() -> None:
    assert domain.is_reserved("Palio-Generator")
    assert not domain.is_reserved("palio-generators")


def test_everybody_plays_and_in_the_demo_everybody_organises() -> None:
    assert domain.effective_roles([], is_demo=False) == ["player"]
    assert domain.effective_roles(["admin"], is_demo=False) == ["admin", "player"]
    assert domain.effective_roles(["admin"], is_demo=True) == ["admin", "organiser", "player"]


@given(st.lists(st.sampled_from(["player", "organiser", "server", "admin"])))
def test_a_token_says_the_granted_roles_and_player(wanted: list[str]) -> None:
    stored = domain.stored_roles(wanted)
    assert "player" not in stored
    assert set(domain.effective_roles(stored, is_demo=False)) == {*wanted, "player"}


def test_an_access_token_says_everything_that_services_require() -> None:
    subject, token_id = Subject(UUID(int=1), "ada"), UUID(int=2)
    claims = domain.access_claims(
        subject, ["player"], issuer="palio", audience="players", now_s=1000, token_id=token_id
    )
    assert claims == {
        "iss": "palio", "aud": "players", "iat": 1000, "exp": 1900, "sub": str(subject.user_id), "jti": str(token_id),
        "username": "ada", "roles": ["player"],
    }  # fmt: skip


@given(st.integers(1, 10_000))
def test_delays_never_shrink_and_never_become_a_lock(attempts: int) -> None:
    assert 0 <= domain.delay_after_s(attempts) <= domain.delay_after_s(attempts + 1) <= 900


def test_a_tireless_guesser_gets_at_most_twenty_guesses_an_hour() -> None:
    guesses, clock_s = 0, 0.0
    while clock_s < 3600:
        guesses += 1
        clock_s += domain.delay_after_s(guesses)
    assert guesses <= 20


@given(st.integers(1, 10_000))
def test_the_table_of_delays_says_what_the_rule_says(attempts: int) -> None:
    table = domain.delays_s()
    assert table[min(attempts, len(table)) - 1] == domain.delay_after_s(attempts)


STANDINGS = [
    Standing("global", 70, AT, 3),
    Standing("game:space-race", 50, AT, 2),
    Standing("game:arena", 20, AT + timedelta(seconds=1), 1),
]


def test_statistics_list_games_by_id_with_their_ranks() -> None:
    games = domain.games_of(STANDINGS, {"game:arena": 4, "global": 9})
    assert [(game.game_id, game.score, game.rank, game.submissions) for game in games] == [
        ("arena", 20, 4, 1),
        ("space-race", 50, None, 2),
    ]


def test_the_global_place_is_known_without_its_rank() -> None:
    assert domain.global_of(STANDINGS, {}) == GlobalStats(70, None)
    assert domain.global_of(STANDINGS, {"global": 9}) == GlobalStats(70, 9)
    assert domain.global_of(STANDINGS[1:], {}) is None
