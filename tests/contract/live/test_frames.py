"""Every frame the server sends is one that docs/api/live.schema.json describes, and the page tells the same story."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest

from integration.websocket.conftest import USER_IDS, Client, Stream, submission
from palio_generator.runs import answers
from palio_kit.testing.issuer import Issuer
from palio_websocket import errors
from palio_websocket.domain import Close, Reconnect, reconnect_after
from support.load import second

DOCS = Path(__file__).parents[3] / "docs" / "api"
SCHEMA = json.loads((DOCS / "live.schema.json").read_text())
PAGE = (DOCS / "live.md").read_text()

ME = USER_IDS[1]
TOURNAMENT_ID = "0190a1b2-0000-7000-8000-0123456789ab"
RUN_ID = "0190a1b2-0000-7000-8000-0123456789ac"
RUN: dict[str, Any] = {
    "id": RUN_ID, "phase": "finished", "runners": {"wanted": 1, "ready": 1, "reported": 1, "failed": 0},
    "start_at": "2026-11-25T09:00:00.000000Z", "finished_at": "2026-11-25T09:00:30.000000Z", "results": None,
    "verdict": "Passed", "doubts": [], "checks": [],
}  # fmt: skip
TOURNAMENT = {"id": TOURNAMENT_ID, "name": "Palio", "phase": "Active"}

valid = jsonschema_rs.validator_for(SCHEMA)


class Recorder:
    """Reads everything, checks it, and knows which kinds came."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seen: set[str] = set()

    async def until(self, *kinds: str) -> None:
        """Read until these came."""
        while not self.seen.issuperset(kinds):
            frame = await self.client.next("heartbeat" if "heartbeat" in kinds else None)
            problems = [error.message for error in valid.iter_errors(frame)]
            assert not problems, (frame, problems)
            self.seen |= set(kinds_of(frame))


def kinds_of(frame: dict[str, Any]) -> list[str]:
    if frame["type"] == "snapshot":
        return ["snapshot of a board" if "rows" in frame else "snapshot of " + frame["channel"].partition(":")[0]]
    if frame["type"] == "event":
        return ["event " + event["kind"] for event in frame["events"]]
    return [frame["type"]]


async def test_frames_of_each_kind_follow_the_schema(stream: Stream, issuer: Issuer) -> None:
    stream.behind.tournaments[TOURNAMENT_ID] = TOURNAMENT
    stream.behind.put("game:space-race", [3, 2, 1])
    async with stream.connect() as client:
        recorder = Recorder(client)
        await client.subscribe(
            "leaderboard", "leaderboard:global", "leaderboard:game:space-race", "score", "game", "tournament",
            f"tournament:{TOURNAMENT_ID}", f"loadtest:{RUN_ID}", f"player:{ME}", token=issuer.access_token(UUID(ME)),
        )  # fmt: skip
        await recorder.until(
            "subscribed", "snapshot of a board", "snapshot of score", "snapshot of game", "snapshot of tournament",
            "snapshot of player", "snapshot of loadtest",
        )  # fmt: skip
        version = stream.behind.put("global", [100, 200, 300])
        stream.source.scores({"global": ("e1", version)}, [submission(1), submission(2, rank=None)])
        stream.source.publish("tournament", {"change": "joined", "tournament": TOURNAMENT})
        stream.source.publish("game", {"change": "created", "game": {"id": "go"}})
        stream.source.publish("prize", {
            "tournament_id": TOURNAMENT_ID, "user_id": ME, "rank": 1, "amount": 5, "currency": "COIN",
        })  # fmt: skip
        for told in (
            {"kind": "run", "change": "preparing", "what": "players", "done": 1, "total": 2},
            {"kind": "second", **answers.told(second(0))},
            {"kind": "run", "change": "ended", "run": RUN},
        ):
            stream.source.publish("loadtest", {"id": RUN_ID, "event": told})
        await recorder.until("event second", "event run")
        await recorder.until("delta", *(f"event {kind}" for kind in ("score", "tournament", "game", "prize", "boards")))
        await client.say(type="ping")
        await client.say(type="unsubscribe", channels=["score"])
        await client.subscribe("nothing")
        await recorder.until("pong", "unsubscribed", "error")
        await recorder.until("heartbeat")


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "pong"},
        {"type": "delta", "channel": "leaderboard", "epoch": "e", "base": 1, "version": 2, "total": 0, "rows": []},
        {"type": "heartbeat", "at": "2026-11-23T12:00:00Z", "versions": {}},
        {"type": "heartbeat", "at": "2026-11-23T12:00:00.000000Z", "versions": {"score": [1, "e"]}},
        {"type": "snapshot", "channel": "x", "epoch": "e", "version": 1, "events": []},
        {"type": "error", "code": "oops", "detail": ""},
        {"type": "event", "channel": "score", "epoch": "e", "base": 0, "version": 1, "events": [{}], "skipped": 0},
    ],
)
def test_the_schema_refuses_what_is_none(frame: dict[str, Any]) -> None:
    assert not valid.is_valid(frame)


def test_the_page_and_the_schema_name_every_error() -> None:
    codes = {one.code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.Refusal)}
    assert set(SCHEMA["$defs"]["error"]["properties"]["code"]["enum"]) == codes
    table = PAGE.split("| error code |")[1].split("\n\n")[0]
    assert codes <= set(re.findall(r"`([a-z_]+)`", table))


def test_the_page_names_every_close_code_and_its_rule() -> None:
    table = PAGE.split("## Close codes")[1]
    lines = re.findall(r"^\| ([\d, ]{4,}) \|[^|]*\| ([^|]*) \|$", table, re.MULTILINE)
    rules = {int(code): rule for codes, rule in lines for code in codes.split(", ")}
    assert rules.keys() == {int(code) for code in Close}
    for code, rule in rules.items():
        assert rule.startswith("reconnect") is (reconnect_after(code) is not Reconnect.NEVER), code
