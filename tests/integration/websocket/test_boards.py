"""Boards, live: snapshot, deltas at most ten times a second, and what heals a client that missed something."""

import asyncio
import time
from typing import Any

from integration.websocket.conftest import USER_IDS, Client, Frame, Stream
from palio_kit.testing.waiting import eventually

GLOBAL = "leaderboard:global"


async def follow(client: Client, channel: str = GLOBAL) -> Frame:
    await client.subscribe(channel)
    assert await client.next("subscribed") == {"type": "subscribed", "channels": [channel], "heartbeat_ms": 1000}
    return await client.next("snapshot", channel=channel)


async def test_a_subscriber_gets_the_board_and_then_what_changes(stream: Stream) -> None:
    async with stream.connect() as client:
        snapshot = await follow(client)
        assert (snapshot["epoch"], snapshot["version"], snapshot["board"]) == ("e1", 1, "global")
        assert (snapshot["order"], snapshot["tie_break"], snapshot["total"]) == ("desc", "earliest", 3)
        assert [(row["rank"], row["user_id"], row["score"]) for row in snapshot["rows"]] == [
            (1, USER_IDS[0], 100), (2, USER_IDS[1], 90), (3, USER_IDS[2], 80),
        ]  # fmt: skip

        version = stream.behind.put("global", [100, 90, 95])
        stream.source.scores({"global": ("e1", version)})
        delta = await client.next("delta")
        assert (delta["base"], delta["version"], delta["removed"]) == (1, 2, [])
        assert [(row["rank"], row["user_id"]) for row in delta["rows"]] == [(2, USER_IDS[2]), (3, USER_IDS[1])]


async def test_a_lost_notice_is_healed_by_the_poll(stream: Stream) -> None:
    async with stream.connect() as client:
        await follow(client)
        stream.behind.put("global", [1, 2, 3])
        assert (await client.next("delta"))["version"] == 2


async def test_a_client_that_missed_something_gets_a_snapshot_when_it_asks(stream: Stream) -> None:
    async with stream.connect() as client:
        first = await follow(client)
        await client.say(type="resync", channel=GLOBAL)
        assert await client.next("snapshot") == first


async def test_another_epoch_is_told_as_a_snapshot(stream: Stream) -> None:
    async with stream.connect() as client:
        await follow(client)
        stream.behind.put("global", [5], epoch="e2")
        stream.source.scores({"global": ("e2", 1)})
        snapshot = await client.next("snapshot")
        assert (snapshot["epoch"], snapshot["version"], len(snapshot["rows"])) == ("e2", 1, 1)


async def test_a_thousand_changes_a_second_become_ten_frames(stream: Stream) -> None:
    async with stream.connect() as client:
        await follow(client)
        arrived: list[float] = []

        async def listen() -> int:
            while True:
                frame = await client.next("delta")
                arrived.append(time.monotonic())
                if frame["rows"] and frame["rows"][0]["score"] == 1_999:
                    return int(frame["version"])

        listening = asyncio.create_task(listen())
        started = time.monotonic()
        for number in range(1_000):
            version = stream.behind.put("global", [1_000 + number, 90, 80])
            stream.source.scores({"global": ("e1", version)})
            await asyncio.sleep(max(0.0, started + number / 1_000 - time.monotonic()))
        assert await listening == 1_001
        assert 5 <= len(arrived) <= 10 * (arrived[-1] - started) + 2


async def test_the_family_channel_shows_the_global_board_and_names_boards_that_changed(stream: Stream) -> None:
    async with stream.connect() as client:
        snapshot = await follow(client, "leaderboard")
        assert (snapshot["board"], snapshot["version"]) == ("global", 1)
        stream.source.scores({"game:space-race": ("e1", 7)})
        event = await client.next("event")
        assert event["events"] == [{"kind": "boards", "boards": {"game:space-race": 7}}]
        assert (event["epoch"], event["base"], event["version"], event["skipped"]) == ("e1", 1, 1, 0)


async def test_a_board_that_does_not_exist_is_an_error_and_no_subscription(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.subscribe("leaderboard:game:nothing", GLOBAL)
        assert (await client.next("error"))["channel"] == "leaderboard:game:nothing"
        beat = await client.next("heartbeat")
        assert list(beat["versions"]) == [GLOBAL]


async def test_heartbeats_name_what_was_told_last(stream: Stream) -> None:
    async with stream.connect() as client:
        await follow(client)
        assert (await client.next("heartbeat"))["versions"] == {GLOBAL: ["e1", 1]}


async def test_the_stream_outlives_the_leaderboard_service(stream: Stream) -> None:
    stream.behind.away = True
    async with stream.connect() as client:
        await client.subscribe(GLOBAL)
        await client.next("subscribed")
        for _ in range(2):
            assert (await client.next("heartbeat"))["versions"] == {}
        stream.behind.away = False
        assert (await client.next("snapshot"))["version"] == 1


async def test_nothing_is_asked_once_nobody_listens(stream: Stream) -> None:
    async with stream.connect() as client:
        await follow(client)
        await client.say(type="unsubscribe", channels=[GLOBAL, "score"])
        assert (await client.next("unsubscribed"))["channels"] == [GLOBAL]
    calls: list[int] = []

    async def quiet() -> Any:
        calls.append(stream.behind.tops_calls)
        return len(calls) > 25 and calls[-1] == calls[-25]

    await eventually(quiet)


async def test_an_erased_player_loses_the_name_on_a_board_that_does_not_change(stream: Stream) -> None:
    async with stream.connect() as client:
        first = await follow(client)
        rows = stream.behind.boards["global"][4]
        rows[1][2] = "Deleted player"
        stream.source.publish("account", {"change": "deleted", "user_ids": [USER_IDS[1]]})
        snapshot = await client.next("snapshot")
        assert (snapshot["epoch"], snapshot["version"]) == (first["epoch"], first["version"])
        assert [row["username"] for row in snapshot["rows"]] == ["player-0", "Deleted player", "player-2"]
        await client.say(type="resync", channel=GLOBAL)
        assert await client.next("snapshot") == snapshot
