"""Which tokens are believed."""

import base64
import json
import time
from collections.abc import Mapping
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from palio_kit.callers import Caller, UserTokens
from palio_kit.ids import new_id
from palio_kit.jwks import KeySet, Loader
from palio_kit.problems import NotYourself, Unauthorized, Unavailable
from palio_kit.testing.issuer import Issuer
from palio_kit.tokens import ACCESS_ALGORITHMS, Verifier

ADA = UUID("01890000-0000-7000-8000-000000000001")
ISSUER = Issuer()


def user_tokens(load: Loader = ISSUER.load) -> UserTokens:
    verifier = Verifier(
        "user",
        KeySet(load),
        issuer="palio",
        audience="palio-players",
        algorithms=ACCESS_ALGORITHMS,
        header_type="at+jwt",
    )
    return UserTokens(verifier)


def part(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def public_pem() -> bytes:
    return ISSUER.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def by_hand(header: Mapping[str, object], **claims: object) -> str:
    now = int(time.time())
    body = {"iss": "palio", "aud": "palio-players", "sub": str(ADA), "iat": now, "exp": now + 60, "jti": "1",
            "username": "ada", "roles": ["player"]} | claims  # fmt: skip
    signed = f"{part(header)}.{part(body)}"
    signature = ISSUER.key.sign(signed.encode())  # type: ignore[call-arg]  # an Ed25519 key
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_a_good_token_names_its_caller() -> None:
    caller = await user_tokens().caller(ISSUER.access_token(ADA, "ada", roles=("player", "organiser")))
    assert (caller.user_id, caller.username, caller.roles) == (ADA, "ada", frozenset({"player", "organiser"}))


async def test_a_verified_token_is_remembered_until_it_expires() -> None:
    tokens = user_tokens()
    token = ISSUER.access_token(ADA)
    assert tokens.remembered(token) is None
    await tokens.caller(token)
    assert tokens.remembered(token) is not None


async def test_an_erased_users_tokens_are_refused_remembered_or_not() -> None:
    tokens = user_tokens()
    remembered, fresh, other = ISSUER.access_token(ADA), ISSUER.access_token(ADA), ISSUER.access_token(new_id())
    await tokens.caller(remembered)
    tokens.refuse(frozenset({ADA}))
    assert tokens.remembered(remembered) is None
    for token in (remembered, fresh):
        with pytest.raises(Unauthorized):
            await tokens.caller(token)
    await tokens.caller(other)
    assert tokens.remembered(other) is not None
    tokens.refuse(frozenset())
    assert tokens.remembered(remembered) is not None


HEAD = {"alg": "EdDSA", "typ": "at+jwt", "kid": "test-1"}
GOOD = ISSUER.access_token(ADA)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="nonsense"),
        pytest.param("x" * 5_000, id="too long"),
        pytest.param("\u00e9.b.c", id="not ASCII"),
        pytest.param(GOOD[:-4] + "AAAA", id="another signature"),
        pytest.param(GOOD.rsplit(".", 1)[0] + ".", id="no signature"),
        pytest.param(f"{part({'alg': 'none', 'typ': 'at+jwt', 'kid': 'test-1'})}.{GOOD.split('.')[1]}.", id="alg none"),
        pytest.param(ISSUER.access_token(ADA, valid_s=-60), id="expired"),
        pytest.param(ISSUER.access_token(ADA, iss="someone"), id="another issuer"),
        pytest.param(ISSUER.access_token(ADA, iss="palio.evil"), id="issuer prefix"),
        pytest.param(ISSUER.access_token(ADA, aud="palio-score"), id="another audience"),
        pytest.param(ISSUER.access_token(ADA, aud=None), id="no audience"),
        pytest.param(ISSUER.access_token(ADA, exp=None), id="no expiry"),
        pytest.param(ISSUER.access_token(ADA, sub=None), id="no subject"),
        pytest.param(ISSUER.access_token(ADA, sub="ada"), id="subject is no id"),
        pytest.param(ISSUER.access_token(ADA, roles=None), id="no roles"),
        pytest.param(ISSUER.access_token(ADA, jti=None), id="no token id"),
        pytest.param(Issuer().access_token(ADA), id="another key under the same id"),
        pytest.param(by_hand({**HEAD, "typ": "JWT"}), id="another type"),
        pytest.param(by_hand({**HEAD, "kid": "../../etc/passwd"}), id="path as key id"),
        pytest.param(by_hand({**HEAD, "kid": ["test-1"]}), id="list as key id"),
        pytest.param(by_hand({**HEAD, "crit": ["exp"], "exp": 1}), id="critical header"),
        pytest.param(by_hand(HEAD, exp=str(int(time.time()) + 60)), id="expiry as text"),
        pytest.param(by_hand(HEAD, exp=10**400), id="expiry beyond every clock"),
        pytest.param(by_hand(HEAD, exp=int(time.time()) + 365 * 86_400), id="valid for a year"),
        pytest.param(by_hand(HEAD, exp=True), id="expiry true"),
    ],
)
async def test_no_other_token_is_believed(token: str) -> None:
    with pytest.raises(Unauthorized):
        await user_tokens().caller(token)


async def test_the_public_key_is_no_hmac_secret() -> None:
    head, body = part({**HEAD, "alg": "HS256"}), GOOD.split(".")[1]
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = algorithm.sign(f"{head}.{body}".encode(), public_pem())
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    with pytest.raises(Unauthorized):
        await user_tokens().caller(forged)


async def test_without_keys_nobody_is_refused_as_a_forger() -> None:
    async def away() -> bytes:
        raise OSError("refused")

    tokens = user_tokens(load=away)
    with pytest.raises(Unavailable):
        await tokens.caller(GOOD)


async def test_unknown_key_ids_do_not_flood_the_issuer() -> None:
    loads = 0

    async def counting() -> bytes:
        nonlocal loads
        loads += 1
        return ISSUER.jwks()

    keys = KeySet(counting)
    for number in range(1_000):
        assert await keys.key(f"forged-{number}") is None
    assert loads == 1


def test_only_a_server_acts_for_others() -> None:
    other = new_id()
    player = Caller(ADA, "ada", frozenset({"player"}), "")
    server = Caller(ADA, "studio", frozenset({"server"}), "")
    assert player.acting_as(ADA) == ADA
    assert server.acting_as(other) == other
    with pytest.raises(NotYourself):
        player.acting_as(other)
