"""Batches grow with the load, never beyond their bounds, and an idle item waits for nobody."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio_kit.batching import Batcher
from palio_kit.problems import Unavailable


class Flushes:
    """A flush that can be held back, and what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Event()

    async def flush(self, items: Sequence[str]) -> list[str]:
        self.batches.append(list(items))
        self.started.set()
        await self.gate.wait()
        return [item.upper() for item in items]


async def test_what_arrives_in_one_turn_of_the_loop_rides_together() -> None:
    flushes = Flushes()
    batcher = Batcher("test", flushes.flush)
    assert await asyncio.gather(*(batcher.submit(item) for item in "abc")) == ["A", "B", "C"]
    assert flushes.batches == [["a", "b", "c"]]


async def test_what_arrives_turn_after_turn_rides_together() -> None:
    flushes = Flushes()
    batcher = Batcher("test", flushes.flush, wait_max_ms=10_000)
    waiting = []
    for item in "abc":
        waiting.append(batcher.submit(item))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert flushes.batches == [["a", "b", "c"]]


async def test_an_endless_stream_is_cut_when_its_time_is_over() -> None:
    flushes = Flushes()
    batcher = Batcher("test", flushes.flush, wait_max_ms=1)
    waiting = [batcher.submit("a")]
    async with asyncio.timeout(10):
        while not flushes.batches:
            waiting.append(batcher.submit("b"))
            await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert sum(map(len, flushes.batches)) == len(waiting)


async def test_a_free_place_is_taken_without_waiting_for_the_flush_that_runs() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher("test", flushes.flush, flushes_max=2)
    first = batcher.submit("a")
    await flushes.started.wait()
    flushes.started.clear()
    second = batcher.submit("b")
    async with asyncio.timeout(10):
        await flushes.started.wait()
    assert flushes.batches == [["a"], ["b"]]
    flushes.gate.set()
    assert (await first, await second) == ("A", "B")


async def test_an_item_counts_for_what_it_weighs() -> None:
    flushes = Flushes()
    batcher = Batcher("test", flushes.flush, items_max=4, flushes_max=1, weigh=len)
    waiting = [batcher.submit(item) for item in ("aaa", "bb", "cc", "dddddd", "e")]
    await asyncio.gather(*waiting)
    assert flushes.batches == [["aaa"], ["bb", "cc"], ["dddddd"], ["e"]]


async def test_a_full_queue_refuses_by_weight() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher("test", flushes.flush, queue_max=3, weigh=len)
    first = batcher.submit("aaaa")
    with pytest.raises(Unavailable):
        await batcher.submit("b")
    flushes.gate.set()
    assert await first == "AAAA"
    assert await batcher.submit("b") == "B"


async def test_closing_flushes_what_waits() -> None:
    flushes = Flushes()
    batcher = Batcher("test", flushes.flush, items_max=1, flushes_max=1)
    waiting = [batcher.submit(item) for item in "ab"]
    await batcher.close()
    assert [future.result() for future in waiting] == ["A", "B"]


async def test_a_failing_flush_fails_its_items_and_no_others() -> None:
    async def flush(items: Sequence[str]) -> list[str]:
        if "bad" in items:
            raise Unavailable
        return list(items)

    batcher = Batcher("test", flush, items_max=1)
    answers = await asyncio.gather(batcher.submit("bad"), batcher.submit("good"), return_exceptions=True)
    assert isinstance(answers[0], Unavailable)
    assert answers[1] == "good"


async def test_an_item_that_waited_too_long_is_refused_and_not_flushed() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher("test", flushes.flush, flushes_max=1, wait_max_ms=0, age_max_s=0.05)
    first = batcher.submit("a")
    await flushes.started.wait()
    late = batcher.submit("b")
    await asyncio.sleep(0.06)  # it must really grow old
    flushes.gate.set()
    assert await first == "A"
    with pytest.raises(Unavailable):
        await late
    assert flushes.batches == [["a"]]


async def test_what_nobody_waits_for_any_more_is_not_flushed() -> None:
    flushes = Flushes()
    batcher = Batcher("test", flushes.flush)
    left = batcher.submit("left")
    kept = batcher.submit("kept")
    left.cancel()
    assert await kept == "KEPT"
    assert flushes.batches == [["kept"]]


async def test_too_few_answers_fail_everyone_instead_of_leaving_some_waiting() -> None:
    async def forgetful(items: Sequence[str]) -> list[str]:
        return list(items)[:-1]

    batcher = Batcher("test", forgetful)
    answers = await asyncio.gather(batcher.submit("a"), batcher.submit("b"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError, ValueError]


async def test_what_arrives_during_a_flush_goes_with_a_later_one() -> None:
    flushes = Flushes()
    flushes.gate.clear()
    batcher = Batcher("test", flushes.flush, flushes_max=1)
    first = batcher.submit("a")
    await flushes.started.wait()
    second = batcher.submit("b")
    flushes.gate.set()
    await asyncio.gather(first, second)
    assert flushes.batches == [["a"], ["b"]]


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=20),
    items_max=st.integers(1, 7),
    flushes_max=st.integers(1, 3),
)
def test_every_item_is_flushed_once_in_order_and_gets_its_own_answer(
    sizes: list[int], items_max: int, flushes_max: int
) -> None:
    flushed: list[list[int]] = []

    async def flush(items: Sequence[int]) -> list[int]:
        flushed.append(list(items))
        await asyncio.sleep(0)
        return [-item for item in items]

    async def play() -> list[int]:
        batcher = Batcher("test", flush, items_max=items_max, flushes_max=flushes_max, wait_max_ms=0)
        waiting: list[asyncio.Future[int]] = []
        for size in sizes:
            waiting += [batcher.submit(len(waiting) + number) for number in range(size)]
            await asyncio.sleep(0)
        return await asyncio.gather(*waiting)

    answers = asyncio.run(play())
    total = sum(sizes)
    assert answers == [-number for number in range(total)]
    assert [item for batch in flushed for item in batch] == list(range(total))
    assert max(map(len, flushed)) <= items_max
