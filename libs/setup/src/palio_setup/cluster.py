"""The few calls to the API server that setting up needs, with nothing but the standard library.

The official client is 188 MB, and five verbs on paths are all that is asked here.
"""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
API_SERVER = "https://kubernetes.default.svc"
_ACCEPT = "application/json, application/jwk-set+json"
_TIMEOUT_S = 10.0
_BYTES_MAX = 16 * 1024 * 1024
_NOT_FOUND = 404

Send = Callable[[str, str, bytes | None, str], tuple[int, bytes]]
"""Method, path, body, content type → status, body."""


class Refused(OSError):
    """The API server said no; the message has its words."""


@dataclass(frozen=True)
class Cluster:
    """The API server as one namespace's account sees it."""

    namespace: str
    send: Send

    @classmethod
    def of_pod(cls, account: Path = ACCOUNT) -> "Cluster":
        """As the pod's service account."""
        return cls((account / "namespace").read_text().strip(), _sender(account))

    def get(self, path: str) -> Any:
        """The object at a path, or None.

        Raises:
            Refused: any other answer than 2xx or 404.
        """
        return self._call("GET", path, None, "application/json", absent_is_none=True)

    def create(self, path: str, document: Mapping[str, Any]) -> Any:
        """Create an object in a collection.

        Raises:
            Refused: also if it is there.
        """
        return self._call("POST", path, document, "application/json")

    def patch(self, path: str, document: Mapping[str, Any]) -> Any:
        """Merge into an object; None if it is gone.

        Raises:
            Refused: any other answer than 2xx or 404.
        """
        return self._call("PATCH", path, document, "application/merge-patch+json", absent_is_none=True)

    def delete(self, path: str) -> Any:
        """Delete an object; None if it is gone.

        Raises:
            Refused: any other answer than 2xx or 404.
        """
        return self._call("DELETE", path, None, "application/json", absent_is_none=True)

    def core(self, kind: str, name: str = "") -> str:
        """The path of a core object of this namespace, or of the collection."""
        return f"/api/v1/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")

    def _call(
        self, method: str, path: str, document: Mapping[str, Any] | None, kind: str, *, absent_is_none: bool = False
    ) -> Any:
        body = None if document is None else json.dumps(document).encode()
        status, answer = self.send(method, path, body, kind)
        if status == _NOT_FOUND and absent_is_none:
            return None
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own borders
            raise Refused(f"{method} {path}: {status} {_reason(answer)}")
        return json.loads(answer)


def _reason(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode(errors="replace")


def _sender(account: Path) -> Send:
    context = ssl.create_default_context(cafile=str(account / "ca.crt"))

    def send(method: str, path: str, body: bytes | None, kind: str) -> tuple[int, bytes]:
        token = (account / "token").read_text().strip()
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": kind,
            "accept": "application/json, application/jwk-set+json",
        }
        request = urllib.request.Request(API_SERVER + path, body, headers, method=method)  # noqa: S310 - https, fixed
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=context) as answer:  # noqa: S310
                return answer.status, answer.read(_BYTES_MAX)
        except urllib.error.HTTPError as error:
            return error.code, error.read(_BYTES_MAX)
        except http.client.HTTPException as error:
            raise Refused(f"{method} {path}: {error!r}") from error

    return send
