"""A real Chromium on the demo UI, wherever it is served."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Locator, Page, async_playwright, expect

from support.cluster import missing

PATIENCE_MS = 20_000
MINUTE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


def chromium_program() -> str:
    """Where Chromium is; skips the test (fails in CI) if there is none."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    return found or missing("no Chromium on this machine")


@asynccontextmanager
async def opened(ui: str, chromium: str) -> AsyncIterator[Page]:
    """A page on the UI; in the end, an AssertionError if it asked another origin or complained in its console."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = await browser.new_context(base_url=ui)
        page = await context.new_page()
        complaints: list[str] = []
        foreign: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith((ui, "data:")) else foreign.append(asked.url))
        page.set_default_timeout(PATIENCE_MS)
        await page.goto("/")
        yield page
        await browser.close()
    assert foreign == []
    assert [text for text in complaints if not expected(text)] == []


def expected(complaint: str) -> bool:
    """What the browser itself says about answers that a test provoked, or a server that a test killed."""
    return complaint.startswith(("Failed to load resource", "WebSocket connection to"))


def part(page: Page, name: str) -> Locator:
    """What the page marks with this name for tests."""
    return page.get_by_test_id(name)


async def populate(page: Page) -> None:
    """Have demo players to play as."""
    await part(page, "populate-button").click()
    await expect(part(page, "populate-status")).to_have_attribute("data-state", "done", timeout=2 * MINUTE_MS)
