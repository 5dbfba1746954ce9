"""Cursors."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_kit.paging import BadCursor, decode_cursor, encode_cursor

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
keys = st.tuples(st.integers(-(2**53), 2**53), st.integers(0, 2**53), texts)


@given(keys)
def test_a_cursor_carries_its_key(key: tuple[int, int, str]) -> None:
    assert decode_cursor(encode_cursor(key), tuple[int, int, str]) == key


@given(st.text(max_size=600))
def test_anything_else_is_a_bad_cursor_or_a_key(text: str) -> None:
    with suppress(BadCursor):
        decode_cursor(text, tuple[int, int, str])


@given(keys, st.integers(0, 200), st.integers(0, 7))
def test_a_flipped_bit_is_never_an_error_of_ours(key: tuple[int, int, str], place: int, bit: int) -> None:
    cursor = bytearray(encode_cursor(key).encode())
    cursor[place % len(cursor)] ^= 1 << bit
    with suppress(BadCursor):
        decode_cursor(cursor.decode("latin-1"), tuple[int, int, str])


@pytest.mark.parametrize("cursor", ["%2e%2e", "a" * 10_240, "é", "=", "AAAA===="])
def test_tricks_are_bad_cursors(cursor: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(cursor, tuple[int, int, str])


@pytest.mark.parametrize("key", ["nul\0", ["a", "\0"], {"a": "\0"}, 2**63, (1, 2**64 - 1)])
def test_what_no_column_can_hold_is_a_bad_cursor(key: object) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(encode_cursor(key), object)
