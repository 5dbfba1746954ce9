"""What a body must be, and which of 400 and 422 it is otherwise."""

import json

import pytest

from palio_kit.problems import Invalid, MalformedJson, Problem
from palio_score.intake import BATCH_ROWS_MAX, decode_batch, decode_score, trace_of
from palio_score.models import ScoreBody

USER = "01900000-0000-7000-8000-000000000001"


def body(score: str, *, more: str = "") -> bytes:
    return f'{{"user_id":"{USER}","game_id":"space-race","score":{score}{more}}}'.encode()


def row(score: object = 1) -> dict[str, object]:
    return {"user_id": USER, "game_id": "space-race", "score": score}


def batch(*rows: object) -> bytes:
    return json.dumps({"items": rows}).encode()


@pytest.mark.parametrize("score", [0, 1, -1, 2**53 - 1, -(2**53 - 1)])
def test_safe_integers_are_taken_exactly(score: int) -> None:
    assert decode_score(body(str(score))) == ScoreBody(USER, "space-race", score)


def test_minus_zero_is_zero() -> None:
    assert decode_score(body("-0")).score == 0


@pytest.mark.parametrize(
    "score",
    ["true", '"1"', "1.0", "1e3", "null", "[1]", "{}", str(2**53), str(-(2**53)), str(2**63), str(2**64), "9" * 5_000],
)
def test_anything_but_a_safe_integer_is_invalid(score: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_score(body(score))
    assert [error.pointer for error in caught.value.errors] == ["/score"]


@pytest.mark.parametrize(
    "malformed",
    [
        pytest.param(body("NaN"), id="NaN"),
        pytest.param(body("Infinity"), id="Infinity"),
        pytest.param(body("-Infinity"), id="-Infinity"),
        pytest.param(body("1e400"), id="1e400"),
        pytest.param(body("01"), id="leading zero"),
        pytest.param(body("1", more=',"score":2'), id="repeated key"),
        pytest.param(body("1", more=',"sco\\u0072e":2'), id="repeated key, escaped"),
        pytest.param(body("1", more=',"x":"\\ud800"'), id="lone surrogate"),
        pytest.param(body("1").replace(b"space-race", b"\\ud800"), id="lone surrogate in a text"),
        pytest.param(body("1").replace(b"space-race", b"\xff"), id="not UTF-8"),
        pytest.param(body("1") + b"}", id="more after the end"),
        pytest.param(body("1").decode().encode("utf-16"), id="UTF-16"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[" * 60_000, id="deep"),
    ],
)
def test_what_is_no_json_is_malformed(malformed: bytes) -> None:
    with pytest.raises(MalformedJson):
        decode_score(malformed)


@pytest.mark.parametrize(
    "invalid",
    [
        pytest.param(body("1", more=',"extra":1'), id="unknown field"),
        pytest.param(b'{"user_id":"a","game_id":"b"}', id="missing field"),
        pytest.param(b"[]", id="not an object"),
        pytest.param(b"null", id="null"),
        pytest.param(body("1").replace(b'"space-race"', b"7"), id="number as text"),
    ],
)
def test_json_of_another_shape_is_invalid(invalid: bytes) -> None:
    with pytest.raises(Invalid):
        decode_score(invalid)


def test_quotes_inside_texts_are_no_repeated_keys() -> None:
    assert decode_score(body("1").replace(b"space-race", b'a\\"b')).game_id == 'a"b'


def test_each_row_of_a_batch_is_judged_by_itself() -> None:
    rows = decode_batch(batch(row(1), row("1"), row(2**53), {"user_id": USER}, 7, row(2)))
    assert [type(one).__name__ for one in rows] == [
        "ScoreBody",
        "Invalid",
        "Invalid",
        "Invalid",
        "Invalid",
        "ScoreBody",
    ]
    assert all(isinstance(one, ScoreBody | Problem) for one in rows)


@pytest.mark.parametrize("malformed", [b"", b"{", batch(row()).replace(b": 1}", b': 1, "score": 2}')])
def test_a_batch_that_is_no_json_is_malformed_as_a_whole(malformed: bytes) -> None:
    with pytest.raises(MalformedJson):
        decode_batch(malformed)


@pytest.mark.parametrize("invalid", [b"[]", b'{"items":1}', b'{"items":[],"more":1}', b"{}", batch()])
def test_a_batch_of_another_shape_is_invalid_as_a_whole(invalid: bytes) -> None:
    with pytest.raises(Invalid):
        decode_batch(invalid)


def test_a_batch_has_at_most_a_thousand_rows() -> None:
    assert len(decode_batch(batch(*[row()] * BATCH_ROWS_MAX))) == BATCH_ROWS_MAX
    with pytest.raises(Invalid):
        decode_batch(batch(*[row()] * (BATCH_ROWS_MAX + 1)))


def test_the_trace_is_the_callers() -> None:
    assert trace_of(f"00-{'a' * 32}-{'b' * 16}-01") == "a" * 32
    assert trace_of("00-abc") is trace_of(None) is None
