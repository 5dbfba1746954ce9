"""A real stack and a real Chromium for the walks."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from support.local_stack import LocalStack

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        reason = "no Chromium on this machine"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(f"SKIP: {reason}")
    return found


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[LocalStack]:
    started = LocalStack.start(tmp_path_factory.mktemp("ui") / "data", limits="on")
    try:
        yield started
    finally:
        started.remove()


@pytest.fixture
async def page(stack: LocalStack, chromium: str) -> AsyncIterator[Page]:
    """A page on the UI; the test fails if it asked another origin or complained in its console."""
    ui = (await asyncio.to_thread(stack.status))["urls"]["ui"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = await browser.new_context(base_url=ui)
        opened = await context.new_page()
        complaints: list[str] = []
        foreign: list[str] = []
        opened.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda asked: None if asked.url.startswith((ui, "data:")) else foreign.append(asked.url))
        opened.set_default_timeout(PATIENCE_MS)
        await opened.goto("/")
        yield opened
        await browser.close()
    assert foreign == []
    assert [text for text in complaints if not expected(text)] == []


def expected(complaint: str) -> bool:
    """What the browser itself says about answers that a test provoked, or a server that a test killed."""
    return complaint.startswith(("Failed to load resource", "WebSocket connection to"))


@pytest.fixture(scope="session")
def axe() -> str:
    return AXE.read_text()
