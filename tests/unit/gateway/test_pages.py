"""The UI's files: what may be served, how long it may be kept, what a page may do."""

from pathlib import Path
from typing import Any

import pytest

from palio_gateway.pages import Pages

POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; frame-ancestors 'none'"
)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    directory = tmp_path / "ui"
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_text("<!doctype html>one")
    (directory / "favicon.svg").write_text("<svg/>")
    (directory / "assets" / "index-D_4TFTvy.js").write_text("1")
    (directory / "assets" / "plain.js").write_text("2")
    (directory / "secret.key").write_text("no")
    (tmp_path / "outside.js").write_text("no")
    (directory / "assets" / "link.js").symlink_to(tmp_path / "outside.js")
    return directory


async def fetch(pages: Pages, path: str, known: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    handler = pages.find(path)
    assert handler is not None
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"if-none-match", known)] if known else []
    await handler({"type": "http", "headers": headers}, None, send)  # type: ignore[arg-type]  # it reads no body
    named = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], named, sent[1]["body"]


async def test_the_page_is_asked_for_again_each_time(built: Path) -> None:
    status, headers, body = await fetch(Pages(built), "/")
    assert (status, body) == (200, b"<!doctype html>one")
    assert (headers["cache-control"], headers["content-type"]) == ("no-cache", "text/html; charset=utf-8")
    status, _, body = await fetch(Pages(built), "/", headers["etag"].encode())
    assert (status, body) == (304, b"")


async def test_what_carries_its_hash_is_kept_a_year(built: Path) -> None:
    pages = Pages(built)
    await fetch(pages, "/")
    assert (await fetch(pages, "/assets/index-D_4TFTvy.js"))[1][
        "cache-control"
    ] == "public, max-age=31536000, immutable"
    assert (await fetch(pages, "/assets/plain.js"))[1]["cache-control"] == "no-cache"
    assert (await fetch(pages, "/favicon.svg"))[1]["cache-control"] == "no-cache"


async def test_files_are_there_before_the_page_was_asked_for(built: Path) -> None:
    assert (await fetch(Pages(built), "/assets/plain.js"))[2] == b"2"


@pytest.mark.parametrize("path", ["/", "/assets/plain.js"])
async def test_pages_may_load_only_their_own(built: Path, path: str) -> None:
    headers = (await fetch(Pages(built), path))[1]
    assert headers["content-security-policy"] == POLICY
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize(
    "path",
    ["/secret.key", "/assets/link.js", "/../outside.js", "/assets/", "/assets", "/index.html", "//index.html", ""],
)
def test_nothing_else_is_served(built: Path, path: str) -> None:
    assert Pages(built).find(path) is None


async def test_a_new_build_needs_no_restart(built: Path) -> None:
    pages = Pages(built)
    await fetch(pages, "/")
    (built / "assets" / "index-AAAAAAAA.js").write_text("new")
    (built / "index.html").write_text("<!doctype html>two")
    assert (await fetch(pages, "/"))[2] == b"<!doctype html>two"
    assert (await fetch(pages, "/assets/index-AAAAAAAA.js"))[2] == b"new"


async def test_without_a_build_the_page_says_what_to_do(tmp_path: Path) -> None:
    status, headers, body = await fetch(Pages(tmp_path / "none"), "/")
    assert (status, headers["cache-control"]) == (503, "no-store")
    assert b"make ui" in body
