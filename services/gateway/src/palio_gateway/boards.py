"""Board reads: concurrent reads travel to the leaderboard service in one call, equal ones once.

A read that arrives while a call is in flight waits for the next one: nobody is shown a board from before he asked.
"""

from collections.abc import Sequence

from palio_gateway.domain import BoardRead, parse_board_read, route_of
from palio_gateway.settings import Settings
from palio_kit.asgi import JSON, Receive, Scope, Send, headers_of, respond
from palio_kit.batching import Batcher
from palio_kit.http import Peer
from palio_kit.problems import CONTENT_TYPE, Problem, Unavailable

Read = tuple[str, str, str | None, int, str | None, str | None]
"""Kind, board, user id, size, cursor, If-None-Match (architecture.md, section 5)."""

Answer = tuple[int, bytes, str]
"""Status, body, ETag."""

_PATH = "/internal/v1/reads"
_PROBLEM = CONTENT_TYPE.encode()
_NOT_MODIFIED = 304
_ERROR_STATUS = 400
_ETAG_BYTES_MAX = 512
_REVALIDATE = (b"cache-control", b"no-cache")
_NO_STORE = (b"cache-control", b"no-store")
_RETRY = (b"retry-after", b"1")


class Boards:
    """The hot handler and its batches."""

    def __init__(self, settings: Settings, leaderboard: Peer) -> None:
        self._leaderboard = leaderboard
        self._timeout_s = settings.batch_timeout_s
        self._batcher: Batcher[Read, Answer] = Batcher(
            "reads",
            self._flush,
            items_max=settings.batch_items_max,
            wait_max_ms=settings.batch_wait_ms,
            flushes_max=settings.batch_flushes_max,
            queue_max=settings.batch_queue_max,
            age_max_s=settings.batch_timeout_s,
        )

    async def handle(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer one read.

        Raises:
            Problem: as anybody may be told.
        """
        read: BoardRead = parse_board_read(scope["path"], scope["query_string"])
        scope["palio.route"] = route_of(read)
        known = headers_of(scope).get(b"if-none-match")
        etag_known = known.decode("latin-1") if known and len(known) <= _ETAG_BYTES_MAX else None
        status, body, etag = await self._batcher.submit((*read, etag_known))
        if status == _NOT_MODIFIED:
            await _not_modified(send, etag)
        elif status < _ERROR_STATUS:
            await respond(send, status, body, content_type=JSON, headers=[(b"etag", etag.encode()), _REVALIDATE])
        else:
            later = [_RETRY] if status == Unavailable.status else []
            await respond(send, status, body, content_type=_PROBLEM, headers=[_NO_STORE, *later])

    async def close(self) -> None:
        """Send what waits."""
        await self._batcher.close()

    async def _flush(self, batch: Sequence[Read]) -> Sequence[Answer]:
        unique = list(dict.fromkeys(batch))
        try:
            answers: Sequence[Answer] = await self._leaderboard.call_packed(
                _PATH, unique, kind=list[Answer], safe_to_repeat=True, within_s=self._timeout_s
            )
        except Problem as problem:
            raise Unavailable("The leaderboard service is away for now.") from problem
        if len(answers) != len(unique):
            raise Unavailable("The leaderboard service's answer was not understood.")
        if len(unique) == len(batch):
            return answers
        answered = dict(zip(unique, answers, strict=True))
        return [answered[read] for read in batch]


async def _not_modified(send: Send, etag: str) -> None:
    headers = [(b"etag", etag.encode()), _REVALIDATE]
    await send({"type": "http.response.start", "status": _NOT_MODIFIED, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
