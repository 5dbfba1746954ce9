"""Waiting for something to become true, with a deadline instead of a sleep."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(probe: Callable[[], Awaitable[T]], *, within_s: float = 10.0, every_s: float = 0.05) -> T:
    """The first truthy answer of `probe`; an AssertionError it raises counts as not yet.

    Raises:
        AssertionError: the deadline passed.
    """
    deadline = time.monotonic() + within_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            answer = await probe()
        except AssertionError as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        await asyncio.sleep(every_s)
    raise AssertionError(f"not within {within_s} s; last: {last!r}")
