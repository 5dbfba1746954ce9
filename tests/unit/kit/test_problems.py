"""Problems on the wire (RFC 9457)."""

import json

import pytest

from palio_kit import problems
from palio_kit.asgi import problem_headers
from palio_kit.http import Reply, problem_of
from palio_kit.problems import FieldError, Invalid, Problem, Unauthorized, Unavailable


def test_a_problem_says_everything_and_echoes_nothing() -> None:
    body = json.loads(Invalid(errors=[FieldError("/score", "an integer is needed")]).body("abc"))
    assert body == {
        "type": "urn:palio:problem:invalid",
        "title": "The request is well-formed but invalid",
        "status": 422,
        "detail": "What was sent is well-formed, but not what this path takes.",
        "code": "invalid",
        "errors": [{"pointer": "/score", "detail": "an integer is needed"}],
        "trace_id": "abc",
    }


def test_unavailable_says_when_to_come_back() -> None:
    assert (b"retry-after", b"1") in problem_headers(Unavailable())


def test_unauthorized_names_the_scheme() -> None:
    assert (b"www-authenticate", b"Bearer") in problem_headers(Unauthorized())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 422, 429, 503])
def test_every_usual_status_has_a_problem(status: int) -> None:
    assert problems.of_status(status).status == status


def test_a_callee_s_problem_is_passed_on_unchanged() -> None:
    class Full(Problem):
        """No place is left."""

        status, code, title = 409, "full", "Full"

    passed_on = problem_of(Reply(409, {"Retry-After": "7"}, Full().body("t")))
    assert (passed_on.status, passed_on.code, passed_on.detail, passed_on.retry_after_s) == (
        409,
        "full",
        "No place is left.",
        7,
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"status":"x"}'])
def test_nonsense_from_a_callee_is_unavailable(body: bytes) -> None:
    assert problem_of(Reply(500, {}, body)).status == 503
