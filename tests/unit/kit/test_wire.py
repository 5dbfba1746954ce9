"""What JSON is taken, and what is not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from palio_kit.problems import MalformedJson
from palio_kit.wire import Moment, PlainText, SafeInteger, Slug, UuidText, read_json

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_json_is_read_as_json(value: object) -> None:
    assert read_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == value


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"score":NaN}', id="NaN"),
        pytest.param(b'{"score":Infinity}', id="Infinity"),
        pytest.param(b'{"score":1e400}', id="1e400"),
        pytest.param(b'{"name":"\\ud800"}', id="lone surrogate"),
        pytest.param(b'{"a":1,"a":2}', id="repeated key"),
        pytest.param(b'{"a":{"b":1,"b":1}}', id="repeated key inside"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"[" * 60_000, id="deep"),
    ],
)
def test_what_rfc_8259_leaves_open_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedJson):
        read_json(body)


def test_a_number_of_any_length_is_json_and_stays_beyond_every_bound() -> None:
    assert read_json(b'{"score":-' + b"9" * 5_000 + b"}")["score"] < -(10**300)


@pytest.mark.parametrize("value", [True, "1", 1.0, 2**53, -(2**53), 2**63])
def test_a_safe_integer_is_never_coerced(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(SafeInteger).validate_python(value, strict=True)


@pytest.mark.parametrize(
    "value", ["a\x00b", "a\nb", " a", "a ", "\ud800", "\u202a\x1b", "a\u202eb", "\u200b", "\u200d\u0301"]
)
def test_plain_text_has_no_control_characters(value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(PlainText).validate_python(value)


def test_plain_text_is_normalised() -> None:
    assert TypeAdapter(PlainText).validate_python("e\u0301") == "\u00e9"


@pytest.mark.parametrize("value", ["", "-a", "a-", "A", "a_b", "a" * 41, "a/b", "é"])
def test_a_slug_is_lower_case_letters_digits_and_inner_hyphens(value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Slug).validate_python(value)


@pytest.mark.parametrize(
    "value", ["x", "0" * 32, "00000000-0000-0000-0000-00000000000G", "{}", "00000000-0000-0000-0000-0000000000AA"]
)
def test_a_uuid_is_in_its_canonical_form(value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(UuidText).validate_python(value)


@pytest.mark.parametrize("value", ["2026-11-23T12:00:00", "yesterday", 5, "1700000000", "2026-13-01T00:00:00Z"])
def test_a_moment_has_an_offset(value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Moment).validate_json(json.dumps(value))
