"""From what a client sent to what can be recorded: token, JSON, bounds, whose score it is.

The fast door takes what is remembered (tokens, rules) without awaiting; anything else goes through the slow one, which
learns what was missing. JSON is decoded once, by msgspec; only what it refuses is read again to tell 400 from 422.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from palio_kit.callers import Caller, UserTokens
from palio_kit.idempotency import check_key, fingerprint
from palio_kit.problems import FieldError, Invalid, MalformedJson, Problem, Unauthorized
from palio_kit.wire import read_json
from palio_score.book import USER_ID, Book
from palio_score.domain import Rules
from palio_score.errors import GameNotFound, ScoreOutOfBounds, UserNotFound
from palio_score.models import BatchBody, Entry, RawBatchBody, ScoreBody

T = TypeVar("T", bound=Struct)

BATCH_ROWS_MAX = 1000
_OWN_MAX = 100_000
_ROW_QUOTES = 10  # three keys and two texts; one more key, repeated or not, would need more
_BATCH_QUOTES = 2
_TRACEPARENT_CHARACTERS = 55

_score_decoder = msgspec.json.Decoder(ScoreBody)
_batch_decoder = msgspec.json.Decoder(BatchBody)
_raw_batch_decoder = msgspec.json.Decoder(RawBatchBody)


class Key(Struct, frozen=True, gc=False):
    """The idempotency key of one submission."""

    caller: str
    key: str
    fingerprint: bytes


class Play(Struct, gc=False):
    """A submission that may be recorded."""

    user_id: str
    rules: Rules
    score: int
    username: str
    trace_id: str | None = None
    key: Key | None = None


def decode_score(body: bytes) -> ScoreBody:
    """A single submission.

    Raises:
        MalformedJson: not JSON, or a key is repeated.
        Invalid: JSON of another shape, or a score that is no safe integer.
    """
    try:
        decoded = _score_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(body, error) from error
    if body.count(b'"') != _ROW_QUOTES:
        read_json(body)  # raises if a key is repeated
    return decoded


def decode_batch(body: bytes) -> list[ScoreBody | Problem]:
    """The rows of a batch, each decoded or what is wrong with it.

    Raises:
        MalformedJson, Invalid: the batch as a whole is wrong.
    """
    try:
        rows: list[ScoreBody | Problem] = list(_batch_decoder.decode(body).items)
        if body.count(b'"') != _BATCH_QUOTES + _ROW_QUOTES * len(rows):
            read_json(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        rows = _decode_rows(body)
    if not 1 <= len(rows) <= BATCH_ROWS_MAX:
        raise Invalid(errors=[FieldError("/items", f"must have 1 to {BATCH_ROWS_MAX} items")])
    return rows


def _decode_rows(body: bytes) -> list[ScoreBody | Problem]:
    read_json(body)
    try:
        raw = _raw_batch_decoder.decode(body).items
    except msgspec.DecodeError as error:
        raise _refused(body, error) from error
    return [_row_or_problem(bytes(row)) for row in raw]


def _row_or_problem(row: bytes) -> ScoreBody | Problem:
    try:
        return _score_decoder.decode(row)
    except msgspec.DecodeError as error:
        return _invalid(error)


def _refused(body: bytes, error: Exception) -> Problem:
    try:
        read_json(body)
    except MalformedJson as malformed:
        return malformed
    return _invalid(error)


def _invalid(error: Exception) -> Invalid:
    detail, _, path = str(error).partition(" - at `$")
    return Invalid(errors=[FieldError(path.rstrip("`").replace(".", "/"), detail.replace("`", ""))])


def trace_of(traceparent: str | None) -> str | None:
    """The trace id in a traceparent header."""
    return traceparent[3:35] if traceparent and len(traceparent) == _TRACEPARENT_CHARACTERS else None


class Intake:
    """Turns entries into plays."""

    def __init__(self, tokens: UserTokens, book: Book) -> None:
        self._tokens = tokens
        self._book = book
        self._own: dict[str, str] = {}

    def fast(self, entry: Entry) -> Play | None:
        """The play of an entry, or None if something has to be awaited for it.

        Raises:
            Problem: it can be told already that the entry is refused.
        """
        caller = self._tokens.remembered(entry.token)
        if caller is None:
            return None
        body = decode_score(entry.body)
        if body.user_id != (self._own.get(entry.token) or self._own_id(entry.token, caller)):
            return None
        rules = self._book.known_rules(body.game_id)
        if rules is None:
            return None
        return self._checked(entry, caller, Play(body.user_id, rules, body.score, caller.username))

    async def slow(self, entry: Entry) -> Play:
        """The play of an entry, with everything looked up.

        Raises:
            Problem: the entry is refused.
        """
        if not entry.token:
            raise Unauthorized
        caller = await self._tokens.caller(entry.token)
        body = decode_score(entry.body)
        user_id = str(caller.acting_as(_user_id(body.user_id)))
        rules = await self._book.rules(body.game_id)
        username = caller.username
        if user_id != str(caller.user_id):
            names = await self._book.names([user_id])
            if user_id not in names:
                raise UserNotFound
            username = names[user_id]
        return self._checked(entry, caller, Play(user_id, rules, body.score, username))

    async def batch(self, rows: Sequence[ScoreBody | Problem], trace_id: str) -> list[Play | Problem]:
        """The rows of a game server's batch.

        Raises:
            Unavailable: what has to be looked up cannot be.
        """
        users = {row.user_id for row in rows if isinstance(row, ScoreBody)}
        names = await self._book.names(users)
        rules: dict[str, Rules | None] = {}
        for game_id in {row.game_id for row in rows if isinstance(row, ScoreBody)}:
            try:
                rules[game_id] = await self._book.rules(game_id)
            except GameNotFound:
                rules[game_id] = None
        return [row if isinstance(row, Problem) else _row(row, rules[row.game_id], names, trace_id) for row in rows]

    def _own_id(self, token: str, caller: Caller) -> str:
        if len(self._own) >= _OWN_MAX:
            self._own.clear()
        own = self._own[token] = str(caller.user_id)
        return own

    def _checked(self, entry: Entry, caller: Caller, play: Play) -> Play:
        if not play.rules.score_min <= play.score <= play.rules.score_max:
            raise _out_of_bounds(play.rules)
        play.trace_id = trace_of(entry.traceparent)
        if entry.key is not None:
            own = self._own.get(entry.token) or self._own_id(entry.token, caller)
            play.key = Key(own, check_key(entry.key), fingerprint(entry.body))
        return play


def _row(row: ScoreBody, rules: Rules | None, names: Mapping[str, str], trace_id: str) -> Play | Problem:
    username = names.get(row.user_id)
    if username is None:
        return UserNotFound() if USER_ID.match(row.user_id) else _bad_user_id()
    if rules is None:
        return GameNotFound()
    if not rules.score_min <= row.score <= rules.score_max:
        return _out_of_bounds(rules)
    return Play(row.user_id, rules, row.score, username, trace_id)


def _out_of_bounds(rules: Rules) -> ScoreOutOfBounds:
    return ScoreOutOfBounds(errors=[FieldError("/score", f"must be from {rules.score_min} to {rules.score_max}")])


def _user_id(text: str) -> UUID:
    if USER_ID.match(text.lower()) is None:
        raise _bad_user_id()
    return UUID(text)


def _bad_user_id() -> Invalid:
    return Invalid(errors=[FieldError("/user_id", "must be a UUID")])
