"""`POST /api/v1/scores`: concurrent submissions of all callers travel to the score service in one call.

The body is not looked at here: who may submit what is decided where the score is stored.
"""

from collections.abc import Sequence

from palio_gateway.admission import Admission
from palio_gateway.edge import BEARER
from palio_gateway.settings import Settings
from palio_kit import tracing
from palio_kit.asgi import JSON, Receive, Scope, Send, body_of, headers_of, respond
from palio_kit.batching import Batcher
from palio_kit.callers import UserTokens
from palio_kit.http import Peer
from palio_kit.idempotency import check_key
from palio_kit.problems import CONTENT_TYPE, OutcomeUnknown, Problem, Unauthorized, Unavailable

Submission = tuple[str, bytes, str | None, str]
"""Token, body, Idempotency-Key, traceparent (architecture.md, section 5)."""

Answer = tuple[int, bytes, int, bool]
"""Status, body, Retry-After in seconds (0: none), replayed."""

TEMPLATE = "/api/v1/scores"
_PATH = "/internal/v1/submissions"
_PROBLEM = CONTENT_TYPE.encode()
_ERROR_STATUS = 400
_REPLAYED = (b"idempotency-replayed", b"true")


class Submissions:
    """The hot handler and its batches."""

    def __init__(self, settings: Settings, score: Peer, tokens: UserTokens, admission: Admission) -> None:
        self._score = score
        self._tokens = tokens
        self._admission = admission
        self._timeout_s = settings.batch_timeout_s
        self._batcher: Batcher[Submission, Answer] = Batcher(
            "submissions",
            self._flush,
            items_max=settings.batch_items_max,
            wait_max_ms=settings.batch_wait_ms,
            flushes_max=settings.batch_flushes_max,
            queue_max=settings.batch_queue_max,
            age_max_s=settings.batch_timeout_s,
        )

    async def handle(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer one submission.

        Raises:
            Problem: as anybody may be told.
        """
        scope["palio.route"] = TEMPLATE
        token: str | None = scope.get(BEARER)
        if token is None:
            raise Unauthorized
        caller = self._tokens.remembered(token) or await self._tokens.caller(token)
        # A game server speaks for many players; its address's bucket bounds it.
        limits = [] if "server" in caller.roles else self._admission.submission(caller.user_id.int)
        key = headers_of(scope).get(b"idempotency-key")
        status, body, retry_after_s, replayed = await self._batcher.submit(
            (
                token,
                body_of(scope),
                None if key is None else check_key(key.decode("latin-1")),
                tracing.current().traceparent,
            )
        )
        if replayed:
            limits = [*limits, _REPLAYED]
        if retry_after_s:
            limits = [*limits, (b"retry-after", b"%d" % retry_after_s)]
        content_type = _PROBLEM if status >= _ERROR_STATUS else JSON
        await respond(send, status, body, content_type=content_type, headers=limits)

    async def close(self) -> None:
        """Send what waits."""
        await self._batcher.close()

    async def _flush(self, batch: Sequence[Submission]) -> Sequence[Answer]:
        keyed = all(key is not None for _, _, key, _ in batch)
        try:
            answers: Sequence[Answer] = await self._score.call_packed(
                _PATH, batch, kind=list[Answer], safe_to_repeat=keyed, within_s=self._timeout_s
            )
        except Problem as problem:
            if problem.status == Unavailable.status:
                raise
            # About the call itself (our identity, its state), which is no client's fault.
            unclear = problem.status == Problem.status
            raise (OutcomeUnknown if unclear else Unavailable)("The score service did not take this.") from problem
        if len(answers) != len(batch):
            raise OutcomeUnknown("The score service's answer was not understood.")
        return answers
