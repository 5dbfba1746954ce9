"""Feeds: what happens is told in order, and never as if nothing were missing."""

from typing import Any
from uuid import UUID

import pytest

from integration.websocket.conftest import USER_IDS, Stream, submission
from palio_kit.testing.issuer import Issuer
from palio_kit.testing.waiting import eventually

TOURNAMENT_ID = "0190a1b2-0000-7000-8000-0123456789ab"
TOURNAMENT = {"id": TOURNAMENT_ID, "name": "Palio", "phase": "Active", "participants": 1}


async def test_scores_are_told_with_their_trace(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.subscribe("score")
        snapshot = await client.next("snapshot")
        stream.source.scores({}, [submission(1), submission(2, rank=None, counted=False)])
        frame = await client.next("event")
        assert frame["epoch"] == snapshot["epoch"]
        assert (frame["base"], frame["version"], frame["skipped"]) == (snapshot["version"], snapshot["version"] + 2, 0)
        first = dict(submission(1), kind="score", at=submission(1)["accepted_at"])
        del first["accepted_at"]
        assert frame["events"][0] == first
        assert (await client.next("heartbeat"))["versions"]["score"] == [frame["epoch"], frame["version"]]


async def test_the_score_feed_begins_with_what_was_submitted_before(stream: Stream) -> None:
    stream.behind.recent = [submission(number, rank=None, trace_id=None) for number in (3, 2, 1)]
    stream.source.publish("scores", {"boards": {}, "submissions": [submission(2)]})
    stream.source.publish("heartbeat", None, lose=1)

    async def filled() -> bool:
        async with stream.connect() as client:
            await client.subscribe("score")
            events = (await client.next("snapshot"))["events"]
            return [(event["score"], event["rank"]) for event in events] == [(1, None), (2, 1), (3, None)]

    await eventually(filled)


async def test_more_than_a_frame_holds_is_skipped_and_counted(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.subscribe("score")
        version = (await client.next("snapshot"))["version"]
        for burst in range(4):
            stream.source.scores({}, [submission(burst * 100 + number) for number in range(100)])
        events, skipped, base = 0, 0, version
        while base < version + 400:
            frame = await client.next("event")
            assert frame["base"] == base
            assert len(frame["events"]) <= 50
            assert frame["version"] - frame["base"] == len(frame["events"]) + frame["skipped"]
            events, skipped, base = events + len(frame["events"]), skipped + frame["skipped"], frame["version"]
        assert (events + skipped, frame["events"][-1]["score"]) == (400, 399)
        assert skipped >= 200


async def test_a_lost_event_begins_a_new_history_for_everybody(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.subscribe("score", "tournament", "game")
        before = {frame["channel"]: frame["epoch"] for frame in [await client.next("snapshot") for _ in range(3)]}
        stream.source.scores({}, [submission(1)])
        assert (await client.next("event"))["events"]
        stream.source.scores({}, [submission(3)])
        assert (await client.next("event"))["events"]
        stream.source.publish("scores", {"boards": {}, "submissions": [submission(5)]}, lose=1)
        after = {frame["channel"]: frame["epoch"] for frame in [await client.next("snapshot") for _ in range(3)]}
        assert before.keys() == after.keys()
        assert not set(before.values()) & set(after.values())


async def test_a_lost_event_begins_a_new_history_even_while_the_past_cannot_be_had(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.subscribe("score")
        before = await client.next("snapshot")
        stream.source.scores({}, [submission(1)])
        await client.next("event")
        stream.behind.away = True
        stream.source.publish("heartbeat", None, lose=1)
        after = await client.next("snapshot")
        assert after["epoch"] != before["epoch"]
        assert [event["score"] for event in after["events"]] == [1]


async def test_a_single_tournament_is_told_with_its_state(stream: Stream) -> None:
    stream.behind.tournaments[TOURNAMENT_ID] = TOURNAMENT
    async with stream.connect() as client:
        await client.subscribe(f"tournament:{TOURNAMENT_ID}", "tournament")
        snapshot = await client.next("snapshot", channel=f"tournament:{TOURNAMENT_ID}")
        assert snapshot["tournament"] == TOURNAMENT
        changed = TOURNAMENT | {"participants": 2}
        stream.source.publish("tournament", {"change": "joined", "tournament": changed})
        frames = [await client.next("event"), await client.next("event")]
        assert {frame["channel"] for frame in frames} == {f"tournament:{TOURNAMENT_ID}", "tournament"}
        for frame in frames:
            (event,) = frame["events"]
            assert (event["kind"], event["change"], event["tournament"]) == ("tournament", "joined", changed)
        await client.say(type="resync", channel=f"tournament:{TOURNAMENT_ID}")
        assert (await client.next("snapshot"))["tournament"] == changed


async def test_a_tournament_that_does_not_exist_is_an_error(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.subscribe(f"tournament:{TOURNAMENT_ID}")
        error = await client.next("error")
        assert (error["code"], error["channel"]) == ("unknown_channel", f"tournament:{TOURNAMENT_ID}")


async def test_a_run_of_load_is_told_to_those_who_follow_it(stream: Stream) -> None:
    run, other = TOURNAMENT_ID, USER_IDS[0]
    async with stream.connect() as client:
        await client.subscribe(f"loadtest:{run}")
        assert (await client.next("snapshot"))["events"] == []
        for run_id, number in ((other, 1), (run, 2)):
            stream.source.publish("loadtest", {"id": run_id, "event": {"kind": "second", "second": number}})
        events = (await client.next("event"))["events"]
        assert [(event["kind"], event["second"]) for event in events] == [("second", 2)]


async def test_new_games_are_told(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.subscribe("game")
        await client.next("snapshot")
        stream.source.publish("game", {"change": "created", "game": {"id": "go"}})
        (event,) = (await client.next("event"))["events"]
        assert (event["kind"], event["change"], event["game"]) == ("game", "created", {"id": "go"})


async def test_a_player_hears_of_his_own_scores_and_prizes_only(stream: Stream, issuer: Issuer) -> None:
    mine, other = USER_IDS[1], USER_IDS[2]
    async with stream.connect() as client:
        await client.subscribe(f"player:{mine}", token=issuer.access_token(UUID(mine)))
        await client.next("snapshot")
        prize = {"tournament_id": TOURNAMENT_ID, "rank": 1, "amount": 50, "currency": "COIN"}
        stream.source.publish("prize", prize | {"user_id": other})
        stream.source.scores({}, [submission(1, user_id=other), submission(2, user_id=mine)])
        stream.source.publish("prize", prize | {"user_id": mine})
        events: list[dict[str, Any]] = []
        while len(events) < 2:
            events += (await client.next("event"))["events"]
        assert [(event["kind"], event["user_id"]) for event in events] == [("score", mine), ("prize", mine)]


@pytest.mark.parametrize("data", [b"\xc1", b"x", b"\x96\x01\x02\x03\x04\x05\x06"])
async def test_nonsense_on_the_events_channel_ends_nothing(stream: Stream, data: bytes) -> None:
    async with stream.connect() as client:
        await client.subscribe("score")
        await client.next("snapshot")
        stream.source.client.publish("palio:events", data)
        assert await client.next("heartbeat")

        async def told() -> bool:
            stream.source.scores({}, [submission(1)])
            return bool(await client.next("event", within_s=0.5))

        await eventually(_patient(told))


def _patient(probe: Any) -> Any:
    async def again() -> bool:
        try:
            return bool(await probe())
        except TimeoutError:
            return False

    return again


async def test_an_erased_player_is_named_in_no_event_that_is_kept(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.subscribe("score")
        await client.next("snapshot")
        stream.source.scores({}, [submission(1), submission(2, user_id=USER_IDS[2], username="bob")])
        await client.next("event")
        stream.source.publish("account", {"change": "deleted", "user_ids": [USER_IDS[1]]})
        events = (await client.next("snapshot"))["events"]
        assert [(event["username"], event["rank"]) for event in events[-2:]] == [("Deleted player", 1), ("bob", 1)]


async def test_an_erasure_that_was_not_heard_of_is_learnt_after_a_loss(stream: Stream) -> None:
    async with stream.connect() as client:
        await client.subscribe("score")
        await client.next("snapshot")
        stream.source.scores({}, [submission(1)])
        await client.next("event")
        stream.behind.recent = [submission(1, username="Deleted player")]
        stream.source.publish("heartbeat", None, lose=1)
        events = (await client.next("snapshot"))["events"]
        assert "ada" not in {event["username"] for event in events if event["user_id"] == USER_IDS[1]}
