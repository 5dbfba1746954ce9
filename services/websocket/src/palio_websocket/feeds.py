"""Feeds: what happens, told in order. Each keeps its last events, its own history (epoch) and its own count (version).

Events may be lost on the way here (pub/sub loses silently). Then every feed begins a new history, filled again from
where that is possible, and its followers get a snapshot: nobody ever sees a gap as if there were none.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from typing_extensions import override

from palio_kit.events import Envelope
from palio_kit.http import Peer
from palio_kit.logs import logger
from palio_kit.problems import NotFound, Problem
from palio_kit.times import rfc3339
from palio_websocket import frames, metrics
from palio_websocket.alarms import Alarm
from palio_websocket.channels import Source
from palio_websocket.domain import EVENTS_MAX, ChannelName, Pace, Ring
from palio_websocket.epochs import Epochs
from palio_websocket.errors import UnknownChannel
from palio_websocket.hub import Hub, Sources
from palio_websocket.sockets import Sockets

log = logger(__name__)

SCORE, TOURNAMENT, GAME = "score", "tournament", "game"
UNKNOWN = "Unknown player"
DELETED = "Deleted player"

_AWAY_S = 1.0
_REFILLS_AT_ONCE = 8


@dataclass(slots=True)
class Feed(Source):
    """One feed. `tournament` is the state of the tournament it is about (JSON), if it is about one."""

    name: ChannelName
    ring: Ring
    tournament: bytes | None = None
    is_known: bool = True
    """Whether a snapshot can be told: False until a tournament's state is there."""
    is_void: bool = False
    """Whether events may have been lost since the history began."""
    arrived: int = 0
    noticed_at: float | None = None

    @override
    def snapshot(self, name: ChannelName) -> bytes | None:
        return frames.feed_snapshot(name, self.ring, self.tournament) if self.is_known else None

    @override
    def told(self) -> tuple[str, int] | None:
        return (self.ring.epoch, self.ring.version) if self.is_known else None

    def add(self, event: bytes, at: float) -> None:
        """Something happened."""
        self.ring.add(event)
        self.arrived += 1
        self.noticed_at = self.noticed_at or at


@dataclass(slots=True)
class Feeds(Sources):
    """The three feeds of all, and those of single tournaments, players and runs of load somebody follows."""

    hub: Hub
    sockets: Sockets
    epochs: Epochs
    score: Peer
    tournament: Peer
    interval_s: float
    _feeds: dict[str, Feed] = field(init=False, default_factory=dict)
    _pace: Pace = field(init=False)
    _refills: set[str] = field(init=False, default_factory=lambda: {SCORE})
    _news: Alarm = field(init=False, default_factory=Alarm)
    _lacking: Alarm = field(init=False, default_factory=Alarm)

    def __post_init__(self) -> None:
        self._pace = Pace(self.interval_s)
        for name in (ChannelName(SCORE, "score"), ChannelName(TOURNAMENT, "tournament"), ChannelName(GAME, "game")):
            self._feeds[name.text] = Feed(name, Ring(self.epochs.new()))
        self._lacking.ring()

    @override
    def open(self, name: ChannelName) -> Feed:
        feed = self._feeds.get(name.text)
        if feed is None:
            is_known = name.family != "tournament"
            feed = self._feeds[name.text] = Feed(name, Ring(self.epochs.new()), is_known=is_known)
            if not is_known:
                self._refill(name.text)
        return feed

    @override
    def close(self, name: ChannelName) -> None:
        if name.key:
            self._feeds.pop(name.text, None)
            self._pace.forget(name.text)
            self._refills.discard(name.text)

    def happened(self, envelope: Envelope) -> None:
        """Take what an event says to the feeds it concerns."""
        data: Mapping[str, Any] = envelope.data
        if envelope.kind == "scores":
            for submission in data["submissions"]:
                self._score(submission, envelope.time)
        elif envelope.kind == "tournament":
            self._tournament(data, envelope)
        elif envelope.kind == "prize":
            self._add(f"player:{data['user_id']}", _event("prize", envelope, data), envelope.time)
        elif envelope.kind == "game":
            self._add(GAME, _event("game", envelope, data), envelope.time)
        elif envelope.kind == "loadtest":
            event = dict(data["event"])
            self._add(f"loadtest:{data['id']}", _event(event.pop("kind"), envelope, event), envelope.time)
        elif envelope.kind == "account":
            self._forget(set(data["user_ids"]))

    def lost(self) -> None:
        """Something may have been missed: new histories, filled again where that is possible."""
        metrics.EVENTS_LOST.inc()
        for text, feed in list(self._feeds.items()):
            if text == SCORE or (feed.name.family == "tournament" and feed.name.key):
                feed.is_void = True
                self._refill(text)
            else:
                self._restart(feed)

    async def tell_step(self) -> float:
        """Wait until some feeds may be told, and tell them."""
        await self._news.sleep(self._pace.wait_s(time.monotonic()))
        for name in self._pace.take(time.monotonic()):
            if (feed := self._feeds.get(name)) is not None:
                self._tell(feed)
        return 0.0

    async def refill_step(self) -> float:
        """Wait until some feeds lack their past, and get it; a service that fails is asked again a second later."""
        await self._lacking.sleep(None)
        while self._refills:
            batch = sorted(self._refills)[:_REFILLS_AT_ONCE]  # the scores before the tournaments
            got = await asyncio.gather(*(self._refilled(text) for text in batch))
            self._refills.difference_update(text for text, done in zip(batch, got, strict=True) if done)
            if not all(got):
                self._lacking.ring()
                return _AWAY_S
        return 0.0

    async def _refilled(self, text: str) -> bool:
        try:
            await (self._refill_scores() if text == SCORE else self._refill_tournament(text))
        except (Problem, msgspec.MsgspecError, KeyError, TypeError) as error:
            log.warning("feed_not_refilled", feed=text.partition(":")[0], error=repr(error))
            feed = self._feeds.get(text)
            if feed is not None and feed.is_void and feed.is_known:
                self._restart(feed)
            return False
        return True

    def _score(self, submission: Mapping[str, Any], at: float) -> None:
        event = _score_event(submission)
        self._add(SCORE, event, at)
        self._add(f"player:{submission['user_id']}", event, at)

    def _tournament(self, data: Mapping[str, Any], envelope: Envelope) -> None:
        event = _event("tournament", envelope, data)
        self._add(TOURNAMENT, event, envelope.time)
        own = self._feeds.get(f"tournament:{data['tournament']['id']}")
        if own is not None:
            own.tournament = frames.encode(data["tournament"])
            self._add(own.name.text, event, envelope.time)

    def _add(self, name: str, event: bytes, at: float) -> None:
        feed = self._feeds.get(name)
        if feed is not None:
            feed.add(event, at)
            self._pace.mark(name, time.monotonic())
            self._news.ring()

    def _forget(self, erased: Set[str]) -> None:
        """Name these users in nothing that is kept; who has heard it gets a new history."""
        for name in (SCORE, *(f"player:{user_id}" for user_id in erased)):
            feed = self._feeds.get(name)
            if feed is not None and (kept := feed.ring.all()) != (nameless := _nameless(kept, erased)):
                self._restart(feed, nameless)

    def _tell(self, feed: Feed) -> None:
        told = feed.ring.tell()
        channel = self.hub.find(feed.name.text)
        if told is None or channel is None:
            feed.noticed_at = None
            return
        metrics.EVENTS_SKIPPED.inc(told.skipped)
        channel.tell(frames.events(feed.name, feed.ring.epoch, told), "event")
        if feed.noticed_at is not None:
            metrics.FRESHNESS.labels(feed.name.family).observe(max(0.0, time.time() - feed.noticed_at))
            feed.noticed_at = None

    def _refill(self, text: str) -> None:
        self._refills.add(text)
        self._lacking.ring()

    def _restart(self, feed: Feed, events: "list[bytes] | None" = None) -> None:
        feed.ring.restart(self.epochs.new(), events)
        feed.is_void = False
        feed.noticed_at = None
        channel = self.hub.find(feed.name.text)
        if channel is not None:
            channel.restart()

    async def _refill_scores(self) -> None:
        """The newest submissions; those that were heard of live know their ranks too, so they win."""
        feed = self._feeds[SCORE]
        answer = await self.score.call("GET", f"/internal/v1/recent?limit={EVENTS_MAX}", safe_to_repeat=True)
        erased = {item["user_id"] for item in answer["items"] if item["username"] == DELETED}
        at_hand = feed.ring.all()
        recent = {item["submission_id"]: _score_event(item) for item in reversed(answer["items"])}
        merged = sorted((recent | {_submission_id(event): event for event in at_hand}).values(), key=_at)[-EVENTS_MAX:]
        merged = _nameless(merged, erased)
        if feed.is_void or merged != at_hand[-EVENTS_MAX:]:
            self._restart(feed, merged)

    async def _refill_tournament(self, text: str) -> None:
        feed = self._feeds.get(text)
        if feed is None:
            return
        arrived = feed.arrived
        try:
            state = await self.tournament.call("GET", f"/api/v1/tournaments/{feed.name.key}", safe_to_repeat=True)
        except Problem as problem:
            if problem.status != NotFound.status:
                raise
            metrics.ERRORS.labels(UnknownChannel.code).inc()
            self.sockets.drop(text, frames.error(UnknownChannel.code, UnknownChannel.detail, text))
            return
        if self._feeds.get(text) is not feed:
            return
        if feed.arrived == arrived or feed.tournament is None:
            feed.tournament = frames.encode(state)
        feed.is_known = True
        self._restart(feed)


class _Past(msgspec.Struct):
    submission_id: str
    at: str


class _Player(msgspec.Struct):
    user_id: str


_read_player = msgspec.json.Decoder(_Player).decode
_read_past = msgspec.json.Decoder(_Past).decode


def _submission_id(event: bytes) -> str:
    return _read_past(event).submission_id


def _at(event: bytes) -> str:
    return _read_past(event).at


def _score_event(submission: Mapping[str, Any]) -> bytes:
    """A submission, as the score service tells it, as an event."""
    told = {key: value for key, value in submission.items() if key != "accepted_at"}
    told |= {"trace_id": told.get("trace_id") or "", "username": told.get("username") or UNKNOWN}
    return frames.encode({"kind": "score", "at": submission["accepted_at"], **told})


def _nameless(events: Sequence[bytes], erased: Set[str]) -> list[bytes]:
    """The same events (of scores, or a player's), naming none of these users."""
    return [_renamed(event) if _read_player(event).user_id in erased else event for event in events]


def _renamed(event: bytes) -> bytes:
    told = msgspec.json.decode(event)
    return frames.encode(told | {"username": DELETED}) if "username" in told else event


def _event(kind: str, envelope: Envelope, data: Mapping[str, Any]) -> bytes:
    at = rfc3339(datetime.fromtimestamp(envelope.time, UTC))
    return frames.encode({"kind": kind, "at": at, "trace_id": envelope.trace_id, **data})
