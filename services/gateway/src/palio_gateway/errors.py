"""What can be wrong with a request before any service has seen it."""

from palio_kit.problems import BadRequest, MethodNotAllowed, Problem, TooManyRequests, Unauthorized


class MalformedPath(BadRequest):
    """Paths hold letters, digits and `-._~` between single slashes; nothing here needs percent-encoding."""

    code, title = "malformed_path", "The path is malformed"


class MalformedQuery(BadRequest):
    """The query repeats a parameter or is not `name=value` pairs."""

    code, title = "malformed_query", "The query is malformed"


class RepeatedHeader(BadRequest):
    """A header that may stand once stands twice."""

    code, title = "repeated_header", "A header is repeated"


class MalformedToken(Unauthorized):
    """`Authorization` must be `Bearer` and an access token."""


class WrongMethod(MethodNotAllowed):
    """This path takes other methods."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"Allowed here: {allowed}.")
        self.headers = {"allow": allowed}


class OriginNotAllowed(Problem):
    """Pages of this origin may not call."""

    status, code, title = 403, "origin_not_allowed", "The origin is not allowed"


class TooFast(TooManyRequests):
    """The caller's allowance is used up for now; the `RateLimit` headers tell which one and until when."""

    def __init__(self, headers: list[tuple[bytes, bytes]], wait_s: int) -> None:
        super().__init__(retry_after_s=wait_s)
        self.headers = {name.decode(): value.decode() for name, value in headers}
