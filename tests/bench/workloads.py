"""What the load generator sends: whole HTTP requests as bytes, made in about a microsecond each.

Scores have seven digits, so a request's length never changes and everything but the digits is made beforehand.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

SCORE_FIRST, SCORE_LAST = 1_000_000, 9_999_999
IMPROVING = 0.7
_GAIN_MAX = 40

Next = Callable[[], bytes | None]
"""The next request; None when there are no more."""


def player_id(number: int) -> str:
    """The id of a benchmark player; `stack.py` makes the same ones in SQL."""
    return f"{number:08x}-0000-7000-8000-{number:012x}"


@dataclass
class Players:
    """Those who submit: one access token and one best score each, kept between runs."""

    tokens: Sequence[str]
    bests: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.bests = [SCORE_FIRST] * len(self.tokens)

    def next_score(self, player: int) -> int:
        """70 % improve on the player's best by a little, the others stay below it."""
        best = self.bests[player]
        if random.random() < IMPROVING and best + _GAIN_MAX < SCORE_LAST:
            best += 1 + int(random.random() * _GAIN_MAX)
            self.bests[player] = best
            return best
        return SCORE_FIRST + int(random.random() * (best - SCORE_FIRST))


def _post(path: str, token: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


def writes(players: Players, game_id: str, *, once_each: bool) -> Next:
    """Single submissions of uniformly chosen players; or one of each player, in order."""
    prefixes = [
        _post(
            "/api/v1/scores", token, f'{{"user_id":"{player_id(n)}","game_id":"{game_id}","score":0000000}}'.encode()
        )[:-8]
        for n, token in enumerate(players.tokens)
    ]
    count = len(prefixes)
    numbers = iter(range(count))

    def uniform() -> bytes:
        player = int(random.random() * count)
        return b"%b%d}" % (prefixes[player], players.next_score(player))

    def in_order() -> bytes | None:
        player = next(numbers, None)
        return None if player is None else b"%b%d}" % (prefixes[player], players.next_score(player))

    return in_order if once_each else uniform


def batches(players: Players, game_id: str, server_token: str, rows: int) -> Next:
    """Batches of submissions of uniformly chosen players, by a game server."""
    prefixes = [
        f'{{"user_id":"{player_id(n)}","game_id":"{game_id}","score":'.encode() for n in range(len(players.tokens))
    ]
    count = len(prefixes)
    body_bytes = len(b'{"items":[') + rows * (len(prefixes[0]) + len(b"0000000},")) - 1 + len(b"]}")
    head = _post("/api/v1/scores/batch", server_token, b" " * body_bytes)[:-body_bytes]

    def uniform() -> bytes:
        chosen = [int(random.random() * count) for _ in range(rows)]
        items = b",".join([b"%b%d}" % (prefixes[player], players.next_score(player)) for player in chosen])
        return b'%b{"items":[%b]}' % (head, items)

    return uniform


def ranks(game_id: str, players: int) -> Next:
    """Own rank of a uniformly chosen player."""
    return lambda: _get(f"/api/v1/leaderboard/game/{game_id}/rank/{player_id(int(random.random() * players))}")


def arounds(game_id: str, players: int) -> Next:
    """The ten above and below a uniformly chosen player."""
    return lambda: _get(
        f"/api/v1/leaderboard/game/{game_id}/around/{player_id(int(random.random() * players))}?radius=10"
    )


def tops(game_id: str) -> Next:
    """The first hundred."""
    request = _get(f"/api/v1/leaderboard/game/{game_id}?limit=100")
    return lambda: request
