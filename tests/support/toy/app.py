"""A service with nothing to do, for tests of who starts and stops services; `TOY_BROKEN` makes it fail at start."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from palio_kit.app import build_app
from palio_kit.asgi import App
from palio_kit.health import Health
from support.toy.settings import Settings

router = APIRouter()


@router.get("/process")
async def process() -> dict[str, int]:
    return {"pid": os.getpid(), "descriptors": len(os.listdir("/dev/fd"))}  # noqa: PTH208 - one look, no wait


@asynccontextmanager
async def _open(_: FastAPI) -> AsyncIterator[Health]:
    if os.environ.get("TOY_BROKEN"):
        raise RuntimeError("the toy is broken on purpose")
    yield Health()


def create_app(settings: Settings) -> App:
    return build_app(settings, title="toy", open_context=_open, routers=[router])
