"""Nothing that a client sends is ever a 500: each kind of bad body and bad token with its status and code."""

import base64
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from palio_kit.testing.issuer import Issuer
from palio_user.passwords import Passwords

Member = Callable[..., Awaitable[Any]]

REGISTER = "/api/v1/users/register"
ME = "/api/v1/users/me"
JSON = {"content-type": "application/json"}
GOOD = {"username": "Good.Name", "email": "good@example.test", "password": "correct horse"}


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert set(document) == {"type", "title", "status", "detail", "code", "errors", "trace_id"}
    return answer.status_code, document["code"]


WRONG_FIELDS: list[tuple[str, Any]] = [
    ("username", "ab"), ("username", "a" * 25), ("username", "has space"), ("username", "na\u00efve"),
    ("username", "nul\u0000name"), ("username", "line\n"), ("username", ""), ("username", None), ("username", 12345),
    ("username", True), ("username", 1.0), ("username", 2**63), ("username", ["list"]), ("username", {}),
    ("email", "nobody"), ("email", "a@b"), ("email", "a b@example.test"), ("email", "a@example.test\u0000"),
    ("email", "@example.test"), ("email", "a" * 65 + "@example.test"), ("email", f"a@{'b' * 63}.{'c' * 300}"),
    ("email", "a@-\u00e9.test"), ("email", 5), ("email", None),
    ("password", "short"), ("password", "x" * 129), ("password", 123456789), ("password", None), ("password", True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG_FIELDS)
async def test_a_wrong_field_is_named_and_not_echoed(users: httpx2.AsyncClient, name: str, value: Any) -> None:
    answer = await users.post(REGISTER, content=json.dumps(GOOD | {name: value}), headers=JSON)
    assert problem(answer) == (422, "invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]
    if isinstance(value, str) and len(value) > 4:
        assert value not in answer.text


@pytest.mark.parametrize("name", GOOD)
async def test_a_missing_field_is_named(users: httpx2.AsyncClient, name: str) -> None:
    answer = await users.post(REGISTER, json={key: value for key, value in GOOD.items() if key != name})
    assert problem(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == f"/{name}"


async def test_an_unknown_field_is_refused(users: httpx2.AsyncClient) -> None:
    answer = await users.post(REGISTER, json=GOOD | {"roles": ["admin"]})
    assert problem(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == "/roles"


def good_with(text: str) -> bytes:
    return json.dumps(GOOD).replace('"Good.Name"', text).encode()


MALFORMED: dict[str, bytes] = {
    "NaN": good_with("NaN"), "Infinity": good_with("Infinity"), "too large": good_with("1e400"),
    "lone surrogate": good_with('"\\ud800"'), "surrogate in key": b'{"\\udfff":1}', "not UTF-8": b'{"a":"\xff"}',
    "UTF-16": json.dumps(GOOD).encode("utf-16"), "cut off": b'{"username":', "twice a key": b'{"a":1,"a":2}',
    "twice a key inside": b'{"a":{"b":1,"b":1}}', "deep": b"[" * 20_000, "raw NUL": b'{"username":"a\x00b"}',
    "trailing": b"{} {}", "single quotes": b"{'a':1}", "control": b'{"a":"\n"}',
}  # fmt: skip


@pytest.mark.parametrize("path", [REGISTER, "/api/v1/users/login", "/api/v1/users/refresh", "/api/v1/users/logout"])
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_is_not_json_is_malformed(users: httpx2.AsyncClient, path: str, body: bytes) -> None:
    assert problem(await users.post(path, content=body, headers=JSON)) == (400, "malformed_json")


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true", b"{}"])
@pytest.mark.parametrize("path", [REGISTER, "/api/v1/users/login", "/api/v1/users/refresh", "/api/v1/users/logout"])
async def test_json_that_is_no_request_is_invalid(users: httpx2.AsyncClient, path: str, body: bytes) -> None:
    assert problem(await users.post(path, content=body, headers=JSON)) == (422, "invalid")


@pytest.mark.parametrize("path", [REGISTER, "/api/v1/users/login", "/api/v1/users/refresh", "/api/v1/users/logout"])
async def test_an_empty_body_is_invalid(users: httpx2.AsyncClient, path: str) -> None:
    assert problem(await users.post(path, headers=JSON)) == (422, "invalid")


async def test_a_body_may_be_64_kib_and_not_a_byte_more(users: httpx2.AsyncClient) -> None:
    padding = 65_536 - len(json.dumps(GOOD | {"x": ""}))
    body = json.dumps(GOOD | {"x": "y" * padding}).encode()
    assert len(body) == 65_536
    assert problem(await users.post(REGISTER, content=body, headers=JSON)) == (422, "invalid")
    assert problem(await users.post(REGISTER, content=body + b" ", headers=JSON)) == (413, "body_too_large")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/msgpack"}, {"content-type": ""}, {},
        JSON | {"content-encoding": "gzip"},
    ],
)  # fmt: skip
async def test_a_body_must_be_plain_json(users: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    answer = await users.post(REGISTER, content=json.dumps(GOOD).encode(), headers=headers)
    assert problem(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize("key", ["short", "x" * 65, "sixteen chars ok?", "kéy-kéy-kéy-kéy-kéy".encode(), ""])
async def test_a_malformed_idempotency_key_is_refused(users: httpx2.AsyncClient, key: str | bytes) -> None:
    answer = await users.post(
        REGISTER, json=GOOD, headers=[(b"idempotency-key", key if isinstance(key, bytes) else key.encode())]
    )
    assert problem(answer) == (400, "bad_idempotency_key")


async def test_a_name_that_cannot_exist_is_simply_not_signed_in(users: httpx2.AsyncClient) -> None:
    for username in ("", "nul\u0000", "\U0001f680", "a b"):
        answer = await users.post("/api/v1/users/login", json={"username": username, "password": "x"})
        assert problem(answer) == (401, "invalid_credentials")


async def test_an_endless_password_is_refused_before_it_is_hashed(
    users: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hashed(*_: Any) -> bool:
        raise AssertionError("an endless password was hashed")

    monkeypatch.setattr(Passwords, "matches", hashed)
    body = {"username": "nobody", "password": "x" * 60_000}
    assert problem(await users.post("/api/v1/users/login", json=body)) == (422, "invalid")


@pytest.mark.parametrize("change", [{}, {"email": None}, {"email": "x"}, {"password": "short"}, {"roles": ["admin"]}])
async def test_a_change_must_change_something_well(
    users: httpx2.AsyncClient, member: Member, change: dict[str, Any]
) -> None:
    ada = await member()
    answer = await users.patch(ME, json={"current_password": ada.password} | change, headers=ada.bearer)
    assert problem(answer) == (422, "invalid")


@pytest.mark.parametrize("user_id", ["1", "%00", "00000000000070008000000000000001", "{x}", "0" * 400, "a%2Fb"])
async def test_an_id_that_is_none_is_invalid_or_not_found(users: httpx2.AsyncClient, user_id: str) -> None:
    assert problem(await users.get(f"/api/v1/users/{user_id}")) in {(422, "invalid"), (404, "not_found")}


async def test_a_method_nobody_expects_is_refused(users: httpx2.AsyncClient) -> None:
    assert problem(await users.put(REGISTER, json=GOOD)) == (405, "method_not_allowed")
    assert problem(await users.get("/api/v1/nothing")) == (404, "not_found")


def encoded(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@pytest.fixture
async def bad_tokens(users: httpx2.AsyncClient, member: Member, signing_keys: Path, issuer: Issuer) -> dict[str, str]:
    """Every way a token can be bad, beside a good one of which they are made."""
    ada = await member()
    good: str = ada.tokens["access_token"]
    head, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    jwk = json.loads(signing_keys.read_bytes())["keys"][0]
    key = jwt.PyJWK(jwk, algorithm="EdDSA").key
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    x = (await users.get("/.well-known/jwks.json")).json()["keys"][0]["x"]

    def signed(changes: dict[str, Any], **headers: Any) -> str:
        changed = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(changed, key, "EdDSA", headers={"kid": "user-1", "typ": "at+jwt"} | headers)

    def keyed_hash(secret: bytes) -> str:
        text = f"{encoded({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'user-1'})}.{body}"
        digest = jwt.get_algorithm_by_name("HS256").sign(text.encode(), secret)
        return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    now = int(time.time())
    return {
        "good": good,
        "foreign": issuer.access_token(ada.id, ada.username),
        "foreign under our key id": Issuer(key_id="user-1").access_token(ada.id, ada.username),
        "expired": signed({"iat": now - 1000, "exp": now - 100}),
        "not yet": signed({"nbf": now + 1000}),
        "issued in the future": signed({"iat": now + 1000, "exp": now + 1900}),
        "endless": signed({"exp": now + 10**9}),
        "another issuer": signed({"iss": "elsewhere"}),
        "another audience": signed({"aud": "elsewhere"}),
        "another type": signed({}, typ="JWT"),
        "another key id": signed({}, kid="user-9"),
        "a path as key id": signed({}, kid="../../etc/passwd"),
        "no subject": signed({"sub": None}),
        "subject is no id": signed({"sub": "ada"}),
        "no expiry": signed({"exp": None}),
        "expiry as text": signed({"exp": str(now + 100)}),
        "no roles": signed({"roles": None}),
        "no jti": signed({"jti": None}),
        "none": f"{encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': 'user-1'})}.{body}.",
        "none with signature": f"{encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': 'user-1'})}.{body}.{signature}",
        "HS256 with the public key as PEM": keyed_hash(pem),
        "HS256 with the public key as JWK": keyed_hash(base64.urlsafe_b64decode(x + "=")),
        "changed": f"{head}.{encoded(claims | {'roles': ['admin']})}.{signature}",
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "not a token": "abc",
        "not ASCII": "\u00e9\u00e9\u00e9",
        "too long": good + "A" * 5000,
        "empty": "",
    }


async def test_a_bad_token_is_never_let_in(users: httpx2.AsyncClient, bad_tokens: dict[str, str]) -> None:
    good = bad_tokens.pop("good")
    assert (await users.get(ME, headers={"authorization": f"Bearer {good}"})).status_code == 200
    let_in = {}
    for name, token in bad_tokens.items():
        answer = await users.get(ME, headers={b"authorization": f"Bearer {token}".encode()})
        if problem(answer) != (401, "unauthorized") or answer.headers["www-authenticate"] != "Bearer":
            let_in[name] = answer.text
    assert not let_in


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "bearer ", "Token abc"])
async def test_another_scheme_is_not_let_in(users: httpx2.AsyncClient, value: str) -> None:
    assert problem(await users.get(ME, headers={"authorization": value})) == (401, "unauthorized")
    for call in (users.delete, users.get):
        assert problem(await call(ME)) == (401, "unauthorized")
