"""A call as the bytes of one HTTP request. Everything but a score's digits is made once for each user."""

from collections.abc import Iterable

from palio_generator.load.schedule import Call, Kind
from palio_generator.load.stage import Stage
from palio_generator.load.targets import Target

TOP_LIMIT = 100
AROUND_RADIUS = 5


class Requests:
    """Makes requests of a stage's players with their newest tokens."""

    def __init__(self, target: Target, stage: Stage) -> None:
        self._target = target
        self._stage = stage
        self._made: dict[tuple[int, Kind], bytes] = {}
        self._submissions: dict[int, tuple[bytes, bytes]] = {}

    def of(self, call: Call) -> bytes:
        """The request of a call."""
        if call.kind is Kind.SUBMIT:
            return self._submission(call.user, call.score)
        made = self._made.get((call.user, call.kind))
        if made is None:
            made = self._made[call.user, call.kind] = self._read(call.user, call.kind)
        return made

    def forget(self, users: Iterable[int]) -> None:
        """These users have new tokens."""
        for user in users:
            self._submissions.pop(user, None)
            for kind in Kind:
                self._made.pop((user, kind), None)

    def _submission(self, user: int, score: int) -> bytes:
        made = self._submissions.get(user)
        if made is None:
            made = self._submissions[user] = self._submission_parts(user)
        head, body = made
        digits = b"%d}" % score
        return b"%b%d\r\n\r\n%b%b" % (head, len(body) + len(digits), body, digits)

    def _submission_parts(self, user: int) -> tuple[bytes, bytes]:
        head = self._head("POST", "/api/v1/scores", user) + "content-type: application/json\r\ncontent-length: "
        player = self._stage.players[user]
        body = f'{{"user_id":"{player.user_id}","game_id":"{self._stage.game.game_id}","score":'
        return head.encode(), body.encode()

    def _read(self, user: int, kind: Kind) -> bytes:
        player, board = self._stage.players[user], f"/api/v1/leaderboard/{self._stage.board}"
        path = {
            Kind.TOP: f"{board}?limit={TOP_LIMIT}",
            Kind.RANK: f"{board}/rank/{player.user_id}",
            Kind.AROUND: f"{board}/around/{player.user_id}?radius={AROUND_RADIUS}",
        }[kind]
        return (self._head("GET", path, user) + "\r\n").encode()

    def _head(self, method: str, path: str, user: int) -> str:
        token = self._stage.players[user].token
        place = self._target
        return f"{method} {place.path}{path} HTTP/1.1\r\nhost: {place.authority}\r\nauthorization: Bearer {token}\r\n"
