"""Group commit: what waits becomes one transaction, one round trip to Redis, one event; then each gets its answer.

The order is the promise: PostgreSQL has committed before Redis hears of it, and Redis has answered (or is away) before
the client does. What fails before the commit did not happen; what fails after it is healed by the note the flush left.
"""

import asyncio
import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg.pgproto import pgproto
from msgspec import Struct

from palio_kit.idempotency import KeyInFlight, KeyReused
from palio_kit.ids import new_id
from palio_kit.logs import logger
from palio_kit.orderings import to_microseconds
from palio_kit.postgres import Connection
from palio_kit.problems import OutcomeUnknown, Problem, Unavailable
from palio_kit.redis import RedisAway
from palio_kit.times import rfc3339
from palio_score import metrics
from palio_score.boards import READY, Applied, Boards, Load, pack_seats
from palio_score.domain import Board, Place, RankChange, Seat, Sheet, acceptance_times, submission_id, written
from palio_score.intake import Play
from palio_score.models import Accepted, Ranks, Reply, ScoreNews
from palio_score.news import NEWS_MAX, News
from palio_score.rebuilds import Rebuilds
from palio_score.store import Claim, Flush, Kept, KeyedAnswer, NewSubmission, Store, Submission

log = logger(__name__)

_FORGET_MAX = 500
_CREATED = 201
_LOOK_AGAIN = 3
_LOOK_AGAIN_S = 0.2

_encode = msgspec.json.Encoder().encode


class Scored(Struct, gc=False):
    """One submission with what the flush gave it."""

    play: Play
    submission_id: str
    accepted_at: datetime
    accepted_text: str
    place: Place
    counted: bool
    tournaments: dict[str, Seat]


@dataclass(slots=True)
class Record:
    """One flush. `taken` holds plays whose key was used before, by their index, and what is kept there."""

    flush_id: UUID
    sheet: Sheet
    scored: list[Scored]
    taken: Mapping[int, Kept | None] = field(default_factory=dict)
    boards: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def is_new(self) -> bool:
        """Whether anything was recorded: not if all were repeated requests."""
        return len(self.taken) < len(self.scored)

    def fresh(self) -> list[Scored]:
        """What this flush recorded, in order."""
        if not self.taken:
            return self.scored
        return [scored for index, scored in enumerate(self.scored) if index not in self.taken]

    def play(self) -> None:
        """Bring every submission that is not a repeated one to its seats."""
        for scored in self.fresh():
            effort = (scored.play.score, scored.accepted_at)
            scored.place.game.efforts.append(effort)
            scored.tournaments = scored.place.tournaments(scored.accepted_at)
            for seat in scored.tournaments.values():
                seat.efforts.append(effort)

    def count(self) -> None:
        """Tell each submission whether it counted, now that its seats know what stood before."""
        counted: dict[int, Iterator[bool]] = {}
        for scored in self.fresh():
            game = scored.place.game
            if len(game.efforts) == 1 and not scored.tournaments:  # nearly always
                scored.counted = game.changed
                continue
            seats = (game, *scored.tournaments.values())
            on_boards = [next(counted.setdefault(id(seat), iter(seat.counted()))) for seat in seats]
            scored.counted = any(on_boards)


class Flusher:
    """Records plays and answers for them."""

    def __init__(self, store: Store, boards: Boards, rebuilds: Rebuilds, news: News) -> None:
        self._store = store
        self._boards = boards
        self._rebuilds = rebuilds
        self._news = news
        self._applied: list[UUID] = []

    async def flush(self, calls: Sequence[Sequence[Play]]) -> list[list[Reply]]:
        """Record the plays of several calls at once; each call gets its replies, in order."""
        replies = iter(await self._replies([play for call in calls for play in call]))
        return [[next(replies) for _ in call] for call in calls]

    async def record_within(self, connection: Connection, plays: Sequence[Play]) -> Record:
        """Record plays in a transaction that is open already; its owner calls `show` after the commit."""
        return await _record(await self._store.flush_within(connection), plays, [])

    async def show(self, record: Record, *, ranked: bool) -> None:
        """Bring a committed flush to Redis and to whoever listens; never fails, what is missing is healed later."""
        _tally(record)
        if not record.is_new:
            return
        try:
            with metrics.BOARDS_SECONDS.time():
                await self._apply(record, ranked=ranked)
        except (RedisAway, Unavailable) as error:
            log.debug("boards_not_reached", error=str(error))
        else:
            self._applied.append(record.flush_id)
        self._news.tell(record.boards, _latest(record))

    def take_applied(self) -> list[UUID]:
        """The flushes that Redis has and whose notes are still there; whoever takes them removes the notes."""
        applied, self._applied = self._applied[:_FORGET_MAX], self._applied[_FORGET_MAX:]
        return applied

    def give_back(self, applied: Iterable[UUID]) -> None:
        """Their notes were not removed."""
        self._applied.extend(applied)

    async def _replies(self, plays: list[Play]) -> list[Reply]:
        try:
            record = await self._commit(plays)
        except OutcomeUnknown as problem:
            return await self._after_unknown(plays, problem)
        except Problem as problem:
            return [refusal(problem, play.trace_id) for play in plays]
        await self.show(record, ranked=True)
        return await self._answer(record)

    async def _commit(self, plays: Sequence[Play]) -> Record:
        applied = self.take_applied()
        try:
            with metrics.COMMIT_SECONDS.time():
                async with self._store.flush() as flush:
                    record = await _record(flush, plays, applied)
        except BaseException:
            self.give_back(applied)
            raise
        if not record.is_new:
            self.give_back(applied)
        return record

    async def _apply(self, record: Record, *, ranked: bool) -> None:
        groups = _by_board(record.sheet, changed_only=not ranked)
        loads = [_load(board, seats, ranked=ranked) for board, seats in groups]
        for (board, seats), load, applied in zip(groups, loads, await self._boards.apply(loads), strict=True):
            if applied.state != READY:
                applied = await self._after_rebuild(load, applied)  # noqa: PLW2901 - the better answer
            if applied.state == READY:
                record.boards[board.name] = (applied.epoch, applied.version)
                _rank(board, seats, applied)

    async def _after_rebuild(self, load: Load, applied: Applied) -> Applied:
        """A small board that is missing is built at once, so that a new game's first score has its rank."""
        if await self._rebuilds.small(load.board, missing=not applied.state):
            [applied] = await self._boards.apply([load])
        if applied.state != READY:
            self._rebuilds.request(load.board.name)
        return applied

    async def _answer(self, record: Record) -> list[Reply]:
        replies, answers = [], []
        for index, scored in enumerate(record.scored):
            if index in record.taken:
                replies.append(await self._replay(scored.play, record.taken[index]))
                continue
            body = _encode(_accepted(scored))
            replies.append(Reply(201, body))
            if scored.play.key is not None:
                answers.append(_keyed(_claim(scored), body))
        if not await self._kept(answers):
            return [_unkept(reply, scored.play) for reply, scored in zip(replies, record.scored, strict=True)]
        return replies

    async def _kept(self, answers: Sequence[KeyedAnswer]) -> bool:
        """Keep answers under their keys. Nobody may see one that is not kept: a replay could not repeat it."""
        if answers:
            try:
                await self._store.keep_bodies(answers)
            except Unavailable as problem:
                log.warning("answers_not_kept", count=len(answers), error=problem.code)
                return False
        return True

    async def _replay(self, play: Play, kept: Kept | None) -> Reply:
        assert play.key is not None
        if kept is None or (not kept.body and kept.young):
            return refusal(KeyInFlight(), play.trace_id)
        if kept.fingerprint != play.key.fingerprint:
            return refusal(KeyReused(), play.trace_id)
        if kept.body:
            return Reply(kept.status, kept.body, 0, replayed=True)
        return await self._anew(play, kept, replayed=True)

    async def _anew(self, play: Play, kept: Kept, *, replayed: bool) -> Reply:
        """Answer for a submission whose first answer was lost."""
        assert play.key is not None
        assert kept.submission_id is not None
        try:
            submission = (await self._store.submissions([kept.submission_id]))[kept.submission_id]
        except Problem as problem:
            return refusal(problem, play.trace_id)
        body = _encode(_accepted_before(submission, replayed=replayed))
        key = play.key
        claim = Claim(key.caller, key.key, key.fingerprint.hex(), str(submission.submission_id))
        reply = Reply(201, body, 0, replayed=replayed)
        return reply if await self._kept([_keyed(claim, body)]) else refusal(OutcomeUnknown(), play.trace_id)

    async def _after_unknown(self, plays: Sequence[Play], problem: OutcomeUnknown) -> list[Reply]:
        """The commit was sent and no answer came: a key that is there proves that it happened."""
        keyed = [play for play in plays if play.key is not None]
        found = dict(zip(map(id, keyed), await self._look_again(keyed), strict=True))
        return [await self._definite(play, found.get(id(play)), problem) for play in plays]

    async def _definite(self, play: Play, kept: Kept | None, problem: OutcomeUnknown) -> Reply:
        if kept is None:
            return refusal(problem, play.trace_id)
        if kept.body or (play.key and kept.fingerprint != play.key.fingerprint):
            return await self._replay(play, kept)
        return await self._anew(play, kept, replayed=False)

    async def _look_again(self, keyed: Sequence[Play]) -> list[Kept | None]:
        keys = [play.key for play in keyed if play.key is not None]
        for _ in range(_LOOK_AGAIN if keys else 0):
            try:
                return await self._store.find_keys([key.caller for key in keys], [key.key for key in keys])
            except Unavailable:
                await asyncio.sleep(_LOOK_AGAIN_S)  # until the pool can connect again
        return [None] * len(keyed)


def refusal(problem: Problem, trace_id: str | None) -> Reply:
    """A problem as a reply."""
    return Reply(problem.status, problem.body(trace_id or ""), problem.retry_after_s or 0)


def _unkept(reply: Reply, play: Play) -> Reply:
    """What to answer in the place of a reply whose bytes could not be kept."""
    if play.key is None or reply.status != _CREATED or reply.replayed:
        return reply
    return refusal(OutcomeUnknown(), play.trace_id)


async def _record(flush: Flush, plays: Sequence[Play], applied: Sequence[UUID]) -> Record:
    sheet = Sheet((play.rules, play.user_id) for play in plays)
    now = await flush.read(sheet)
    record = Record(new_id(), sheet, _drafts(plays, sheet, now))
    claims = {index: _claim(scored) for index, scored in enumerate(record.scored) if scored.play.key is not None}
    if claims:
        record.taken = await flush.claim(claims)
    if not record.is_new:
        return record
    record.play()
    await flush.take(sheet)
    record.count()
    submissions = [_submission(scored) for scored in record.fresh()]
    await flush.record(submissions, sheet.changed(), flush_id=record.flush_id, applied=applied)
    return record


def _tally(record: Record) -> None:
    counted = sum(scored.counted for scored in record.fresh())
    metrics.COUNTED.inc(counted)
    metrics.KEPT.inc(len(record.scored) - len(record.taken) - counted)
    metrics.REPEATED.inc(len(record.taken))


def _drafts(plays: Sequence[Play], sheet: Sheet, now: datetime) -> list[Scored]:
    # asyncpg's own UUID type is made and printed in C.
    first_us, places = to_microseconds(now), sheet.places
    randomness = struct.unpack(f">{len(plays)}Q", os.urandom(8 * len(plays)))
    times = acceptance_times(now, len(plays))
    texts = written(times)
    return [
        Scored(
            play, str(pgproto.UUID(submission_id(first_us + index, randomness[index]))), times[index], texts[index],
            places[play.rules.game_id, play.user_id], False, {},
        )
        for index, play in enumerate(plays)
    ]  # fmt: skip


def _submission(scored: Scored) -> NewSubmission:
    play = scored.play
    return NewSubmission(
        scored.submission_id, play.user_id, play.rules.game_id, play.score, scored.accepted_at, scored.counted
    )


def _claim(scored: Scored) -> Claim:
    key = scored.play.key
    assert key is not None
    return Claim(key.caller, key.key, key.fingerprint.hex(), scored.submission_id)


def _keyed(claim: Claim, body: bytes) -> KeyedAnswer:
    return KeyedAnswer(claim.caller, claim.key, claim.fingerprint, claim.submission_id, body.decode())


def _by_board(sheet: Sheet, *, changed_only: bool) -> list[tuple[Board, list[Seat]]]:
    groups: dict[str, list[Seat]] = defaultdict(list)
    for seat in sheet.changed() if changed_only else (*sheet.played(), *sheet.overall.values()):
        groups[seat.board.name].append(seat)
    return [(seats[0].board, seats) for seats in groups.values()]


def _rank(board: Board, seats: Sequence[Seat], applied: Applied) -> None:
    """Give seats their ranks. Who had no standing before had no rank, whatever a rebuild in between has seen."""
    for seat, change in zip(seats, applied.rank_changes(board), strict=False):
        first = seat.now is not None and seat.held is None
        seat.rank = RankChange(change.score, change.rank, None) if first and change else change


def _load(board: Board, seats: Sequence[Seat], *, ranked: bool) -> Load:
    return Load(board, pack_seats(seats, more_is_better=board.more_is_better), ranked=ranked)


def _accepted(scored: Scored) -> Accepted:
    play, place = scored.play, scored.place
    tournaments = {tournament_id: seat.rank for tournament_id, seat in scored.tournaments.items()}
    overall = place.overall.rank if place.overall is not None else None
    known = place.game.rank is not None or overall is not None or any(tournaments.values())
    return Accepted(
        scored.submission_id, play.user_id, play.rules.game_id, play.score, scored.accepted_text, scored.counted,
        Ranks(place.game.rank, overall, tournaments) if known else None,
    )  # fmt: skip


def _accepted_before(submission: Submission, *, replayed: bool) -> Accepted:
    return Accepted(
        str(submission.submission_id), str(submission.user_id), submission.game_id, submission.score,
        rfc3339(submission.accepted_at), submission.counted, None, replayed,
    )  # fmt: skip


def _latest(record: Record) -> list[ScoreNews]:
    return [_piece_of_news(scored) for scored in record.fresh()[-NEWS_MAX:]]


def _piece_of_news(scored: Scored) -> ScoreNews:
    play, rank = scored.play, scored.place.game.rank
    return ScoreNews(
        scored.submission_id, play.user_id, play.username, play.rules.game_id, play.score, scored.counted,
        scored.accepted_text, rank.rank if rank else None, rank.previous_rank if rank else None, play.trace_id,
    )  # fmt: skip
