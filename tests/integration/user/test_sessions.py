"""Signing in, refresh-token families, throttling, and what tells nobody who exists."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import jwt
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from palio_kit import postgres
from palio_kit.ids import new_id
from palio_user import domain
from palio_user.app import create_app
from palio_user.domain import Verdict
from palio_user.settings import GrantSettings, Settings
from palio_user.store import Account, NewAccount, NextToken, Store

Member = Callable[..., Awaitable[Any]]
Stranger = Callable[..., Any]
GuessedAt = Callable[[str, int], Awaitable[None]]

LOGIN = "/api/v1/users/login"
REFRESH = "/api/v1/users/refresh"
LOGOUT = "/api/v1/users/logout"


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def refresh(users: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await users.post(REFRESH, json={"refresh_token": token})


async def test_signing_in_answers_a_pair_of_tokens(users: httpx2.AsyncClient, member: Member) -> None:
    ada = await member()
    answer = await users.post(LOGIN, json={"username": ada.username.upper(), "password": ada.password})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert set(said) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert (said["token_type"], said["expires_in"]) == ("Bearer", 900)
    assert said["user"] == {"id": ada.id, "username": ada.username}


async def test_an_access_token_is_verified_by_the_published_keys(
    users: httpx2.AsyncClient, member: Member, signing_keys: Path
) -> None:
    ada = await member()
    answer = await users.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    keys = {key["kid"]: key for key in answer.json()["keys"]}
    assert list(keys) == ["user-1", "user-2"]
    assert all("d" not in key for key in keys.values())
    token = ada.tokens["access_token"]
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "at+jwt", "kid": "user-1"}
    claims = jwt.decode(
        token, jwt.PyJWK(keys["user-1"]), algorithms=["EdDSA"], audience="palio-players", issuer="palio"
    )
    assert set(claims) == {"iss", "aud", "exp", "iat", "sub", "jti", "username", "roles"}
    assert claims["exp"] - claims["iat"] == 900
    assert (claims["sub"], claims["username"]) == (ada.id, ada.username)


async def test_tokens_of_the_key_before_a_rotation_stay_good(
    client_of: Any, make_settings: Any, signing_keys: Path, stranger: Stranger, login: Any, tmp_path: Path
) -> None:
    async with client_of(create_app, make_settings(Settings)) as before:
        ada = stranger()
        await before.post("/api/v1/users/register", json=ada.body)
        await login(before, ada)
    keys = json.loads(signing_keys.read_bytes())["keys"]
    rotated = tmp_path / "rotated.json"
    rotated.write_text(json.dumps({"keys": keys[::-1]}))
    async with client_of(create_app, make_settings(Settings, signing_keys=rotated)) as after:
        assert (await after.get("/api/v1/users/me", headers=ada.bearer)).status_code == 200
        renewed = (await refresh(after, ada.tokens["refresh_token"])).json()
        assert jwt.get_unverified_header(renewed["access_token"])["kid"] == "user-2"


def without_trace(answer: httpx2.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "trace_id"}


async def test_an_unknown_name_is_answered_like_a_wrong_password(
    users: httpx2.AsyncClient, member: Member, stranger: Stranger, guessed_at: GuessedAt
) -> None:
    sides = []
    for person in (await member(), stranger()):
        body = {"username": person.username, "password": "not the password"}
        answers = [await users.post(LOGIN, json=body) for _ in range(4)]
        await guessed_at(person.username, 9)
        sides.append([*answers, await users.post(LOGIN, json=body), await users.post(LOGIN, json=body)])
    known, unknown = sides
    assert [without_trace(answer) for answer in known] == [without_trace(answer) for answer in unknown]
    assert [problem(answer) for answer in unknown] == [(401, "invalid_credentials")] * 5 + [(429, "too_many_attempts")]
    assert [set(answer.headers) for answer in known] == [set(answer.headers) for answer in unknown]


async def test_the_first_five_wrong_passwords_cost_no_delay(users: httpx2.AsyncClient, member: Member) -> None:
    ada = await member()
    body = {"username": ada.username, "password": "not the password"}
    assert [(await users.post(LOGIN, json=body)).status_code for _ in range(5)] == [401] * 5


async def test_the_delay_doubles_and_the_right_password_must_wait_too(
    users: httpx2.AsyncClient, member: Member, guessed_at: GuessedAt
) -> None:
    ada = await member()
    wrong, right = ({"username": ada.username, "password": word} for word in ("not the password", ada.password))
    waits = {}
    for attempts in (10, 11, 12, 40):
        await guessed_at(ada.username, attempts)
        assert problem(await users.post(LOGIN, json=wrong)) == (401, "invalid_credentials")
        answer = await users.post(LOGIN, json=right)
        assert problem(answer) == (429, "too_many_attempts")
        waits[attempts] = int(answer.headers["retry-after"])
    for attempts, delay_s in {10: 64, 11: 128, 12: 256, 40: 900}.items():
        assert delay_s - 30 < waits[attempts] <= delay_s


async def test_after_the_delay_the_right_password_opens_and_forgets(
    users: httpx2.AsyncClient, member: Member, login: Any, guessed_at: GuessedAt, owner: asyncpg.Connection
) -> None:
    ada = await member()
    await guessed_at(ada.username, 40)
    await login(users, ada)
    key = domain.username_key(ada.username)
    assert await owner.fetchval("SELECT count(*) FROM users.sign_in_attempts WHERE username_key = $1", key) == 0


async def test_guesses_sent_all_at_once_are_not_all_looked_at(
    users: httpx2.AsyncClient, member: Member, guessed_at: GuessedAt
) -> None:
    ada = await member()
    await guessed_at(ada.username, 9)
    body = {"username": ada.username, "password": "not the password"}
    answers = await asyncio.gather(*(users.post(LOGIN, json=body) for _ in range(30)))
    assert Counter(answer.status_code for answer in answers) == {401: 1, 429: 29}


async def test_a_session_that_is_open_goes_on_while_its_name_is_guessed_at(
    users: httpx2.AsyncClient, member: Member, guessed_at: GuessedAt
) -> None:
    ada = await member()
    await guessed_at(ada.username, 20)
    for _ in range(2):
        await users.post(LOGIN, json={"username": ada.username, "password": "not the password"})
    assert (await refresh(users, ada.tokens["refresh_token"])).status_code == 200


async def test_one_name_that_must_wait_keeps_nobody_else_waiting(
    users: httpx2.AsyncClient, member: Member, login: Any, guessed_at: GuessedAt
) -> None:
    ada, eve = await member(), await member()
    await guessed_at(ada.username, 20)
    for _ in range(2):
        await users.post(LOGIN, json={"username": ada.username, "password": "not the password"})
    await login(users, eve)


async def test_a_busy_service_does_not_count_the_attempt(
    client_of: Any, make_settings: Any, stranger: Stranger, owner: asyncpg.Connection
) -> None:
    async with client_of(create_app, make_settings(Settings, hash_threads=1, hash_queue_max=0)) as users:
        names = [f"nobody-{number}" for number in range(8)]
        bodies = [{"username": name, "password": "not the password"} for name in names]
        answers = await asyncio.gather(*(users.post(LOGIN, json=body) for body in bodies))
        busy = [name for name, answer in zip(names, answers, strict=True) if answer.status_code == 503]
        assert busy
        for answer in answers:
            assert problem(answer) in {(503, "hashing_busy"), (401, "invalid_credentials")}
        for name in busy:
            attempts = "SELECT attempts FROM users.sign_in_attempts WHERE username_key = $1"
            assert await owner.fetchval(attempts, domain.username_key(name)) == 0


async def test_a_hash_of_old_parameters_is_renewed_at_sign_in(
    users: httpx2.AsyncClient, member: Member, login: Any, owner: asyncpg.Connection
) -> None:
    ada = await member()
    old = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(ada.password)
    await owner.execute("UPDATE users.accounts SET password_hash = $2 WHERE user_id = $1", UUID(ada.id), old)
    await login(users, ada)
    stored = "SELECT password_hash FROM users.accounts WHERE user_id = $1"
    assert "m=47104,t=1,p=1" in await owner.fetchval(stored, UUID(ada.id))
    await login(users, ada)


async def test_a_refresh_token_is_good_once(users: httpx2.AsyncClient, member: Member) -> None:
    ada = await member()
    first = ada.tokens["refresh_token"]
    answer = await refresh(users, first)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert set(said) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert said["refresh_token"] != first
    bearer = {"authorization": f"Bearer {said['access_token']}"}
    assert (await users.get("/api/v1/users/me", headers=bearer)).json()["id"] == ada.id


async def test_showing_a_used_token_ends_the_family_and_only_that(
    users: httpx2.AsyncClient, member: Member, login: Any
) -> None:
    ada = await member()
    first = ada.tokens["refresh_token"]
    other = (await login(users, ada)).tokens["refresh_token"]
    second = (await refresh(users, first)).json()["refresh_token"]
    assert problem(await refresh(users, first)) == (401, "refresh_reused")
    assert problem(await refresh(users, second)) == (401, "invalid_refresh_token")
    assert problem(await refresh(users, first)) == (401, "refresh_reused")
    assert (await refresh(users, other)).status_code == 200


async def test_of_twins_with_one_token_one_goes_on_and_the_family_ends(
    users: httpx2.AsyncClient, member: Member
) -> None:
    ada = await member()
    answers = await asyncio.gather(*(refresh(users, ada.tokens["refresh_token"]) for _ in range(6)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 5}
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert problem(await refresh(users, winner.json()["refresh_token"])) == (401, "invalid_refresh_token")


async def test_signing_out_ends_the_session_however_often(users: httpx2.AsyncClient, member: Member) -> None:
    ada = await member()
    newest = (await refresh(users, ada.tokens["refresh_token"])).json()["refresh_token"]
    for token in (newest, newest, "a token that nobody knows"):
        answer = await users.post(LOGOUT, json={"refresh_token": token})
        assert (answer.status_code, answer.content) == (204, b"")
    assert problem(await refresh(users, newest)) == (401, "invalid_refresh_token")


async def test_an_expired_or_unknown_token_is_refused(
    users: httpx2.AsyncClient, member: Member, owner: asyncpg.Connection
) -> None:
    ada = await member()
    token = ada.tokens["refresh_token"]
    digest = hashlib.sha256(token.encode()).digest()
    valid = "SELECT expires_at - now() FROM users.refresh_tokens WHERE token_hash = $1"
    assert timedelta(days=13, hours=23) < await owner.fetchval(valid, digest) <= timedelta(days=14)
    await owner.execute("UPDATE users.refresh_tokens SET expires_at = now() WHERE token_hash = $1", digest)
    assert problem(await refresh(users, token)) == (401, "invalid_refresh_token")
    assert problem(await refresh(users, "a token that nobody knows")) == (401, "invalid_refresh_token")


async def test_no_token_is_stored(users: httpx2.AsyncClient, member: Member, owner: asyncpg.Connection) -> None:
    ada = await member()
    kept = str(await owner.fetch("SELECT * FROM users.refresh_tokens"))
    assert ada.tokens["refresh_token"] not in kept


async def test_what_decides_nothing_any_more_is_swept_away(
    users: httpx2.AsyncClient, member: Member, owner: asyncpg.Connection, dsn_of: Callable[[str], str]
) -> None:
    gone, going_on = await member(), await member()
    await owner.execute(
        "UPDATE users.sessions SET expires_at = now() - interval '1 s' WHERE user_id = $1", UUID(gone.id)
    )
    await owner.execute("INSERT INTO users.sign_in_attempts VALUES ('\\x01', 3, now() - interval '2 days')")
    await owner.execute("INSERT INTO users.sign_in_attempts VALUES ('\\x02', 3, now() - interval '2 hours')")
    async with postgres.connect(GrantSettings(database_url=dsn_of("user"))) as database:
        await Store(database).sweep()
    counted = "SELECT count(*) FROM users.sessions WHERE user_id = $1"
    assert await owner.fetchval(counted, UUID(gone.id)) == 0
    assert await owner.fetchval(counted, UUID(going_on.id)) == 1
    kept = await owner.fetch("SELECT username_key FROM users.sign_in_attempts WHERE length(username_key) = 1")
    assert [row["username_key"] for row in kept] == [b"\x02"]


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["sign in", "refresh", "refresh", "refresh", "sign out"]), st.integers(0, 30)),
    max_size=25,
)


@given(ACTIONS)
@settings(max_examples=25, deadline=None)
def test_the_store_keeps_the_rules_of_families_over_any_history(
    dsn_of: Callable[[str], str], actions: list[tuple[str, int]]
) -> None:
    asyncio.run(_replay(dsn_of("user"), actions))


async def _replay(dsn: str, actions: list[tuple[str, int]]) -> None:
    """Run a history against PostgreSQL beside a model: token → family, and what became of both."""
    tokens: list[tuple[bytes, UUID]] = []
    used: set[bytes] = set()
    ended: set[UUID] = set()
    async with postgres.connect(GrantSettings(database_url=dsn)) as database:
        store = Store(database)
        account = await _an_account(store, database)
        for action, pick in actions:
            if action == "sign in" or not tokens:
                session, token = new_id(), new_id().bytes
                assert await store.open_session(account, session, NextToken(token))
                tokens.append((token, session))
                continue
            token, session = tokens[pick % len(tokens)]
            if action == "sign out":
                await store.end_session_of(token)
                ended.add(session)
                continue
            following = new_id().bytes
            rotation = await store.rotate(token, NextToken(following))
            if token in used:
                assert rotation.verdict is Verdict.REUSED
                ended.add(session)
            elif session in ended:
                assert rotation.verdict is Verdict.REFUSED
            else:
                assert rotation.verdict is Verdict.ROTATE
                assert rotation.account == account
                used.add(token)
                tokens.append((following, session))


async def _an_account(store: Store, database: postgres.Database) -> Account:
    user_id = new_id()
    async with database.transaction() as connection:
        new = NewAccount(user_id, user_id.hex[:24], f"{user_id}@example.test", "a hash")
        await store.add(connection, new)
    return await store.by_id(user_id)
