"""A real stack and a real Chromium for the walks."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from support.browser import chromium_program, opened
from support.local_stack import LocalStack

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="session")
def chromium() -> str:
    return chromium_program()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[LocalStack]:
    started = LocalStack.start(tmp_path_factory.mktemp("ui") / "data", limits="on")
    try:
        yield started
    finally:
        started.remove()


@pytest.fixture
async def page(stack: LocalStack, chromium: str) -> AsyncIterator[Page]:
    ui = (await asyncio.to_thread(stack.status))["urls"]["ui"]
    async with opened(ui, chromium) as page:
        yield page


@pytest.fixture(scope="session")
def axe() -> str:
    return AXE.read_text()
