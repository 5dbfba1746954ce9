"""Background loops that outlive their errors and end with the service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from palio_kit.logs import logger

log = logger(__name__)

_ASK_AGAIN_S = 0.1


@asynccontextmanager
async def running(name: str, step: Callable[[], Awaitable[float]]) -> AsyncIterator[None]:
    """Run `step` again and again while the block lasts; it answers how many seconds to wait before the next time.

    An error in a step is logged and the loop goes on a second later: a silent end is worse than a failure.
    """
    task = asyncio.create_task(_loop(name, step), name=name)
    try:
        yield
    finally:
        await end(task)


async def end(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait until it has ended.

    Asks again and again: redis-py swallows a cancellation that meets it while it connects, and a service that asked
    only once would then wait for its own loop for ever instead of stopping.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_ASK_AGAIN_S)


async def _loop(name: str, step: Callable[[], Awaitable[float]]) -> None:
    while True:
        try:
            delay_s = await step()
        except Exception as error:
            log.warning("loop_step_failed", loop=name, error=repr(error))
            delay_s = 1.0
        await asyncio.sleep(delay_s)
