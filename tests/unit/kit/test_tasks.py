import asyncio

from palio_kit import tasks


async def test_a_task_ends_even_if_a_library_swallows_the_first_cancellations() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await tasks.end(task)
    assert task.cancelled()
    assert swallowed == 3


async def test_a_task_that_has_ended_is_not_waited_for() -> None:
    async def nothing() -> None:
        """Return at once."""

    task = asyncio.create_task(nothing())
    await task
    await tasks.end(task)


async def test_a_loop_goes_on_after_a_step_that_failed() -> None:
    steps = 0
    enough = asyncio.Event()

    async def step() -> float:
        nonlocal steps
        steps += 1
        if steps == 1:
            raise RuntimeError("once")
        enough.set()
        return 60.0

    async with asyncio.timeout(5), tasks.running("failing-once", step):
        await enough.wait()
    assert steps == 2
