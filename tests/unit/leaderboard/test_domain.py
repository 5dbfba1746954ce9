"""How a board is read, without any store."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_kit.paging import BadCursor, encode_cursor
from palio_leaderboard import domain
from palio_leaderboard.domain import Placed, Rules, Slice, Standing

IDS = st.binary(min_size=16, max_size=16)
SCORES = st.integers(-(2**53) + 1, 2**53 - 1)
TIMES = st.integers(0, 253_402_300_799_999_999)


def board(scores: list[int]) -> list[Standing]:
    """In the order of a descending board."""
    ordered = sorted(scores, reverse=True)
    return [Standing(number.to_bytes(16), score, number) for number, score in enumerate(ordered)]


def part(rows: list[Standing], first: int, last: int) -> Slice:
    shown = rows[first:last]
    better = sum(row.score > shown[0].score for row in rows) if shown else 0
    return Slice("e", 1, len(rows), first, better, shown)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_shared_ranks_count_strictly_better_scores_on_any_page(scores: list[int], data: Any) -> None:
    rows = board(scores)
    first = data.draw(st.integers(0, len(rows) - 1))
    shown = part(rows, first, data.draw(st.integers(first + 1, len(rows))))
    expected = [1 + sum(other.score > row.score for other in rows) for row in shown.rows]
    assert domain.ranks_of(Rules("desc", "shared"), shown) == expected


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_earliest_ranks_are_positions_on_any_page(scores: list[int], data: Any) -> None:
    rows = board(scores)
    first = data.draw(st.integers(0, len(rows) - 1))
    shown = part(rows, first, len(rows))
    assert domain.ranks_of(Rules("desc", "earliest"), shown) == list(range(first + 1, len(rows) + 1))


@pytest.mark.parametrize(("ties", "rank"), [("earliest", 8), ("shared", 4)])
def test_one_players_rank_follows_the_ties(ties: Any, rank: int) -> None:
    assert domain.rank_of(Rules("desc", ties), Placed(Standing(b"", 5, 0), before=7, better=3)) == rank


@given(IDS, SCORES, TIMES)
def test_a_cursor_stands_on_its_row(user_id: bytes, score: int, reached_at_us: int) -> None:
    row = Standing(user_id, score, reached_at_us)
    cursor = domain.cursor_after(Slice("e", 1, 2, 0, 0, [row]))
    assert cursor is not None
    assert domain.standing_at(cursor) == row


def test_there_is_no_cursor_at_the_end_or_of_nothing() -> None:
    rows = board([3, 2, 1])
    assert domain.cursor_after(part(rows, 1, 3)) is None
    assert domain.cursor_after(Slice("e", 1, 0, 0, 0, [])) is None


@pytest.mark.parametrize(
    "key",
    [
        (2**53, 0, b"x" * 16), (1, -1, b"x" * 16), (1, 253_402_300_800_000_000, b"x" * 16), (1, 1, b"x" * 15), "text",
        [1, 2], (1.5, 0, b"x" * 16),
    ],
    ids=repr,
)  # fmt: skip
def test_foreign_cursors_are_refused(key: object) -> None:
    with pytest.raises(BadCursor):
        domain.standing_at(encode_cursor(key))


@given(st.text(max_size=80))
def test_any_text_is_refused_or_a_cursor(text: str) -> None:
    try:
        domain.standing_at(text)
    except BadCursor:
        return


@given(st.uuids())
def test_ids_keep_their_text(user_id: UUID) -> None:
    assert domain.user_key(str(user_id)) == user_id.bytes
    assert domain.user_text(user_id.bytes) == str(user_id)


@pytest.mark.parametrize(
    "text", ["", "nobody", str(UUID(int=1)).upper() + "0", UUID(int=1).hex, " " + str(UUID(int=1))]
)
def test_what_is_no_canonical_id_is_none(text: str) -> None:
    assert domain.user_key(text) is None


@pytest.mark.parametrize(
    ("name", "exists"),
    [
        ("global", True), ("game:space-race", True), (f"tournament:{UUID(int=1)}", True), ("global:", False),
        ("global:x", False), ("game:", False), ("game:-a", False), ("game:A", False), ("tournament:7", False),
        ("", False), ("games:space-race", False), ("game:a\n", False),
    ],
)  # fmt: skip
def test_boards_have_one_spelling(name: str, exists: bool) -> None:
    assert domain.is_board(name) is exists


@pytest.mark.parametrize(
    ("header", "matches"),
    [(None, False), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("a", False)],
)
def test_if_none_match_is_compared_weakly(header: str | None, matches: bool) -> None:
    assert domain.etag_matches(header, '"a"') is matches


def test_a_player_who_differs_or_is_on_one_side_only_disagrees() -> None:
    same, other, gone, new = (bytes([number]) * 16 for number in range(4))
    cached = {same: (5, 1), other: (5, 1), gone: (5, 1)}
    stored = {same: (5, 1, 3), other: (6, 1, 4), new: (1, 1, 1)}
    found = domain.disagreements("global", cached, stored)
    assert {(item.user_id.bytes, item.version) for item in found} == {(other, 4), (gone, 0), (new, 1)}
