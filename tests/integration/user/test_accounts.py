"""Registration, the own account, public profiles, roles."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import jwt
import pytest

from palio_kit.ids import new_id
from palio_kit.testing.issuer import Issuer
from palio_user import domain
from palio_user.app import create_app
from palio_user.domain import ACCESS_VALID_S
from palio_user.settings import Settings

Member = Callable[..., Awaitable[Any]]
Stranger = Callable[..., Any]

REGISTER = "/api/v1/users/register"
ME = "/api/v1/users/me"


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_registering_answers_what_everybody_may_know(users: httpx2.AsyncClient, stranger: Stranger) -> None:
    answer = await users.post(REGISTER, json=stranger(username="Grace").body)
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {"id", "username", "created_at"}
    assert made["username"] == "Grace"
    assert UUID(made["id"]).version == 7
    assert made["created_at"].endswith("Z")
    assert (await users.get(f"/api/v1/users/{made['id']}")).json() == made


async def test_a_name_is_taken_whatever_its_case(users: httpx2.AsyncClient, member: Member, stranger: Stranger) -> None:
    taken = (await member()).username.swapcase()
    assert problem(await users.post(REGISTER, json=stranger(username=taken).body)) == (409, "username_taken")


async def test_an_address_is_taken_whatever_its_case(
    users: httpx2.AsyncClient, member: Member, stranger: Stranger
) -> None:
    taken = (await member()).email.upper()
    assert problem(await users.post(REGISTER, json=stranger(email=taken).body)) == (409, "email_taken")


async def test_the_platforms_own_name_is_taken(users: httpx2.AsyncClient, stranger: Stranger) -> None:
    answer = await users.post(REGISTER, json=stranger(username="Palio-Generator").body)
    assert problem(answer) == (409, "username_taken")


async def test_of_many_who_want_one_name_exactly_one_gets_it(users: httpx2.AsyncClient, stranger: Stranger) -> None:
    bodies = [stranger(username="Everybodys").body for _ in range(12)]
    answers = await asyncio.gather(*(users.post(REGISTER, json=body) for body in bodies))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 11}


async def test_a_retry_with_its_key_replays_the_answer_to_the_byte(
    users: httpx2.AsyncClient, stranger: Stranger
) -> None:
    body, key = stranger().body, {"idempotency-key": "register-0123456789"}
    first = await users.post(REGISTER, json=body, headers=key)
    again = await users.post(REGISTER, json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_key_is_good_for_one_body_only(users: httpx2.AsyncClient, stranger: Stranger) -> None:
    key = {"idempotency-key": "register-another-body"}
    await users.post(REGISTER, json=stranger().body, headers=key)
    assert problem(await users.post(REGISTER, json=stranger().body, headers=key)) == (409, "idempotency_key_reused")


async def test_twins_with_one_key_make_one_account(
    users: httpx2.AsyncClient, stranger: Stranger, owner: asyncpg.Connection
) -> None:
    person, key = stranger(), {"idempotency-key": "register-twins-012345"}
    answers = await asyncio.gather(*(users.post(REGISTER, json=person.body, headers=key) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await owner.fetchval("SELECT count(*) FROM users.accounts WHERE email = $1", person.email) == 1


async def test_what_failed_can_be_retried_with_its_key(
    users: httpx2.AsyncClient, stranger: Stranger, member: Member
) -> None:
    taken, key = await member(), {"idempotency-key": "register-after-failure"}
    refused = await users.post(REGISTER, json=stranger(username=taken.username).body, headers=key)
    assert refused.status_code == 409
    assert (await users.post(REGISTER, json=stranger().body, headers=key)).status_code == 201


async def test_the_stored_fingerprint_does_not_give_the_password_away(
    users: httpx2.AsyncClient, stranger: Stranger, owner: asyncpg.Connection
) -> None:
    person = stranger(password="hunter2-hunter2")
    answer = await users.post(REGISTER, json=person.body, headers={"idempotency-key": "register-fingerprint"})
    row = await owner.fetchrow("SELECT * FROM users.idempotency_keys WHERE key = 'register-fingerprint'")
    digests = await owner.fetchrow(
        "SELECT sha256($1::bytea) AS plain, hmac FROM (SELECT sha256(''::bytea) AS hmac) x", answer.request.content
    )
    assert row is not None
    assert digests is not None
    assert row["fingerprint"] not in (digests["plain"], digests["hmac"])
    assert b"hunter2" not in row["body"]


async def test_the_own_account_shows_the_address_to_its_holder(users: httpx2.AsyncClient, member: Member) -> None:
    ada = await member()
    answer = await users.get(ME, headers=ada.bearer)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    mine = answer.json()
    assert mine == {
        "id": ada.id, "username": ada.username, "email": ada.email, "roles": ["organiser", "player"],
        "created_at": mine["created_at"],
    }  # fmt: skip


async def test_nobody_else_sees_the_address(users: httpx2.AsyncClient, member: Member) -> None:
    ada = await member()
    for path in (f"/api/v1/users/{ada.id}", f"/api/v1/users/{ada.id}/stats"):
        assert ada.email not in (await users.get(path)).text
    assert ada.email not in str(ada.tokens)
    assert "email" not in claims_of(ada.tokens["access_token"])


async def test_the_address_can_be_changed_by_who_knows_the_password(users: httpx2.AsyncClient, member: Member) -> None:
    ada = await member()
    body = {"current_password": ada.password, "email": "New.Address@Example.Test"}
    answer = await users.patch(ME, json=body, headers=ada.bearer)
    assert answer.status_code == 200
    assert answer.json()["email"] == "new.address@example.test"


async def test_an_address_of_somebody_else_cannot_be_taken(users: httpx2.AsyncClient, member: Member) -> None:
    ada, eve = await member(), await member()
    body = {"current_password": eve.password, "email": ada.email}
    assert problem(await users.patch(ME, json=body, headers=eve.bearer)) == (409, "email_taken")


async def test_nothing_changes_without_the_current_password(users: httpx2.AsyncClient, member: Member) -> None:
    ada = await member()
    body = {"current_password": "something else", "email": "eve@example.test"}
    assert problem(await users.patch(ME, json=body, headers=ada.bearer)) == (403, "wrong_password")
    assert (await users.get(ME, headers=ada.bearer)).json()["email"] == ada.email


async def test_guessing_the_current_password_is_slowed_down_too(
    users: httpx2.AsyncClient, member: Member, guessed_at: Callable[[str, int], Awaitable[None]]
) -> None:
    ada = await member()
    await guessed_at(ada.username, 9)
    body = {"current_password": "something else", "email": "eve@example.test"}
    answers = [await users.patch(ME, json=body, headers=ada.bearer) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [403, 429]


async def test_a_new_password_ends_all_sessions(users: httpx2.AsyncClient, member: Member, login: Any) -> None:
    ada = await member()
    old = ada.tokens
    body = {"current_password": ada.password, "password": "a new password"}
    assert (await users.patch(ME, json=body, headers=ada.bearer)).status_code == 200
    refused = await users.post("/api/v1/users/refresh", json={"refresh_token": old["refresh_token"]})
    assert problem(refused) == (401, "invalid_refresh_token")
    old_password = {"username": ada.username, "password": ada.password}
    assert problem(await users.post("/api/v1/users/login", json=old_password)) == (401, "invalid_credentials")
    ada.password = "a new password"
    await login(users, ada)


async def test_an_erased_account_leaves_a_nameless_id(
    users: httpx2.AsyncClient, member: Member, owner: asyncpg.Connection, stranger: Stranger
) -> None:
    ada = await member()
    assert (await users.delete(ME, headers=ada.bearer)).status_code == 204
    assert (await users.get(f"/api/v1/users/{ada.id}")).json()["username"] == "Deleted player"
    view = await owner.fetchrow("SELECT username, deleted FROM users.profiles_v1 WHERE user_id = $1", UUID(ada.id))
    assert view is not None
    assert tuple(view) == ("Deleted player", True)
    everything = str(await owner.fetch("SELECT * FROM users.accounts WHERE user_id = $1", UUID(ada.id)))
    assert ada.username not in everything
    assert ada.email not in everything
    assert "argon2" not in everything
    assert await owner.fetchval("SELECT count(*) FROM users.sessions WHERE user_id = $1", UUID(ada.id)) == 0
    assert problem(await users.get(ME, headers=ada.bearer)) == (404, "user_not_found")
    assert (await users.delete(ME, headers=ada.bearer)).status_code == 204


async def test_no_table_remembers_who_was_erased(
    users: httpx2.AsyncClient, stranger: Stranger, login: Any, owner: asyncpg.Connection
) -> None:
    person = stranger(username="Canary.Name", email="canary@example.test")
    await users.post(REGISTER, json=person.body, headers={"idempotency-key": "register-the-canary"})
    await login(users, person)
    await users.delete(ME, headers=person.bearer)
    tables = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'users'")
    for table in tables:
        for row in await owner.fetch(f"SELECT kept::text FROM users.{table['tablename']} AS kept"):
            text = row["kept"].lower()
            assert not any(trace in text for trace in ("canary", b"canary".hex(), b"Canary".hex()))


async def test_nobody_can_become_who_was_erased(users: httpx2.AsyncClient, member: Member, stranger: Stranger) -> None:
    ada = await member()
    await users.delete(ME, headers=ada.bearer)
    credentials = {"username": ada.username, "password": ada.password}
    assert problem(await users.post("/api/v1/users/login", json=credentials)) == (401, "invalid_credentials")
    refused = await users.post("/api/v1/users/refresh", json={"refresh_token": ada.tokens["refresh_token"]})
    assert problem(refused) == (401, "invalid_refresh_token")
    assert problem(await users.post(REGISTER, json=stranger(username=ada.username).body)) == (409, "username_taken")
    assert (await users.post(REGISTER, json=stranger(email=ada.email).body)).status_code == 201


async def test_the_services_role_cannot_delete_an_account(dsn_of: Callable[[str], str]) -> None:
    connection = await asyncpg.connect(dsn_of("user"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM users.accounts")
    finally:
        await connection.close()


@pytest.mark.parametrize("service", ["leaderboard", "score", "tournament", "generator"])
async def test_readers_see_profiles_and_nothing_else(service: str, dsn_of: Callable[[str], str]) -> None:
    connection = await asyncpg.connect(dsn_of(service))
    try:
        await connection.fetch("SELECT user_id, username, deleted FROM users.profiles_v1")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT email FROM users.accounts")
    finally:
        await connection.close()


async def test_who_nobody_knows_is_not_found(users: httpx2.AsyncClient) -> None:
    for path in (f"/api/v1/users/{new_id()}", f"/api/v1/users/{new_id()}/stats"):
        assert problem(await users.get(path)) == (404, "user_not_found")
    assert problem(await users.get("/api/v1/users/not-an-id")) == (422, "invalid")


def grant(dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "palio_user", "grant", *arguments]
    environment = {"PATH": os.environ["PATH"], "PALIO_DATABASE_URL": dsn}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


async def test_the_first_admin_is_made_by_a_command_that_needs_only_the_database(
    users: httpx2.AsyncClient, member: Member, login: Any, dsn_of: Callable[[str], str]
) -> None:
    ada, eve = await member(), await member()
    done = await asyncio.to_thread(grant, dsn_of("user"), ada.username, "admin")
    assert (done.returncode, done.stdout) == (0, f"{ada.username} is now admin\n"), done.stderr
    await login(users, ada)
    assert claims_of(ada.tokens["access_token"])["roles"] == ["admin", "organiser", "player"]

    path = f"/api/v1/users/{eve.id}/roles"
    answer = await users.put(path, json={"roles": ["server", "player", "server"]}, headers=ada.bearer)
    assert answer.json() == {"id": eve.id, "roles": ["organiser", "player", "server"]}
    await login(users, eve)
    assert claims_of(eve.tokens["access_token"])["roles"] == ["organiser", "player", "server"]
    assert (await users.put(path, json={"roles": []}, headers=ada.bearer)).json()["roles"] == ["organiser", "player"]

    nobody = f"/api/v1/users/{new_id()}/roles"
    assert problem(await users.put(nobody, json={"roles": []}, headers=ada.bearer)) == (404, "user_not_found")
    assert problem(await users.put(path, json={"roles": ["king"]}, headers=ada.bearer)) == (422, "invalid")


async def test_a_role_cannot_be_granted_to_nobody(dsn_of: Callable[[str], str]) -> None:
    done = await asyncio.to_thread(grant, dsn_of("user"), "nobody-at-all", "admin")
    assert done.returncode == 1
    assert done.stderr == "nobody-at-all: There is no such user.\n"


async def test_only_an_admin_gives_roles(users: httpx2.AsyncClient, member: Member) -> None:
    ada = await member()
    path = f"/api/v1/users/{ada.id}/roles"
    assert problem(await users.put(path, json={"roles": ["admin"]}, headers=ada.bearer)) == (403, "forbidden")
    assert problem(await users.put(path, json={"roles": ["admin"]})) == (401, "unauthorized")


async def test_outside_the_demo_nobody_organises_by_themselves(
    client_of: Any, make_settings: Any, stranger: Stranger, login: Any
) -> None:
    async with client_of(create_app, make_settings(Settings, profile="production")) as users:
        person = stranger()
        await users.post(REGISTER, json=person.body)
        await login(users, person)
        assert claims_of(person.tokens["access_token"])["roles"] == ["player"]


async def test_the_generator_and_nobody_else_gets_a_server_token(
    users: httpx2.AsyncClient, service_issuer: Issuer
) -> None:
    path = "/internal/v1/server-tokens"
    shown = {"palio-service-token": service_issuer.service_token("generator", "user")}
    answer = await users.post(path, json={}, headers=shown)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access_token", "expires_in"}
    claims = claims_of(answer.json()["access_token"])
    assert (claims["username"], claims["roles"]) == ("palio-generator", ["server"])

    assert problem(await users.post(path, json={})) == (401, "unauthorized")
    for caller in ("gateway", "score"):
        wrong = {"palio-service-token": service_issuer.service_token(caller, "user")}
        assert problem(await users.post(path, json={}, headers=wrong)) == (403, "forbidden")
    elsewhere = {"palio-service-token": service_issuer.service_token("generator", "score")}
    assert problem(await users.post(path, json={}, headers=elsewhere)) == (401, "unauthorized")


VIRTUAL = "/internal/v1/virtual-players"


async def test_virtual_players_are_the_same_ones_ever_after_and_have_tokens_of_their_own(
    users: httpx2.AsyncClient, service_issuer: Issuer
) -> None:
    shown = {"palio-service-token": service_issuer.service_token("generator", "user")}
    first = (await users.post(VIRTUAL, json={"numbers": [7, 3]}, headers=shown)).json()
    again = (await users.post(VIRTUAL, json={"numbers": [3, 4, 7]}, headers=shown)).json()
    ids = [player["user_id"] for player in first["players"]]
    assert [again["players"][2]["user_id"], again["players"][0]["user_id"]] == ids
    claims = claims_of(first["players"][0]["access_token"])
    assert (claims["sub"], claims["username"], claims["roles"]) == (ids[0], "virtual-00007", ["organiser", "player"])
    me = {"authorization": f"Bearer {first['players'][0]['access_token']}"}
    assert (await users.get("/api/v1/users/me", headers=me)).json()["username"] == "virtual-00007"


async def test_nobody_can_be_a_virtual_player(
    users: httpx2.AsyncClient, service_issuer: Issuer, stranger: Stranger
) -> None:
    shown = {"palio-service-token": service_issuer.service_token("generator", "user")}
    assert (await users.post(VIRTUAL, json={"numbers": [11]}, headers=shown)).status_code == 200
    for password in ("-", "", "correct horse"):
        answer = await users.post("/api/v1/users/login", json={"username": "virtual-00011", "password": password})
        assert problem(answer) == (401, "invalid_credentials")
    answer = await users.post(REGISTER, json=stranger(username="Virtual-00012").body)
    assert problem(answer) == (409, "username_taken")


async def test_virtual_players_are_for_the_generator_and_the_demo(
    users: httpx2.AsyncClient, client_of: Any, make_settings: Any, service_issuer: Issuer
) -> None:
    body = {"numbers": [1]}
    assert problem(await users.post(VIRTUAL, json=body)) == (401, "unauthorized")
    wrong = {"palio-service-token": service_issuer.service_token("gateway", "user")}
    assert problem(await users.post(VIRTUAL, json=body, headers=wrong)) == (403, "forbidden")
    shown = {"palio-service-token": service_issuer.service_token("generator", "user")}
    for numbers in ([], [-1], [100_000], list(range(201))):
        assert problem(await users.post(VIRTUAL, json={"numbers": numbers}, headers=shown))[0] == 422
    async with client_of(create_app, make_settings(Settings, profile="production")) as serious:
        assert (await serious.post(VIRTUAL, json=body, headers=shown)).status_code == 404


async def test_an_account_that_somebody_registered_is_never_handed_out(
    users: httpx2.AsyncClient, service_issuer: Issuer, stranger: Stranger, owner: Any
) -> None:
    person = stranger()
    await users.post(REGISTER, json=person.body)
    await owner.execute(
        "UPDATE users.accounts SET username = 'virtual-00099', username_key = $2 WHERE username = $1",
        person.username, domain.username_key("virtual-00099"),
    )  # fmt: skip
    shown = {"palio-service-token": service_issuer.service_token("generator", "user")}
    answer = await users.post(VIRTUAL, json={"numbers": [98, 99]}, headers=shown)
    assert problem(answer) == (409, "username_taken")


async def test_it_is_ready_with_its_database_and_not_without(
    users: httpx2.AsyncClient, client_of: Any, make_settings: Any
) -> None:
    assert (await users.get("/readyz")).json()["status"] == "ready"
    assert (await users.get("/livez")).status_code == 200
    away = make_settings(Settings, database_url="postgresql://palio_user@127.0.0.1:1/palio", database_timeout_s=0.5)
    async with client_of(create_app, away) as lonely:
        assert (await lonely.get("/livez")).status_code == 200
        assert (await lonely.get("/readyz")).status_code == 503
        answer = await lonely.get(f"/api/v1/users/{new_id()}")
        assert problem(answer) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1


async def test_an_erased_admin_gives_no_roles(
    users: httpx2.AsyncClient, member: Member, login: Any, dsn_of: Callable[[str], str]
) -> None:
    ada, eve = await member(), await member()
    await asyncio.to_thread(grant, dsn_of("user"), ada.username, "admin")
    await login(users, ada)
    await users.delete(ME, headers=ada.bearer)
    path = f"/api/v1/users/{eve.id}/roles"
    assert problem(await users.put(path, json={"roles": ["admin"]}, headers=ada.bearer)) == (401, "unauthorized")


async def test_who_was_erased_is_told_to_services_for_longer_than_a_token_lives(
    users: httpx2.AsyncClient, member: Member, owner: asyncpg.Connection, dsn_of: Callable[[str], str]
) -> None:
    ada, eve = await member(), await member()
    await users.delete(ME, headers=ada.bearer)
    later = "UPDATE users.accounts SET deleted_at = now() - make_interval(secs => $2) WHERE user_id = $1"
    for role in ("game", "leaderboard", "score", "tournament"):
        reader = await asyncpg.connect(dsn_of(role))
        for seconds, is_told in ((0, True), (ACCESS_VALID_S + 60, True), (3600, False)):
            await owner.execute(later, UUID(ada.id), seconds)
            told = {row["user_id"] for row in await reader.fetch("SELECT user_id FROM users.erased_v1")}
            assert (UUID(ada.id) in told, UUID(eve.id) in told) == (is_told, False)
        await reader.close()
