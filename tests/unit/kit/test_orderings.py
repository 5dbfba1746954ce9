"""The bytes of an ordering sort like its tuples."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from palio_kit.orderings import OrderingKeys, from_microseconds, pack_member, sort_score, to_microseconds, unpack_member

moments = st.integers(min_value=0, max_value=2**53 - 1)
ids = st.uuids()


@given(moments, ids)
def test_a_member_comes_back_as_it_was(reached_at_us: int, member_id: UUID) -> None:
    assert unpack_member(pack_member(reached_at_us, member_id)) == (reached_at_us, member_id)


@given(st.tuples(moments, ids), st.tuples(moments, ids))
def test_members_sort_by_time_then_id(one: tuple[int, UUID], other: tuple[int, UUID]) -> None:
    assert (pack_member(*one) < pack_member(*other)) == (one < other)


@given(st.integers(-(2**53) + 1, 2**53 - 1), st.integers(-(2**53) + 1, 2**53 - 1))
def test_the_better_score_sorts_first_in_both_directions(one: int, other: int) -> None:
    assert (sort_score(one, "desc") < sort_score(other, "desc")) == (one > other)
    assert (sort_score(one, "asc") < sort_score(other, "asc")) == (one < other)
    assert float(sort_score(one, "desc")) == sort_score(one, "desc"), "a zset score is a double"


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=80_000)))
def test_microseconds_are_exact(since_1970: timedelta) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + since_1970
    assert from_microseconds(to_microseconds(moment)) == moment


def test_the_keys_of_a_board_share_one_hash_tag() -> None:
    keys = OrderingKeys.of("game:space-race").all()
    assert {key[key.index("{") : key.index("}") + 1] for key in keys} == {"{game:space-race}"}
