"""The demo UI's files, kept in memory: only what the build wrote can be served, so no path can reach out of it.

`index.html` is looked at again on each visit (its build's time tells), so a build needs no restart.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from palio_kit.asgi import HotHandler, Receive, Scope, Send, headers_of

UI_DIRECTORY = Path(__file__).parent / "ui"

_POLICY = (
    b"default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_TYPES = {
    ".html": b"text/html; charset=utf-8", ".js": b"text/javascript; charset=utf-8", ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml", ".png": b"image/png", ".ico": b"image/x-icon", ".woff2": b"font/woff2",
    ".json": b"application/json", ".map": b"application/json", ".txt": b"text/plain; charset=utf-8",
    ".webmanifest": b"application/manifest+json",
}  # fmt: skip
_HASHED = re.compile(r"^/assets/.+-[A-Za-z0-9_-]{8}\.\w+$")
_A_YEAR = b"public, max-age=31536000, immutable"
_NOT_BUILT = (
    b"<!doctype html><html lang=en><title>palio</title><h1>The page is not built yet</h1>"
    b"<p>Run <code>make ui</code>, then reload. The API is here: <a href=/docs>/docs</a>.</p>"
)


@dataclass(frozen=True, slots=True)
class Page:
    """One file, ready to send."""

    body: bytes
    content_type: bytes
    cache_control: bytes = b"no-cache"
    status: int = 200

    async def handle(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer with the file, or 304 if the client has it."""
        scope["palio.route"] = "page"
        etag = b'"' + hashlib.sha256(self.body).hexdigest()[:32].encode() + b'"'
        headers = [(b"cache-control", self.cache_control), (b"etag", etag), *SECURITY_HEADERS]
        if etag in headers_of(scope).get(b"if-none-match", b""):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        headers += [(b"content-type", self.content_type), (b"content-length", str(len(self.body)).encode())]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


_PLACEHOLDER = Page(_NOT_BUILT, _TYPES[".html"], b"no-store", 503)


class Pages:
    """The UI's files by path."""

    def __init__(self, directory: Path = UI_DIRECTORY) -> None:
        self._directory = directory
        self._index = directory / "index.html"
        self._built_at: int | None = None
        self._pages: dict[str, Page] = {}
        self._read_again()

    def find(self, path: str) -> HotHandler | None:
        """What serves a path, if it is a file of the UI."""
        if path == "/":
            self._read_again()
        page = self._pages.get(path)
        if page is None:
            return _PLACEHOLDER.handle if path == "/" else None
        return page.handle

    def _read_again(self) -> None:
        try:
            built_at = self._index.stat().st_mtime_ns
        except OSError:
            self._built_at, self._pages = None, {}
            return
        if built_at != self._built_at:
            self._pages, self._built_at = _read(self._directory), built_at


def _read(directory: Path) -> dict[str, Page]:
    pages: dict[str, Page] = {}
    for file in sorted(directory.rglob("*")):
        content_type = _TYPES.get(file.suffix)
        if content_type is None or not file.is_file() or file.is_symlink():
            continue
        path = f"/{file.relative_to(directory).as_posix()}"
        cache_control = _A_YEAR if _HASHED.match(path) else b"no-cache"
        pages[path] = Page(file.read_bytes(), content_type, cache_control)
    if "/index.html" in pages:
        pages["/"] = pages.pop("/index.html")
    return pages
