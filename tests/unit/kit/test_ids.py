"""Version 7 UUIDs."""

from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from palio_kit.ids import new_id, uuid7


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**80))
def test_the_bits_are_where_rfc_9562_puts_them(unix_ms: int, random_bits: int) -> None:
    made = uuid7(unix_ms, random_bits)
    assert made.version == 7
    assert made.variant == RFC_4122
    assert made.int >> 80 == unix_ms


@given(st.integers(0, 2**48 - 2), st.integers(0, 2**74 - 1), st.integers(0, 2**74 - 1))
def test_later_ids_sort_later(unix_ms: int, one: int, other: int) -> None:
    assert uuid7(unix_ms, one) < uuid7(unix_ms + 1, other)


def test_new_ids_differ() -> None:
    assert len({new_id() for _ in range(1_000)}) == 1_000
