"""The catalogue: seeded games, reading, adding, the news of a new game, and everything bad a client can send."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import asyncpg
import httpx2
import pytest

from palio_game.app import create_app
from palio_game.settings import Settings
from palio_kit.events import Envelope, Subscriber
from palio_kit.ids import new_id
from palio_kit.tasks import running
from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually
from support.erasing import erase

GAMES = "/api/v1/games"
SEEDED = ["block-cascade", "canyon-time-trial", "chess-ladder", "harvest-festival", "neon-arena", "space-race"]
FIELDS = {
    "id", "title", "description", "order", "keep", "score_min", "score_max", "score_unit", "counts_globally",
    "created_at",
}  # fmt: skip
SAFE = 2**53 - 1

_numbers = count(1)


def new_game(**changes: Any) -> dict[str, Any]:
    game = {
        "id": f"game-{next(_numbers)}", "title": "Tower of Tests", "order": "desc", "keep": "best",
        "score_min": 0, "score_max": 1000, "counts_globally": True,
    }  # fmt: skip
    return {name: value for name, value in (game | changes).items() if value is not ...}


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@pytest.fixture
async def games(client_of: Any, make_settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(create_app, make_settings(Settings)) as client:
        yield client


@pytest.fixture
def bearer(issuer: Issuer) -> Callable[..., dict[str, str]]:
    """`bearer("organiser")`: somebody new with that role."""

    def make(*roles: str) -> dict[str, str]:
        return {"authorization": f"Bearer {issuer.access_token(new_id(), roles=('player', *roles))}"}

    return make


@pytest.fixture
def organiser(bearer: Callable[..., dict[str, str]]) -> dict[str, str]:
    return bearer("organiser")


async def test_six_games_are_there_from_the_start(games: httpx2.AsyncClient) -> None:
    answer = await games.get(GAMES, params={"limit": 100})
    assert answer.status_code == 200
    seeded = [game for game in answer.json()["items"] if game["id"] in SEEDED]
    assert [game["id"] for game in seeded] == SEEDED
    rules = {game["id"]: (game["order"], game["keep"], game["counts_globally"]) for game in seeded}
    assert rules == {
        "space-race": ("desc", "best", True),
        "block-cascade": ("desc", "best", True),
        "neon-arena": ("desc", "best", True),
        "canyon-time-trial": ("asc", "best", False),
        "harvest-festival": ("desc", "sum", False),
        "chess-ladder": ("desc", "last", False),
    }
    assert all(set(game) == FIELDS for game in seeded)
    assert all(game["title"] and game["description"] and game["score_unit"] for game in seeded)


async def test_anybody_may_read_one_game(games: httpx2.AsyncClient) -> None:
    answer = await games.get(f"{GAMES}/canyon-time-trial")
    assert answer.status_code == 200
    game = answer.json()
    assert (game["score_min"], game["score_max"], game["score_unit"]) == (10_000, 3_600_000, "ms")
    assert problem(await games.get(f"{GAMES}/nothing-like-it")) == (404, "game_not_found")


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 100])
async def test_pages_show_each_game_once(games: httpx2.AsyncClient, limit: int) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = (await games.get(GAMES, params={"limit": limit} | ({"cursor": cursor} if cursor else {}))).json()
        assert 1 <= len(page["items"]) <= limit
        seen += [game["id"] for game in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(set(seen))
    assert set(SEEDED) <= set(seen)


@pytest.mark.parametrize("role", ["organiser", "admin", "server"])
async def test_who_may_adds_a_game(games: httpx2.AsyncClient, bearer: Callable[..., dict[str, str]], role: str) -> None:
    body = new_game(description="Up and up.", score_unit="floors", score_min=-SAFE, score_max=SAFE)
    answer = await games.post(GAMES, json=body, headers=bearer(role))
    assert answer.status_code == 201
    made = answer.json()
    assert made == body | {"created_at": made["created_at"]}
    assert made["created_at"].endswith("Z")
    assert (await games.get(f"{GAMES}/{body['id']}")).json() == made


async def test_what_is_left_out_has_a_plain_meaning(games: httpx2.AsyncClient, organiser: dict[str, str]) -> None:
    made = (await games.post(GAMES, json=new_game(), headers=organiser)).json()
    assert (made["description"], made["score_unit"]) == ("", "points")


async def test_players_and_strangers_add_no_games(
    games: httpx2.AsyncClient, bearer: Callable[..., dict[str, str]]
) -> None:
    assert problem(await games.post(GAMES, json=new_game(), headers=bearer())) == (403, "forbidden")
    assert problem(await games.post(GAMES, json=new_game())) == (401, "unauthorized")


async def test_a_game_is_made_once_and_never_changed(games: httpx2.AsyncClient, organiser: dict[str, str]) -> None:
    body = new_game()
    made = (await games.post(GAMES, json=body, headers=organiser)).json()
    again = await games.post(GAMES, json=body | {"score_max": 5}, headers=organiser)
    assert problem(again) == (409, "game_exists")
    assert (await games.get(f"{GAMES}/{body['id']}")).json() == made


async def test_of_many_who_add_one_game_exactly_one_does(
    games: httpx2.AsyncClient, bearer: Callable[..., dict[str, str]]
) -> None:
    body = new_game()
    answers = await asyncio.gather(*(games.post(GAMES, json=body, headers=bearer("organiser")) for _ in range(12)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 11}


async def test_a_retry_with_its_key_replays_the_answer_to_the_byte(
    games: httpx2.AsyncClient, organiser: dict[str, str], bearer: Callable[..., dict[str, str]]
) -> None:
    body, key = new_game(), {"idempotency-key": "add-a-game-0123456789"}
    first = await games.post(GAMES, json=body, headers=organiser | key)
    again = await games.post(GAMES, json=body, headers=organiser | key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    other_body = await games.post(GAMES, json=new_game(), headers=organiser | key)
    assert problem(other_body) == (409, "idempotency_key_reused")
    somebody_else = await games.post(GAMES, json=body, headers=bearer("organiser") | key)
    assert problem(somebody_else) == (409, "game_exists")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"order": "asc"}, "/counts_globally"),
        ({"keep": "sum"}, "/counts_globally"),
        ({"keep": "last"}, "/counts_globally"),
        ({"score_min": 11, "score_max": 10}, "/score_max"),
    ],
)
async def test_rules_that_contradict_each_other_are_refused(
    games: httpx2.AsyncClient, organiser: dict[str, str], changes: dict[str, Any], pointer: str
) -> None:
    answer = await games.post(GAMES, json=new_game(**changes), headers=organiser)
    assert problem(answer) == (422, "invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_everybody_hears_of_a_new_game_once(
    games: httpx2.AsyncClient, organiser: dict[str, str], make_settings: Any
) -> None:
    heard: list[Envelope] = []
    subscribed = asyncio.Event()

    async def listening() -> None:
        subscribed.set()

    subscriber = Subscriber(make_settings(Settings), heard.append, listening)
    async with running("subscriber", subscriber.step):
        await asyncio.wait_for(subscribed.wait(), 5)
        body, key = new_game(), organiser | {"idempotency-key": "a-game-heard-of-once"}
        made = (await games.post(GAMES, json=body, headers=key)).json()
        await games.post(GAMES, json=body, headers=key)
        await games.post(GAMES, json=body | {"title": "Again"}, headers=organiser)
        last = (await games.post(GAMES, json=new_game(), headers=organiser)).json()

        async def heard_of_the_last() -> bool:
            return any(event.data["game"]["id"] == last["id"] for event in heard)

        await eventually(heard_of_the_last)
    assert [(event.kind, event.data) for event in heard] == [
        ("game", {"change": "created", "game": game}) for game in (made, last)
    ]


async def test_a_game_is_added_while_redis_is_away(
    client_of: Any, make_settings: Any, organiser: dict[str, str]
) -> None:
    away = make_settings(Settings, redis_url="redis://127.0.0.1:1")
    async with client_of(create_app, away) as games:
        assert (await games.post(GAMES, json=new_game(), headers=organiser)).status_code == 201
        ready = await games.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")


async def test_without_its_database_it_says_when_to_come_back(client_of: Any, make_settings: Any) -> None:
    away = make_settings(Settings, database_url="postgresql://palio_game@127.0.0.1:1/palio", database_timeout_s=0.5)
    async with client_of(create_app, away) as games:
        answer = await games.get(GAMES)
        assert problem(answer) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert (await games.get("/readyz")).status_code == 503
        assert (await games.get("/livez")).status_code == 200


async def test_the_services_role_can_neither_change_nor_delete_a_game(dsn_of: Callable[[str], str]) -> None:
    connection = await asyncpg.connect(dsn_of("game"))
    try:
        for statement in ("UPDATE game.games SET score_max = 1", "DELETE FROM game.games"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("service", ["score", "leaderboard", "tournament", "generator"])
async def test_other_services_read_the_published_rules(service: str, dsn_of: Callable[[str], str]) -> None:
    connection = await asyncpg.connect(dsn_of(service))
    try:
        rules = await connection.fetchrow("SELECT * FROM game.rules_v1 WHERE game_id = 'canyon-time-trial'")
        assert rules is not None
        assert dict(rules) == {
            "game_id": "canyon-time-trial", "title": "Canyon Time Trial", "score_order": "asc", "keep": "best",
            "score_min": 10_000, "score_max": 3_600_000, "counts_globally": False,
        }  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT game_id FROM game.games")
    finally:
        await connection.close()


WRONG_FIELDS: list[tuple[str, Any]] = [
    ("id", "Space"), ("id", "-a"), ("id", "a-"), ("id", "a b"), ("id", "a" * 41), ("id", ""), ("id", 1), ("id", None),
    ("id", "a\u0000"), ("id", "a\n"), ("title", ""), ("title", "x" * 81), ("title", " x"), ("title", "x\u0000y"),
    ("title", "x\u202ay\u0007"), ("title", 1), ("title", None), ("description", "x" * 501), ("description", None),
    ("description", "a\tb"), ("order", "up"), ("order", True), ("keep", "worst"), ("keep", None),
    ("score_min", True), ("score_min", "1"), ("score_min", 1.0), ("score_min", 2**63), ("score_min", -(2**63)),
    ("score_min", 2**53), ("score_min", 10**4000), ("score_min", None), ("score_max", 2**53), ("score_max", "10"),
    ("score_max", 1.5), ("score_max", False), ("score_max", []), ("score_unit", ""), ("score_unit", "x" * 21),
    ("counts_globally", 1), ("counts_globally", "true"), ("counts_globally", None), ("unknown", 1),
    ("id", ...), ("title", ...), ("order", ...), ("keep", ...), ("score_min", ...), ("score_max", ...),
    ("counts_globally", ...),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG_FIELDS)
async def test_a_wrong_field_is_named(
    games: httpx2.AsyncClient, organiser: dict[str, str], name: str, value: Any
) -> None:
    body = json.dumps(new_game(**{name: value}))
    headers = organiser | {"content-type": "application/json"}
    answer = await games.post(GAMES, content=body, headers=headers)
    assert problem(answer) == (422, "invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


def game_with(text: str) -> bytes:
    return json.dumps(new_game()).replace("1000", text).encode()


MALFORMED = {
    "NaN": game_with("NaN"), "Infinity": game_with("-Infinity"), "too large": game_with("1e400"),
    "lone surrogate": game_with('"\\ud83d"'),
    "not UTF-8": b'{"id":"\xff"}', "UTF-16": json.dumps(new_game()).encode("utf-16"), "cut off": b'{"id":',
    "twice a key": b'{"id":"a","id":"b"}', "deep": b'{"a":' * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_is_not_json_is_malformed(games: httpx2.AsyncClient, organiser: dict[str, str], body: bytes) -> None:
    answer = await games.post(GAMES, content=body, headers=organiser | {"content-type": "application/json"})
    assert problem(answer) == (400, "malformed_json")


async def test_a_body_may_be_64_kib_and_not_a_byte_more(games: httpx2.AsyncClient, organiser: dict[str, str]) -> None:
    headers = organiser | {"content-type": "application/json"}
    body = json.dumps(new_game()).encode()
    answer = await games.post(GAMES, content=body.ljust(65_536), headers=headers)
    assert answer.status_code == 201
    answer = await games.post(GAMES, content=json.dumps(new_game()).encode().ljust(65_537), headers=headers)
    assert problem(answer) == (413, "body_too_large")


async def test_a_body_must_be_json(games: httpx2.AsyncClient, organiser: dict[str, str]) -> None:
    for media in ("text/plain", "application/msgpack", "multipart/form-data"):
        answer = await games.post(
            GAMES, content=json.dumps(new_game()).encode(), headers=organiser | {"content-type": media}
        )
        assert problem(answer) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", (422, "invalid")), ("limit=101", (422, "invalid")), ("limit=x", (422, "invalid")),
        ("limit=1e3", (422, "invalid")), ("cursor=!", (400, "bad_cursor")), ("cursor=%00", (400, "bad_cursor")),
        ("cursor=%C3%A9", (400, "bad_cursor")), ("cursor=AQ", (400, "bad_cursor")),
        ("cursor=" + "A" * 600, (400, "bad_cursor")), ("cursor=oQA", (400, "bad_cursor")),
    ],
)  # fmt: skip
async def test_a_page_that_cannot_be_is_refused(games: httpx2.AsyncClient, query: str, said: tuple[int, str]) -> None:
    assert problem(await games.get(f"{GAMES}?{query}")) == said


@pytest.mark.parametrize("game_id", ["UPPER", "%00", "a" * 41, "a%2Fb", "-", "%F0%9F%9A%80"])
async def test_an_id_that_is_none_is_invalid_or_not_found(games: httpx2.AsyncClient, game_id: str) -> None:
    assert problem(await games.get(f"{GAMES}/{game_id}")) in {(422, "invalid"), (404, "not_found")}


async def test_a_bad_token_adds_nothing(games: httpx2.AsyncClient, issuer: Issuer) -> None:
    organiser = ("organiser",)
    tokens = [
        Issuer().access_token(new_id(), roles=organiser),
        Issuer(key_id="another").access_token(new_id(), roles=organiser),
        issuer.access_token(new_id(), roles=organiser, valid_s=-60),
        issuer.access_token(new_id(), roles=organiser, aud="elsewhere"),
        issuer.access_token(new_id(), roles=organiser, jti=None),
        issuer.access_token(new_id(), roles=organiser, sub="ada"),
        issuer.service_token("score", "game"),
        "malformed",
    ]
    for token in tokens:
        answer = await games.post(GAMES, json=new_game(), headers={"authorization": f"Bearer {token}"})
        assert problem(answer) == (401, "unauthorized")


async def test_an_erased_organisers_token_adds_nothing(
    games: httpx2.AsyncClient, issuer: Issuer, owner_dsn: str
) -> None:
    ada = new_id()
    headers = {"authorization": f"Bearer {issuer.access_token(ada, roles=('player', 'organiser'))}"}
    assert (await games.post(GAMES, json=new_game(), headers=headers)).status_code == 201
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(
        "INSERT INTO users.accounts (user_id, username_key, username, email, password_hash) "
        "VALUES ($1, 'ada', 'ada', 'ada@example.test', 'x')",
        ada,
    )
    await erase(owner, ada)
    await owner.close()

    async def refused() -> bool:
        return problem(await games.post(GAMES, json=new_game(title=""), headers=headers)) == (401, "unauthorized")

    await eventually(refused, within_s=3)
