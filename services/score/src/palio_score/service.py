"""The use cases: submit one or many, a game server's batch, the history, what is newest, a rebuild."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import msgspec

from palio_kit import tracing
from palio_kit.batching import Batcher
from palio_kit.callers import Caller
from palio_kit.idempotency import Idempotency, Keyed, KeyInFlight, Outcome
from palio_kit.paging import decode_cursor, encode_cursor
from palio_kit.postgres import Connection
from palio_kit.problems import Problem, Unavailable
from palio_kit.times import rfc3339
from palio_kit.wire import Page
from palio_score import metrics
from palio_score.book import Book
from palio_score.errors import BoardNotFound
from palio_score.flushes import Flusher, Record, Scored, refusal
from palio_score.intake import Intake, Play, decode_batch, trace_of
from palio_score.models import BatchAnswer, BatchRow, Entry, Reply, ScoreNews, SubmissionItem
from palio_score.news import News
from palio_score.rebuilds import Rebuilds
from palio_score.store import Store, Submission

_BATCHES_RUNNING_MAX = 4
_BATCHES_MAX = 64
_LAST_ID = UUID(int=2**128 - 1)

Flush = Callable[[Sequence[Sequence[Play]]], Awaitable[Sequence[list[Reply]]]]


class Submissions:
    """Single submissions, alone or many in one internal call."""

    def __init__(self, intake: Intake, batcher: Batcher[list[Play], list[Reply]]) -> None:
        self._intake = intake
        self._batcher = batcher
        self._in_flight: set[tuple[str, str]] = set()

    async def submit(self, entries: Sequence[Entry]) -> list[Reply]:
        """Submit all of them; each gets its own answer, in order."""
        plays: list[Play] = []
        try:
            answers = await self._take_in(entries, plays)
            replies = iter(await self._flush(plays))
        finally:
            self._in_flight.difference_update((play.key.caller, play.key.key) for play in plays if play.key is not None)
        return [next(replies) if answer is None else answer for answer in answers]

    async def _take_in(self, entries: Sequence[Entry], plays: list[Play]) -> list[Reply | None]:
        """The refusals, with None for each that became a play."""
        answers: list[Reply | None] = []
        away: Unavailable | None = None
        for entry in entries:
            try:
                play = self._intake.fast(entry)
                if play is None:
                    if away is not None:  # what could not be looked up for one is not waited for again
                        raise away
                    play = await self._intake.slow(entry)
                self._enter(play)
            except Problem as problem:
                metrics.REFUSED.inc()
                away = problem if isinstance(problem, Unavailable) else away
                answers.append(refusal(problem, trace_of(entry.traceparent)))
            else:
                plays.append(play)
                answers.append(None)
        return answers

    async def _flush(self, plays: list[Play]) -> list[Reply]:
        if not plays:
            return []
        try:
            return await self._batcher.submit(plays)
        except Problem as problem:
            return [refusal(problem, play.trace_id) for play in plays]

    def _enter(self, play: Play) -> None:
        """A twin in this process need not wait for the database to be told so."""
        if play.key is None:
            return
        twin = (play.key.caller, play.key.key)
        if twin in self._in_flight:
            raise KeyInFlight
        self._in_flight.add(twin)


class Batches:
    """Game servers' batches: one transaction each, beside the hot path; a few at a time, so that it keeps its share."""

    def __init__(self, intake: Intake, flusher: Flusher, idempotency: Idempotency) -> None:
        self._intake = intake
        self._flusher = flusher
        self._idempotency = idempotency
        self._places = asyncio.Semaphore(_BATCHES_RUNNING_MAX)
        self._inside = 0

    async def submit(self, caller: Caller, body: bytes, keyed: Keyed) -> Outcome:
        """Record what can be recorded of a batch.

        Raises:
            Forbidden: the caller is no game server.
            MalformedJson, Invalid: the batch as a whole is wrong.
            KeyReused, KeyInFlight: see the idempotency keys.
            Unavailable, OutcomeUnknown: as everywhere.
        """
        caller.require("server")
        if self._inside >= _BATCHES_MAX:
            raise Unavailable("Enough batches are waiting already.")
        self._inside += 1
        try:
            async with self._places:
                return await self._submit(caller, body, keyed)
        finally:
            self._inside -= 1

    async def _submit(self, caller: Caller, body: bytes, keyed: Keyed) -> Outcome:
        trace_id = tracing.current().trace_id
        rows = await self._intake.batch(decode_batch(body), trace_id)
        metrics.REFUSED.inc(sum(isinstance(row, Problem) for row in rows))
        return await self._record(str(caller.user_id), rows, keyed, trace_id)

    async def _record(self, caller: str, rows: Sequence[Play | Problem], keyed: Keyed, trace_id: str) -> Outcome:
        plays = [row for row in rows if isinstance(row, Play)]
        records: list[Record] = []

        async def effect(connection: Connection) -> Outcome:
            scored: Sequence[Scored] = []
            if plays:
                records[:] = [await self._flusher.record_within(connection, plays)]
                scored = records[0].scored
            return Outcome(200, _batch_answer(rows, scored, trace_id))

        outcome = await self._idempotency.run(caller, keyed, effect)
        if records and not outcome.replayed:
            await self._flusher.show(records[0], ranked=False)
        return outcome


class History:
    """What was submitted."""

    def __init__(self, store: Store, news: News) -> None:
        self._store = store
        self._news = news

    async def page(self, user_id: UUID, game_id: str | None, cursor: str | None, limit: int) -> Page[SubmissionItem]:
        """A page of a player's submissions, newest first.

        Raises:
            BadCursor: the cursor is none of ours.
        """
        before = decode_cursor(cursor, UUID) if cursor else _LAST_ID
        found = await self._store.history(user_id, game_id, before, limit + 1)
        items = [_item(submission) for submission in found[:limit]]
        more = len(found) > limit
        return Page(items=items, next_cursor=encode_cursor(found[limit - 1].submission_id) if more else None)

    async def recent(self, limit: int) -> list[ScoreNews]:
        """The newest submissions of all players, with the ranks of those that this process has told of."""
        told = {news.submission_id: news for news in self._news.told}
        found = await self._store.recent(limit)
        return [told.get(str(one.submission_id)) or _old_news(one, username) for one, username in found]


class Repairs:
    """Boards that somebody found missing or wrong."""

    def __init__(self, book: Book, rebuilds: Rebuilds) -> None:
        self._book = book
        self._rebuilds = rebuilds

    async def rebuild(self, board: str, *, drifted: bool) -> None:
        """Have the board rebuilt; one that did not drift only if it is not whole by then.

        Raises:
            BoardNotFound: there is none of that name.
        """
        if await self._book.board(board) is None:
            raise BoardNotFound
        self._rebuilds.request(board, even_ready=drifted)


def _batch_answer(rows: Sequence[Play | Problem], scored: Sequence[Scored], trace_id: str) -> bytes:
    recorded = iter(scored)
    items = [
        _refused_row(index, row, trace_id) if isinstance(row, Problem) else _batch_row(index, next(recorded))
        for index, row in enumerate(rows)
    ]
    return msgspec.json.encode(BatchAnswer(items, len(scored), len(rows) - len(scored)))


def _batch_row(index: int, scored: Scored) -> BatchRow:
    return BatchRow(
        index, 201, scored.submission_id, scored.play.user_id, scored.play.rules.game_id, scored.play.score,
        scored.accepted_text, scored.counted,
    )  # fmt: skip


def _refused_row(index: int, problem: Problem, trace_id: str) -> msgspec.Raw:
    return msgspec.Raw(b'{"index":%d,%s' % (index, problem.body(trace_id)[1:]))


def _old_news(submission: Submission, username: str) -> ScoreNews:
    return ScoreNews(
        str(submission.submission_id), str(submission.user_id), username, submission.game_id, submission.score,
        submission.counted, rfc3339(submission.accepted_at), None, None, None,
    )  # fmt: skip


def _item(submission: Submission) -> SubmissionItem:
    return SubmissionItem(
        submission_id=str(submission.submission_id), user_id=str(submission.user_id), game_id=submission.game_id,
        score=submission.score, accepted_at=submission.accepted_at, counted=submission.counted,
    )  # fmt: skip
