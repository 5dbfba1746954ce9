"""Waiting for whichever comes first: a moment, or word that there is an earlier one."""

import asyncio
import contextlib


class Alarm:
    """One sleeper, any number of wakers."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the sleeper, or let its next sleep be none."""
        self._rung.set()

    async def sleep(self, up_to_s: float | None) -> None:
        """Sleep until rung, but not longer than `up_to_s` (None: for ever)."""
        if up_to_s is None or up_to_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(up_to_s):
                    await self._rung.wait()
        self._rung.clear()
