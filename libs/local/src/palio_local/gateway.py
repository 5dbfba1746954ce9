"""The gateway's REST API for the command line: an address, perhaps a login, answers or a clear failure."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from palio_local import state
from palio_local.display import errors
from palio_local.layout import Layout

if TYPE_CHECKING:
    import httpx2

DEFAULT_URL = "http://127.0.0.1:23455"
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Gateway:
    """A client of one gateway; `user_id` is set after a login."""

    client: "httpx2.Client"
    user_id: str | None = None

    def get(self, path: str, **query: Any) -> Any:
        """The document at a path."""
        return self._answer(self.client.get(path, params={name: value for name, value in query.items() if value}))

    def post(self, path: str, document: object) -> Any:
        """The answer to a document."""
        return self._answer(self.client.post(path, json=document))

    def signed_in_as(self, username: str, password: str) -> "Gateway":
        """The same gateway for a user."""
        login = self.post("/api/v1/users/login", {"username": username, "password": password})
        self.client.headers["authorization"] = f"Bearer {login['access_token']}"
        return Gateway(self.client, str(login["user"]["id"]))

    def _answer(self, response: "httpx2.Response") -> Any:
        if not response.is_success:
            _fail(_told(response))
        return response.json()


@contextmanager
def connected(username: str | None = None, password: str | None = None) -> Iterator[Gateway]:
    """The running stack's gateway (or PALIO_GATEWAY_URL's); signed in if a user is named.

    Raises:
        typer.Exit: it cannot be reached, or refuses; the reason was printed.
    """
    import httpx2  # noqa: PLC0415 - a fifth of a second that most commands need not spend

    try:
        with httpx2.Client(base_url=_url(), timeout=_TIMEOUT_S) as client:
            gateway = Gateway(client)
            yield gateway.signed_in_as(username, password or "") if username else gateway
    except httpx2.TransportError as error:
        elsewhere = "For a stack with its own --data-dir set PALIO_GATEWAY_URL or PALIO_DATA_DIR."
        _fail(f"The gateway at {_url()} cannot be reached ({error}). Is `palio demo` running? {elsewhere}")


def _url() -> str:
    document = state.read(Layout.of(None))
    known = str(document["urls"]["gateway"]) if document else DEFAULT_URL
    return os.environ.get("PALIO_GATEWAY_URL", known)


def _told(response: "httpx2.Response") -> str:
    try:
        problem = response.json()
        fields = "".join(f"\n  {field['pointer']}: {field['detail']}" for field in problem.get("errors") or ())
        return f"{problem['title']} ({problem['status']} {problem['code']}). {problem.get('detail', '')}{fields}"
    except (ValueError, KeyError, TypeError):
        return f"The gateway answered {response.status_code}."


def _fail(text: str) -> NoReturn:
    errors.print(text, style="red")
    raise typer.Exit(1)
