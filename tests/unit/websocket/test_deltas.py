"""What is told of a board always leads a client to the board itself."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from palio_websocket.domain import Board, Row, apply, diff

PLAYERS = [f"player-{number}" for number in range(8)]


def board_of(version: int, scores: dict[str, int], *, epoch: str = "e", top: int = 5, shared: bool = False) -> Board:
    ordered = sorted(scores.items(), key=lambda one: (-one[1], one[0]))
    rows = []
    for place, (player, score) in enumerate(ordered[:top], start=1):
        rank = 1 + sum(other > score for _, other in ordered) if shared else place
        rows.append(Row(rank, player, player.title(), score, "2026-11-23T12:00:00.000000Z"))
    return Board(epoch, version, "desc", "shared" if shared else "earliest", len(scores), rows)


histories = st.lists(st.dictionaries(st.sampled_from(PLAYERS), st.integers(0, 6)), min_size=1, max_size=12)


@given(histories, st.booleans())
def test_deltas_replayed_on_the_first_snapshot_give_the_last_one(history: list[dict[str, int]], shared: bool) -> None:
    boards = [board_of(version, scores, shared=shared) for version, scores in enumerate(history)]
    client = boards[0]
    for before, after in pairwise(boards):
        delta = diff(before, after)
        assert delta is not None
        applied = apply(client, delta)
        assert applied is not None
        client = applied
        assert client == after


@given(histories)
def test_coalescing_versions_tells_the_same_as_telling_each(history: list[dict[str, int]]) -> None:
    first, last = board_of(0, history[0]), board_of(len(history), history[-1])
    delta = diff(first, last)
    assert delta is not None
    assert apply(first, delta) == last


@given(histories)
def test_a_delta_holds_only_what_changed(history: list[dict[str, int]]) -> None:
    before, after = board_of(0, history[0]), board_of(1, history[-1])
    delta = diff(before, after)
    assert delta is not None
    assert not set(delta.rows) & set(before.rows)
    assert not {row.user_id for row in after.rows} & set(delta.removed)


def test_a_gap_is_never_applied() -> None:
    boards = [board_of(version, {"a": version}) for version in range(3)]
    delta = diff(boards[1], boards[2])
    assert delta is not None
    assert apply(boards[0], delta) is None


def test_another_history_is_no_delta() -> None:
    assert diff(board_of(3, {"a": 1}), board_of(4, {"a": 1}, epoch="other")) is None


def test_an_earlier_version_is_no_delta() -> None:
    assert diff(board_of(3, {"a": 1}), board_of(2, {"a": 1})) is None
