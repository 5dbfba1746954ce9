"""Losing a board in Redis: how long until it is served from there again, what it weighs, and whether reads lied."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

from bench.stack import Stack
from bench.workloads import player_id
from palio_kit.orderings import OrderingKeys

_TIMEOUT_S = 120.0
_EVERY_S = 0.05


@dataclass(frozen=True)
class Rebuild:
    """One rebuild, from the loss to the board being whole in Redis."""

    seconds: float
    bytes_per_player: float
    reads: int
    wrong: int
    refused: int


def used_memory(running: Stack) -> int:
    """Redis's own count, in bytes."""
    with running.redis() as client:
        info: dict[str, Any] = client.info("memory")
    return int(info["used_memory"])


def rebuild(running: Stack, game_id: str, players: int, memory_before: int, *, reading: bool = True) -> Rebuild:
    """Remove the board's keys and wait until it is whole again, reading known ranks meanwhile if `reading`.

    Raises:
        TimeoutError: it is not there after two minutes.
    """
    keys = OrderingKeys.of(f"game:{game_id}")
    truths = {number: running.true_rank(f"game:{game_id}", number) for number in (0, players // 3, players - 1)}
    reads = wrong = refused = 0
    with running.redis() as client:
        started = time.monotonic()
        client.unlink(*keys.all())
        while client.hget(keys.meta, "state") != b"ready" or client.zcard(keys.order) != players:
            if time.monotonic() - started > _TIMEOUT_S:
                raise TimeoutError(f"{game_id} is not rebuilt after {_TIMEOUT_S:.0f} s ({reads} reads meanwhile)")
            if reading:
                number, truth = list(truths.items())[reads % len(truths)]
                told = _rank(running.gateway_port, game_id, number)
                reads, wrong, refused = reads + 1, wrong + (told not in (truth, None)), refused + (told is None)
            time.sleep(_EVERY_S)
        seconds = time.monotonic() - started
    return Rebuild(seconds, (used_memory(running) - memory_before) / players, reads, wrong, refused)


def _rank(port: int, game_id: str, number: int) -> int | None:
    """What the gateway says; None for 503."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", f"/api/v1/leaderboard/game/{game_id}/rank/{player_id(number)}")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status == http.client.SERVICE_UNAVAILABLE:
        return None
    document = json.loads(body)
    return int(document["item"]["rank"]) if answer.status == http.client.OK else -1
