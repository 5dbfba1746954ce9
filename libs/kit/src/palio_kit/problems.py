"""Errors as RFC 9457 problems: one class per thing that can be wrong, rendered in one place.

`type` is a URN: it identifies the problem and promises no page. `Problem` is a Starlette `HTTPException`
because FastAPI passes only those through unchanged while it reads a body.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
from starlette.exceptions import HTTPException

CONTENT_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True):
    """One wrong place in a body: a JSON pointer (RFC 6901) and what is wrong there. Never echoes the input."""

    pointer: str
    detail: str


class Problem(HTTPException):
    """Base of everything a caller may be told. Subclasses set `status`, `code`, `title`."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong here"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(self.status, detail or self.__doc__ or self.title)
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s

    def body(self, trace_id: str) -> bytes:
        """The problem document as JSON."""
        document: dict[str, Any] = {
            "type": f"urn:palio:problem:{self.code}", "title": self.title, "status": self.status,
            "detail": self.detail, "code": self.code,
            "errors": self.errors, "trace_id": trace_id,
        }  # fmt: skip
        return msgspec.json.encode(document)


class MalformedJson(Problem):
    """The body is not JSON (RFC 8259): NaN, Infinity, lone surrogates and repeated keys are not."""

    status, code, title = 400, "malformed_json", "The body is not valid JSON"


class BadRequest(Problem):
    """The request could not be understood."""

    status, code, title = 400, "bad_request", "The request could not be understood"


class MalformedRequest(Problem):
    """The bytes received are not an HTTP request."""

    status, code, title = 400, "malformed_request", "This is not an HTTP request"


class Unauthorized(Problem):
    """A valid access token is needed."""

    status, code, title = 401, "unauthorized", "A valid access token is needed"


class Forbidden(Problem):
    """The caller may not do this."""

    status, code, title = 403, "forbidden", "The caller may not do this"


class NotYourself(Problem):
    """`user_id` names someone else than the caller."""

    status, code, title = 403, "not_yourself", "Only for oneself"


class NotFound(Problem):
    """There is nothing here."""

    status, code, title = 404, "not_found", "There is nothing here"


class MethodNotAllowed(Problem):
    """This path does not take that method."""

    status, code, title = 405, "method_not_allowed", "The method is not allowed here"


class RequestTimeout(Problem):
    """The body did not arrive in time."""

    status, code, title = 408, "request_timeout", "The request did not arrive in time"


class Conflict(Problem):
    """The request conflicts with what is there."""

    status, code, title = 409, "conflict", "The request conflicts with what is there"


class BodyTooLarge(Problem):
    """The body is larger than this path takes."""

    status, code, title = 413, "body_too_large", "The body is too large"


class UnsupportedMediaType(Problem):
    """The body must be JSON, uncompressed, with `Content-Type: application/json`."""

    status, code, title = 415, "unsupported_media_type", "The body's type is not supported"


class Invalid(Problem):
    """What was sent is well-formed, but not what this path takes."""

    status, code, title = 422, "invalid", "The request is well-formed but invalid"


class HeadersTooLarge(Problem):
    """At most 100 headers, 64 KiB with the request line, and 8 KiB of URL are taken."""

    status, code, title = 431, "headers_too_large", "The request's head is too large"


class TooManyRequests(Problem):
    """The caller's allowance is used up for now."""

    status, code, title = 429, "too_many_requests", "Too many requests"


class Unavailable(Problem):
    """A part this needs is away; nothing was changed. Try again."""

    status, code, title = 503, "unavailable", "A needed part is away for now"

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 1) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


class TooManyConnections(Unavailable):
    """As many connections are open here as are taken. Try again."""

    code, title = "too_many_connections", "Too many connections are open"


class OutcomeUnknown(Unavailable):
    """The connection was lost while committing, so it may have happened. Retry with the same Idempotency-Key."""

    code, title = "outcome_unknown", "It is not known whether this happened"


_BY_STATUS: dict[int, type[Problem]] = {
    problem.status: problem
    for problem in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        Invalid,
        TooManyRequests,
        Unavailable,
    )
}


def of_status(status: int, detail: str | None = None) -> Problem:
    """The generic problem of an HTTP status (for errors a framework raises)."""
    return _BY_STATUS.get(status, Problem)(detail)


def documented(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may answer with these problems."""
    documents: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        titles = documents.get(problem.status, {}).get("description", "")
        description = f"{titles}; `{problem.code}`: {problem.title}".removeprefix("; ")
        schema = {"$ref": "#/components/schemas/Problem"}
        documents[problem.status] = {
            "description": description,
            "content": {CONTENT_TYPE: {"schema": schema}},
        }
    return documents


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "errors", "trace_id"],
    "properties": {
        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
        "detail": {"type": "string"}, "code": {"type": "string"}, "trace_id": {"type": "string"},
        "errors": {"type": "array", "items": {
            "type": "object", "required": ["pointer", "detail"],
            "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
        }},
    },
}  # fmt: skip
