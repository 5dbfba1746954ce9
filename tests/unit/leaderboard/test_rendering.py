"""Bodies written by hand are what the models promise."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_kit.times import rfc3339
from palio_leaderboard import rendering
from palio_leaderboard.domain import Moment, Placed, Rules, Slice, Standing
from palio_leaderboard.models import BoardAround, BoardPage, BoardRank
from palio_leaderboard.rendering import Name

RULES = Rules("desc", "shared")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def name(text: str) -> Name:
    return Name(text, rendering.json_text(text), 0.0)


@given(TEXTS, st.integers(-(2**53) + 1, 2**53 - 1), st.integers(0, 4_102_444_800_000_000))
def test_any_name_score_and_time_makes_a_page_of_the_model(username: str, score: int, reached_at_us: int) -> None:
    row = Standing(bytes(range(16)), score, reached_at_us)
    found = Slice("e1", 7, 2, 0, 0, [row])
    body = rendering.page_body("global", RULES, found, {row.user_id: name(username)})
    page = BoardPage.model_validate_json(body)
    assert (page.items[0].username, page.items[0].score) == (username, score)
    assert msgspec.json.decode(body).keys() == BoardPage.model_fields.keys()
    assert page.next_cursor


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)))  # noqa: DTZ001
def test_times_are_written_as_everywhere(moment: datetime) -> None:
    microseconds = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
    assert rendering.moment_text(microseconds) == rfc3339(moment.replace(tzinfo=UTC))


@pytest.mark.parametrize("model", [BoardRank, BoardAround], ids=["rank", "around"])
def test_a_players_answers_have_the_models_fields(model: Any) -> None:
    row = Standing(bytes(16), 5, 0)
    names = {row.user_id: name("ada")}
    if model is BoardRank:
        head = rendering.head("global", RULES, "e1", Moment(3, 9))
        body = rendering.rank_body(head, RULES, Placed(row, 4, 2), names)
    else:
        body = rendering.around_body("global", RULES, Slice("e1", 3, 9, 4, 2, [row]), names)
    answer = model.model_validate_json(body)
    assert msgspec.json.decode(body).keys() == model.model_fields.keys()
    assert (answer.version, answer.total) == (3, 9)
    assert (answer.item if model is BoardRank else answer.items[0]).rank == 3


def test_an_etag_changes_with_the_body_though_the_version_stays() -> None:
    one = rendering.etag_of("global", "e1", 3, b"ada")
    assert one.startswith('"global.e1.3.')
    assert one != rendering.etag_of("global", "e1", 3, b"bob")
    assert one == rendering.etag_of("global", "e1", 3, b"ada")
