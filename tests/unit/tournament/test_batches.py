"""How due tournaments are divided over transactions."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from palio_tournament.store import Due
from palio_tournament.sweeper import batches


@given(
    st.lists(st.integers(0, 30_000), max_size=60),
    st.sets(st.integers(0, 59)),
    st.integers(1, 20),
)
def test_everything_due_is_in_exactly_one_batch_and_suspects_are_alone(
    players: list[int], suspects: set[int], size: int
) -> None:
    due = [Due(UUID(int=number), count) for number, count in enumerate(players)]
    suspected = {UUID(int=number) for number in suspects}
    made = list(batches(due, suspected, size))
    assert sorted(one for batch in made for one in batch) == [one.tournament_id for one in due]
    sizes = {one.tournament_id: one.participants for one in due}
    for batch in made:
        assert 1 <= len(batch) <= size
        assert len(batch) == 1 or not suspected.intersection(batch)
        assert len(batch) == 1 or sum(sizes[one] for one in batch) <= 20_000
