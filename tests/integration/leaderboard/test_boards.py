"""Reads of boards: over HTTP and in the gateway's batches, from Redis and from SQL."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import msgspec
import pytest

from palio_kit.ids import new_id
from palio_kit.testing.issuer import Issuer
from palio_leaderboard.app import create_app
from palio_leaderboard.settings import Settings

Client = httpx2.AsyncClient
Row = dict[str, Any]

BOARDS = "/api/v1/leaderboard"


@pytest.fixture
async def client(make_settings: Any, client_of: Any) -> AsyncIterator[Client]:
    async with client_of(create_app, make_settings(Settings, audit_every_s=3600)) as opened:
        yield opened


@pytest.fixture
def batch(client: Client, service_issuer: Issuer) -> Callable[..., Awaitable[list[Any]]]:
    """What the gateway does: reads in, `[status, body, etag]` out."""

    async def send(*reads: list[Any], caller: str = "gateway", path: str = "reads") -> list[Any]:
        answer = await client.post(
            f"/internal/v1/{path}",
            content=msgspec.msgpack.encode(reads),
            headers={
                "content-type": "application/msgpack",
                "palio-service-token": service_issuer.service_token(caller, "leaderboard"),
            },
        )
        assert answer.status_code == 200, answer.text
        return list(msgspec.msgpack.decode(answer.content))

    return send


def in_order(rows: Any, order: str = "desc") -> list[str]:
    return [str(row.user_id) for row in sorted(rows, key=lambda row: row.key(order))]


async def whole(client: Client, board: str, limit: int) -> list[Row]:
    """All items of a board, page by page."""
    items: list[Row] = []
    cursor = None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = await client.get(f"{BOARDS}/{board}", params=query)
        assert answer.status_code == 200, answer.text
        items += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return items


@pytest.mark.parametrize("cached", [True, False], ids=["redis", "sql"])
@pytest.mark.parametrize(("game", "order"), [("space-race", "desc"), ("canyon-time-trial", "asc")])
async def test_pages_follow_the_total_order(client: Client, world: Any, cached: bool, game: str, order: str) -> None:
    rows = world.players(number % 7 - 3 for number in range(45))
    await world.put(f"game:{game}", rows, order, cached=cached)
    for limit in (1, 7, 100):
        items = await whole(client, f"game/{game}", limit)
        assert [item["user_id"] for item in items] == in_order(rows, order)
        assert [item["rank"] for item in items] == list(range(1, 46))


@pytest.mark.parametrize("cached", [True, False], ids=["redis", "sql"])
async def test_shared_ties_share_the_better_rank_over_page_borders(client: Client, world: Any, cached: bool) -> None:
    tournament = await world.tournament(ties="Shared")
    rows = world.players([5, 5, 5, 4, 3, 3, 2])
    await world.put(f"tournament:{tournament}", rows, cached=cached)
    items = await whole(client, f"tournament/{tournament}", 2)
    assert [item["rank"] for item in items] == [1, 1, 1, 4, 5, 5, 7]
    for item in items:
        own = await client.get(f"{BOARDS}/tournament/{tournament}/rank/{item['user_id']}")
        assert own.json()["item"] == item
        assert own.json()["tie_break"] == "shared"


@pytest.mark.parametrize("cached", [True, False], ids=["redis", "sql"])
async def test_around_shows_a_full_window_at_every_rank(client: Client, batch: Any, world: Any, cached: bool) -> None:
    rows = world.players([3, 3, 3, 2, 2, 1, 1, 1, 1])
    await world.put("global", rows, cached=cached)
    order = in_order(rows)
    for radius in (1, 2, 3, 4, 5, 50):
        reads = [["around", "global", user, radius, None, None] for user in order]
        for index, (status, body, _) in enumerate(await batch(*reads)):
            assert status == 200
            shown = [(item["rank"], item["user_id"]) for item in msgspec.json.decode(body)["items"]]
            size = min(2 * radius + 1, len(order))
            first = max(0, min(index - radius, len(order) - size))
            assert shown == list(enumerate(order, start=1))[first : first + size]


async def test_answers_from_sql_equal_those_from_redis(client: Client, batch: Any, world: Any) -> None:
    rows = world.players(number % 5 for number in range(30))
    users = [str(row.user_id) for row in rows] + [str(new_id())]
    reads = [["rank", "global", user, 0, None, None] for user in users]
    reads += [["around", "global", user, 3, None, None] for user in users]
    reads += [["page", "global", None, 9, None, None]]
    answers = {}
    for cached in (True, False):
        await world.put("global", rows, cached=cached)
        answers[cached] = [(status, without_source(body)) for status, body, _ in await batch(*reads)]
    assert answers[True] == answers[False]


def without_source(body: bytes) -> Row:
    document: Row = msgspec.json.decode(body)
    return {key: value for key, value in document.items() if key not in ("epoch", "version", "trace_id")}


async def test_a_cursor_survives_its_row(client: Client, world: Any) -> None:
    rows = world.players([9, 8, 8, 8, 7, 6])
    await world.put("global", rows)
    order = in_order(rows)
    first = (await client.get(f"{BOARDS}/global", params={"limit": 3})).json()
    left = UUID(first["items"][-1]["user_id"])
    await world.cache("global", [row for row in rows if row.user_id != left])
    second = (await client.get(f"{BOARDS}/global", params={"cursor": first["next_cursor"]})).json()
    assert [item["user_id"] for item in second["items"]] == order[3:]
    assert [item["rank"] for item in second["items"]] == [3, 4, 5]


async def test_an_unchanged_answer_is_not_sent_again(client: Client, world: Any) -> None:
    rows = world.players([3, 2, 1])
    await world.put("global", rows)
    for path in ("global", f"global/rank/{rows[0].user_id}", f"global/around/{rows[0].user_id}"):
        first = await client.get(f"{BOARDS}/{path}")
        etag = first.headers["etag"]
        assert etag.startswith('"global.e1.')
        for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            again = await client.get(f"{BOARDS}/{path}", headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        await world.cache("global", rows)
        assert (await client.get(f"{BOARDS}/{path}", headers={"if-none-match": etag})).status_code == 200


async def test_boards_that_do_not_exist_are_404(client: Client) -> None:
    for board in ("game/no-such-game", f"tournament/{new_id()}", f"game/no-such-game/rank/{new_id()}"):
        answer = await client.get(f"{BOARDS}/{board}")
        assert (answer.status_code, answer.json()["code"]) == (404, "board_not_found")


async def test_a_board_without_standings_is_an_empty_page(client: Client, world: Any) -> None:
    await world.put("game:block-cascade", [], cached=False)
    answer = (await client.get(f"{BOARDS}/game/block-cascade")).json()
    assert (answer["items"], answer["total"], answer["next_cursor"]) == ([], 0, None)
    answer = await client.get(f"{BOARDS}/game/block-cascade/rank/{new_id()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_ranked")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("global?limit=0", 422), ("global?limit=101", 422), ("global?limit=x", 422), ("global?cursor=%21", 400),
        ("global?cursor=AAAA", 400), ("global/around/nobody", 422), ("game/NO%20SLUG", 422), ("tournament/7", 422),
    ],
)  # fmt: skip
async def test_malformed_reads_are_told_so(client: Client, path: str, status: int) -> None:
    assert (await client.get(f"{BOARDS}/{path}")).status_code == status


async def test_a_batch_answers_each_read_for_itself(batch: Any, world: Any) -> None:
    rows = world.players([2, 1])
    await world.put("global", rows)
    await world.users(rows)
    answers = await batch(
        ["page", "global", None, 1, None, None],
        ["rank", "global", str(rows[1].user_id), 0, None, None],
        ["rank", "global", "nonsense", 0, None, None],
        ["rank", "global", str(new_id()), 0, None, None],
        ["page", "game:none", None, 1, None, None],
        ["page", "global", None, 101, None, None],
        ["page", "global", None, 1, "!", None],
    )
    assert [status for status, _, _ in answers] == [200, 200, 422, 404, 404, 422, 400]
    page = msgspec.json.decode(answers[0][1])
    assert page["items"][0]["username"] == "player-0"
    assert page["items"][0]["reached_at"] == "2026-05-01T12:00:00.000000Z"
    assert msgspec.json.decode(answers[1][1])["item"]["rank"] == 2


async def test_tops_are_told_once_a_version(batch: Any, world: Any) -> None:
    rows = world.players([2, 1])
    await world.put("global", rows)
    ask = ["global", 100, "", 0]
    nowhere = ["game:none", 100, "", 0]
    top, none = await batch(ask, nowhere, caller="websocket", path="tops")
    epoch, version, order, ties, shown, total = top
    assert (epoch, order, ties, total, none[0]) == ("e1", "desc", "earliest", 2, "")
    assert [row[:2] for row in shown] == [[1, str(rows[0].user_id)], [2, str(rows[1].user_id)]]
    assert await batch(["global", 100, epoch, version], caller="websocket", path="tops") == [None]


async def test_only_the_named_services_may_make_internal_calls(client: Client, service_issuer: Issuer) -> None:
    for path in ("reads", "tops", "ranks"):
        assert (await client.post(f"/internal/v1/{path}", content=b"")).status_code == 401
        token = service_issuer.service_token("generator", "leaderboard")
        answer = await client.post(f"/internal/v1/{path}", content=b"", headers={"palio-service-token": token})
        assert answer.status_code == 403
    token = service_issuer.service_token("gateway", "leaderboard")
    headers = {"palio-service-token": token, "content-type": "application/msgpack"}
    answer = await client.post("/internal/v1/reads", content=b"\x93\x01", headers=headers)
    assert answer.status_code == 422


async def test_a_players_places_are_told_by_board(client: Client, world: Any, service_issuer: Issuer) -> None:
    rows = world.players([2, 1])
    await world.put("global", rows)
    await world.put("game:space-race", rows[:1], cached=False)
    answer = await client.post(
        "/internal/v1/ranks",
        json={"user_id": str(rows[1].user_id), "boards": ["global", "game:space-race", "game:none"]},
        headers={"palio-service-token": service_issuer.service_token("user", "leaderboard")},
    )
    assert answer.json() == {"ranks": {"global": {"score": 1, "rank": 2}, "game:space-race": None, "game:none": None}}
