from hypothesis import given
from hypothesis import strategies as st

from palio_game import domain
from palio_game.domain import Keep, Order, Rules

SCORES = st.integers(-(2**53 - 1), 2**53 - 1)


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    return Rules(
        draw(st.sampled_from(Order)),
        draw(st.sampled_from(Keep)),
        draw(SCORES),
        draw(SCORES),
        "points",
        draw(st.booleans()),
    )


@given(rules())
def test_only_best_of_higher_is_better_may_count_globally(rules: Rules) -> None:
    wrong = {found.field for found in domain.contradictions(rules)}
    may_count = rules.order == Order.DESC and rules.keep == Keep.BEST
    assert ("counts_globally" in wrong) == (rules.counts_globally and not may_count)


@given(rules())
def test_bounds_must_leave_room_for_a_score(rules: Rules) -> None:
    wrong = {found.field for found in domain.contradictions(rules)}
    assert ("score_max" in wrong) == (rules.score_min > rules.score_max)
