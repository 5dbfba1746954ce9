import asyncio
import threading
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from palio_kit.testing.waiting import eventually
from palio_user.passwords import HashingBusy, Passwords


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(threads=1, queue_max=1)
    yield made
    made.close()


async def test_a_hash_matches_its_password_and_no_other(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert await passwords.matches(stored, "correct horse")
    assert not await passwords.matches(stored, "correct hose")


async def test_nobodys_password_never_matches(passwords: Passwords) -> None:
    assert not await passwords.matches(None, "correct horse")


async def test_a_broken_hash_matches_nothing(passwords: Passwords) -> None:
    assert not await passwords.matches("not a hash", "correct horse")


async def test_composed_and_decomposed_characters_are_the_same_password(passwords: Passwords) -> None:
    assert await passwords.matches(await passwords.hash("caf\u00e9-au-lait"), "cafe\u0301-au-lait")


async def test_a_hash_of_other_parameters_is_outdated(passwords: Passwords) -> None:
    assert passwords.is_outdated(PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash("x"))
    assert not passwords.is_outdated(await passwords.hash("x"))


class Blocked:
    """A hash that takes until it is let go."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> str:
        self.started.set()
        assert self.go.wait(10)
        return "done"


async def test_one_more_than_the_queue_takes_is_refused(passwords: Passwords) -> None:
    first, second = Blocked(), Blocked()
    running = [asyncio.create_task(passwords._run(work)) for work in (first, second)]
    await eventually(lambda: _said(first.started.is_set()))
    with pytest.raises(HashingBusy):
        await passwords.hash("correct horse")
    first.go.set()
    second.go.set()
    assert await asyncio.gather(*running) == ["done", "done"]
    assert await passwords.hash("correct horse")


async def test_a_cancelled_request_keeps_its_place_until_its_hash_ends() -> None:
    passwords = Passwords(threads=1, queue_max=0)
    blocked = Blocked()
    request = asyncio.create_task(passwords._run(blocked))
    await eventually(lambda: _said(blocked.started.is_set()))
    request.cancel()
    await asyncio.wait({request})
    assert request.cancelled()
    with pytest.raises(HashingBusy):
        await passwords.hash("correct horse")
    blocked.go.set()
    assert await eventually(lambda: _hashed(passwords))
    passwords.close()


async def test_a_request_cancelled_in_the_queue_gives_its_place_back(passwords: Passwords) -> None:
    first, second = Blocked(), Blocked()
    running, waiting = (asyncio.create_task(passwords._run(work)) for work in (first, second))
    await eventually(lambda: _said(first.started.is_set()))
    waiting.cancel()
    await asyncio.wait({waiting})
    third = asyncio.create_task(passwords.hash("correct horse"))
    first.go.set()
    assert await running == "done"
    assert await third
    assert not second.started.is_set()


async def _said(value: bool) -> bool:
    return value


async def _hashed(passwords: Passwords) -> str | None:
    try:
        return await passwords.hash("correct horse")
    except HashingBusy:
        return None
