"""The user service under test, and people who use it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import asyncpg
import httpx2
import pytest

from palio_user import domain
from palio_user.app import create_app
from palio_user.settings import Settings

_numbers = count(1)


@dataclass
class Person:
    """Somebody with an account."""

    username: str
    password: str
    email: str
    id: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, str]:
        """What registers them."""
        return {"username": self.username, "email": self.email, "password": self.password}

    @property
    def bearer(self) -> dict[str, str]:
        """What shows who they are."""
        return {"authorization": f"Bearer {self.tokens['access_token']}"}


def somebody(**changes: str) -> Person:
    """A person nobody has seen before."""
    number = next(_numbers)
    given = {"username": f"Ada.{number}", "password": "correct horse", "email": f"ada{number}@example.test"} | changes
    return Person(given["username"], given["password"], given["email"])


@pytest.fixture
def stranger() -> Callable[..., Person]:
    return somebody


@pytest.fixture
async def users(client_of: Any, make_settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """The service in the demo profile."""
    async with client_of(create_app, make_settings(Settings)) as client:
        yield client


@pytest.fixture
async def owner(owner_dsn: str) -> AsyncIterator[Any]:
    """The database as its owner sees it."""
    connection = await asyncpg.connect(owner_dsn)
    yield connection
    await connection.close()


async def sign_in(client: httpx2.AsyncClient, person: Person) -> Person:
    """A new session for a person."""
    answer = await client.post("/api/v1/users/login", json={"username": person.username, "password": person.password})
    assert answer.status_code == 200, answer.text
    person.tokens = answer.json()
    return person


@pytest.fixture
def login() -> Callable[[httpx2.AsyncClient, Person], Awaitable[Person]]:
    return sign_in


@pytest.fixture
def member(users: httpx2.AsyncClient) -> Callable[..., Awaitable[Person]]:
    """Register and sign in: `await member()`."""

    async def enter(**changes: str) -> Person:
        person = somebody(**changes)
        answer = await users.post("/api/v1/users/register", json=person.body)
        assert answer.status_code == 201, answer.text
        person.id = answer.json()["id"]
        return await sign_in(users, person)

    return enter


@pytest.fixture
def guessed_at(owner: Any) -> Callable[[str, int], Awaitable[None]]:
    """`await guessed_at(username, 9)`: nine wrong passwords were tried, and the delay after the last has passed."""

    async def tried(username: str, attempts: int) -> None:
        await owner.execute(
            "INSERT INTO users.sign_in_attempts VALUES ($1, $2, now()) "
            "ON CONFLICT (username_key) DO UPDATE SET attempts = excluded.attempts, retry_at = excluded.retry_at",
            domain.username_key(username), attempts,
        )  # fmt: skip

    return tried
