"""Standings do not depend on luck: not on the order of flushes, not on who gets a lock first."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from palio_kit.times import rfc3339
from palio_score.domain import (
    SCORE_MAX,
    TOTAL_MAX,
    Board,
    Place,
    Rules,
    Seat,
    Share,
    Sheet,
    Standing,
    Window,
    acceptance_times,
    board_kind,
    clamp,
    fold,
    game_board,
    stands_above,
    submission_id,
    take,
    which_count,
    written,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
orders = st.sampled_from(["desc", "asc"])
scores = st.integers(-SCORE_MAX, SCORE_MAX)
few_scores = st.integers(-3, 3)


def at(microseconds: int) -> datetime:
    return START + timedelta(microseconds=microseconds)


def histories(values: st.SearchStrategy[int] = few_scores) -> st.SearchStrategy[list[tuple[int, datetime]]]:
    """Scores with distinct times, in any order."""
    moments = st.lists(st.integers(0, 20), min_size=1, max_size=8, unique=True)
    return moments.flatmap(lambda times: st.tuples(*(st.tuples(values, st.just(at(time))) for time in times)).map(list))


def in_flushes(board: Board, history: list[tuple[int, datetime]], sizes: list[int]) -> Standing:
    """Play a history in flushes of these sizes, each in the order of its times."""
    standing: Standing | None = None
    rest = history
    for size in [*sizes, len(history)]:
        flush, rest = sorted(rest[:size], key=lambda one: one[1]), rest[size:]
        if flush:
            standing = take(standing, board, fold(board, flush))
    assert standing is not None
    return standing


def better(order: str, score: int, moment: datetime) -> tuple[int, datetime]:
    return (-score if order == "desc" else score, moment)


sizes = st.lists(st.integers(1, 4), max_size=8)


@given(orders, histories(), sizes)
def test_the_best_is_chosen_on_the_whole_tuple_whatever_the_order_of_flushes(
    order: str, history: list[tuple[int, datetime]], cuts: list[int]
) -> None:
    standing = in_flushes(Board("b", order, "best"), history, cuts)
    assert better(order, standing.score, standing.reached_at) == min(better(order, *one) for one in history)


@given(orders, histories(), sizes)
def test_the_last_is_the_one_accepted_last_whatever_the_order_of_flushes(
    order: str, history: list[tuple[int, datetime]], cuts: list[int]
) -> None:
    standing = in_flushes(Board("b", order, "last"), history, cuts)
    assert (standing.score, standing.reached_at) == max(history, key=lambda one: one[1])


@given(orders, histories(st.integers(1, 3)), sizes, st.randoms(use_true_random=False))
def test_a_sum_does_not_depend_on_the_order_of_flushes(
    order: str, history: list[tuple[int, datetime]], cuts: list[int], chance: Random
) -> None:
    board = Board("b", order, "sum")
    one = in_flushes(board, history, cuts)
    other = in_flushes(board, chance.sample(history, len(history)), [])
    assert (one.score, one.reached_at) == (other.score, other.reached_at)
    assert one.score == sum(score for score, _ in history)
    assert one.reached_at == max(moment for _, moment in history)


@given(st.lists(scores, min_size=1, max_size=40), sizes)
def test_a_sum_shows_at_most_a_safe_integer_and_forgets_nothing_beyond_it(amounts: list[int], cuts: list[int]) -> None:
    history = [(amount, at(index)) for index, amount in enumerate(amounts)]
    standing = in_flushes(Board("b", "desc", "sum"), history, cuts)
    assert standing.total == sum(amounts)
    assert standing.score == clamp(sum(amounts), SCORE_MAX)


def test_a_sum_never_outgrows_a_bigint() -> None:
    board = Board("b")
    standing = Standing(SCORE_MAX, TOTAL_MAX, START, 1, 1)
    share = fold(board, [(SCORE_MAX, at(index)) for index in range(1000)])
    assert share.total == TOTAL_MAX
    assert take(standing, board, share).total == TOTAL_MAX
    assert standing.total + share.total < 2**63


@given(orders, st.sampled_from(["best", "sum", "last"]), histories(), sizes)
def test_versions_count_flushes_that_changed_something_and_submissions_count_all(
    order: str, keep: str, history: list[tuple[int, datetime]], cuts: list[int]
) -> None:
    board = Board("b", order, keep)
    standing: Standing | None = None
    for one in history:
        before, standing = standing, take(standing, board, fold(board, [one]))
        shown = None if before is None else (before.score, before.reached_at)
        assert standing.version == (before.version if before else 0) + (shown != (standing.score, standing.reached_at))
    assert standing is not None
    assert standing.submissions == in_flushes(board, history, cuts).submissions == len(history)


@given(orders, st.sampled_from(["best", "last"]), histories())
def test_a_submission_counts_if_it_changed_what_those_before_it_had_left(
    order: str, keep: str, history: list[tuple[int, datetime]]
) -> None:
    board = Board("b", order, keep)
    efforts = sorted(history, key=lambda one: one[1])
    expected = [
        index == 0 or in_flushes(board, efforts[: index + 1], []) != in_flushes_but_counted(board, efforts[:index])
        for index in range(len(efforts))
    ]
    assert which_count(None, board, efforts) == expected


def in_flushes_but_counted(board: Board, history: list[tuple[int, datetime]]) -> Standing:
    """The standing after a history, as if one more had been submitted that changed nothing."""
    standing = in_flushes(board, history, [])
    return Standing(
        standing.score, standing.total, standing.reached_at, standing.version, standing.submissions + 1
    )  # fmt: skip


@given(orders, few_scores, st.integers(0, 3), few_scores, st.integers(0, 3))
def test_of_two_different_tuples_exactly_one_stands_above_the_other(
    order: str, score: int, time: int, other: int, other_time: int
) -> None:
    forward = stands_above(score, at(time), other, at(other_time), order)
    backward = stands_above(other, at(other_time), score, at(time), order)
    assert forward + backward == ((score, time) != (other, other_time))


def rules(name: str, *, counts: bool = True) -> Rules:
    return Rules(name, game_board(name, "desc", "best"), -SCORE_MAX, SCORE_MAX, counts)


def test_seats_are_shared_by_all_submissions_of_a_player() -> None:
    alone = rules("b", counts=False)
    sheet = Sheet([(rules("a"), "ada"), (alone, "ada"), (rules("a"), "ada"), (rules("a"), "bob")])
    assert sorted(sheet.seats) == [("game:a", "ada"), ("game:a", "bob"), ("game:b", "ada")]
    assert sorted(sheet.overall) == ["ada", "bob"]
    assert sheet.places["b", "ada"].overall is None
    assert sheet.places["a", "ada"].overall is sheet.overall["ada"]
    assert sheet.played() == sheet.changed() == []


def test_a_score_counts_for_a_tournament_from_its_start_until_just_before_its_end_and_not_before_joining() -> None:
    window = Window("t", Seat(Board("tournament:t"), "ada"), at(10), at(20), at(0))
    assert [time for time in range(8, 23) if window.takes(at(time))] == list(range(10, 20))
    late = Window("t", Seat(Board("tournament:t"), "ada"), at(10), at(20), at(15))
    assert [time for time in range(8, 23) if late.takes(at(time))] == list(range(15, 20))


def test_a_place_names_the_tournaments_a_score_counts_for() -> None:
    seat = Seat(Board("tournament:t", keep="best"), "ada")
    place = Place(Seat(game_board("a", "desc", "best"), "ada"), None, [Window("t", seat, at(5), at(9), at(0))])
    assert place.tournaments(at(1)) == {}
    assert place.tournaments(at(6)) == {"t": seat}


def test_a_seat_tells_which_of_its_efforts_counted() -> None:
    seat = Seat(Board("b", "desc", "best"), "ada", efforts=[(5, at(1)), (3, at(2)), (7, at(3))])
    held = Standing(4, 0, START, 2, 2)
    now = take(held, seat.board, fold(seat.board, seat.efforts))
    seat.took(held, now)
    assert seat.changed
    assert seat.counted() == [True, False, True]
    seat.efforts = [(6, at(4))]
    seat.took(now, take(now, seat.board, fold(seat.board, seat.efforts)))
    assert seat.counted() == [False]


def test_each_order_and_keep_has_its_letter() -> None:
    letters = {
        (order, keep): Board("b", order, keep).rule for order in ("desc", "asc") for keep in ("best", "sum", "last")
    }
    assert letters == {
        ("desc", "best"): "d", ("asc", "best"): "a", ("desc", "sum"): "s", ("asc", "sum"): "s", ("desc", "last"): "l",
        ("asc", "last"): "l",
    }  # fmt: skip


def test_a_first_share_is_the_standing() -> None:
    assert take(None, Board("b"), Share(3, 3, START, 2)) == Standing(3, 3, START, 1, 2)


@given(st.lists(st.tuples(st.integers(0, 2**48 * 1000 - 1), st.integers(0, 2**64 - 1)), min_size=2, max_size=20))
def test_submission_ids_are_version_7_and_sort_as_their_times(moments: list[tuple[int, int]]) -> None:
    ids = [(time, UUID(bytes=submission_id(time, noise))) for time, noise in sorted(moments)]
    assert all(one.version == 7 and one.variant == "specified in RFC 4122" for _, one in ids)
    assert all(one < other for (time, one), (later, other) in pairwise(ids) if time < later)


@given(st.integers(1, 1500))
def test_every_submission_of_a_flush_has_a_microsecond_of_its_own(count: int) -> None:
    assert list(acceptance_times(START, count)) == [at(index) for index in range(count)]


@given(st.integers(0, 10**6), st.integers(1, 1100))
def test_times_are_written_as_everywhere(first_us: int, count: int) -> None:
    times = acceptance_times(at(first_us), count)
    assert written(times) == [rfc3339(time) for time in times]


def test_names_of_boards_say_what_they_are() -> None:
    assert board_kind("global") == ("global", "")
    assert board_kind("game:space-race") == ("game", "space-race")
    assert board_kind("tournament:t") == ("tournament", "t")
    assert board_kind("game:") == board_kind("other:x") == board_kind("") == ("", "")
