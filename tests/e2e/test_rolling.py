"""Every Deployment is replaced while players play: nobody sees a failed request, and the tournament is paid."""

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from support.deployed import GAME, NAMESPACE, Deployed, Player, until

RATE, WORKERS, TIMEOUT_S = 50, 32, 15
SPLIT = (50, 30, 20)


@contextmanager
def requests_on(palio: Deployed, players: list[Player]) -> Iterator[Counter[str]]:
    """So many requests a second while the block runs; how they ended."""
    outcomes: Counter[str] = Counter()
    done = threading.Event()
    with ThreadPoolExecutor(WORKERS) as workers:

        def schedule() -> None:
            due = time.monotonic()
            while not done.wait(max(0.0, due - time.monotonic())):
                due += 1 / RATE
                workers.submit(_request, palio, random.choice(players), outcomes)  # each has a limit

        arrivals = threading.Thread(target=schedule)
        arrivals.start()
        try:
            yield outcomes
        finally:
            done.set()
            arrivals.join()


def _request(palio: Deployed, player: Player, outcomes: Counter[str]) -> None:
    """A score or a look at the board, as it comes."""
    headers = {"authorization": f"Bearer {player.token}", "content-type": "application/json"}
    score = json.dumps({"user_id": player.id, "game_id": GAME, "score": 1}).encode()
    path, body = random.choice([("scores", score), (f"leaderboard/game/{GAME}?limit=10", None)])
    request = urllib.request.Request(f"{palio.url}/api/v1/{path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            outcomes[f"{path.partition('/')[0]} {answer.status}"] += 1
    except urllib.error.HTTPError as error:
        outcomes[f"{path} {error.code} {error.read(300)!r}"] += 1
    except OSError as error:
        outcomes[f"{path} {error!r}"] += 1


def test_every_deployment_is_replaced_under_load(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament(lasts_s=60)
    palio.play(cup, players)
    names: list[Any] = palio.kubectl(
        "-n", NAMESPACE, "get", "deployments", "-l", "app.kubernetes.io/name in (palio,palio-operator)", "-o", "name"
    ).split()
    assert len(names) == 9
    with requests_on(palio, players) as outcomes:
        for name in names:
            palio.kubectl("-n", NAMESPACE, "rollout", "restart", name)
            palio.kubectl("-n", NAMESPACE, "rollout", "status", name, "--timeout=110s")
        until(lambda: outcomes.total() >= 500, within_s=30, what="500 requests")
    assert set(outcomes) == {"scores 201", "leaderboard 200"}, outcomes
    palio.assert_paid_once(cup, players, SPLIT)
    palio.delete(cup)
