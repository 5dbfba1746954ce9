"""Every Deployment is replaced while players play and watch.

Nobody sees a failed request, sockets say goodbye and resume without a gap, and the tournament is paid.
"""

import itertools
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

from support.deployed import GAME, NAMESPACE, Deployed, Player, Tournament, until
from support.live_client import Follower, following

RATE, WORKERS, TIMEOUT_S = 50, 32, 15
CROWD, SCORE_MAX = 5, 900
SPLIT = (50, 30, 20)
DRAINED, RESTARTED = 4000, 1012


@contextmanager
def requests_on(palio: Deployed, players: list[Player]) -> Iterator[Counter[str]]:
    """So many requests a second while the block runs; how they ended."""
    outcomes: Counter[str] = Counter()
    rising = itertools.count(1)
    done = threading.Event()
    with ThreadPoolExecutor(WORKERS) as workers:

        def schedule() -> None:
            due = time.monotonic()
            while not done.wait(max(0.0, due - time.monotonic())):
                due += 1 / RATE
                workers.submit(_request, palio, random.choice(players), next(rising), outcomes)  # each has a limit

        arrivals = threading.Thread(target=schedule)
        arrivals.start()
        try:
            yield outcomes
        finally:
            done.set()
            arrivals.join()


def _request(palio: Deployed, player: Player, number: int, outcomes: Counter[str]) -> None:
    """A better score or a look at the board, as it comes."""
    headers = {"authorization": f"Bearer {player.token}", "content-type": "application/json"}
    score = json.dumps({"user_id": player.id, "game_id": GAME, "score": min(number, SCORE_MAX)}).encode()
    path, body = random.choice([("scores", score), (f"leaderboard/game/{GAME}?limit=10", None)])
    request = urllib.request.Request(f"{palio.url}/api/v1/{path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            outcomes[f"{path.partition('/')[0]} {answer.status}"] += 1
    except urllib.error.HTTPError as error:
        outcomes[f"{path} {error.code} {error.read(300)!r}"] += 1
    except OSError as error:
        outcomes[f"{path} {error!r}"] += 1


def followers_of(palio: Deployed, cup: Tournament) -> list[Follower]:
    """Sockets on boards and on the tournament, at the websocket service's port; the last one through the gateway."""
    through_gateway = palio.url.replace("http", "ws", 1) + "/ws/main"
    return [
        Follower(palio.stream, f"leaderboard:game:{GAME}"),
        Follower(palio.stream, f"leaderboard:tournament:{cup.uid}"),
        Follower(palio.stream, f"tournament:{cup.uid}"),
        Follower(through_gateway, f"leaderboard:game:{GAME}"),
    ]


def see_what_rest_tells(palio: Deployed, cup: Tournament, followers: list[Follower]) -> bool:
    """Every socket shows what REST answers now."""
    game, entered, state, through_gateway = followers
    told = palio.board(f"game/{GAME}")
    assert (game.order(), through_gateway.order()) == (told, told)
    assert entered.order() == palio.board(f"tournament/{cup.uid}")
    assert state.tournament == palio.call("GET", f"/api/v1/tournaments/{cup.uid}")
    return True


def test_every_deployment_is_replaced_under_load(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament(lasts_s=60)
    palio.play(cup, players)
    crowd = palio.players(CROWD)
    for player in crowd:
        palio.join(cup, player)
    names: list[Any] = palio.kubectl(
        "-n", NAMESPACE, "get", "deployments", "-l", "app.kubernetes.io/name in (palio,palio-operator)", "-o", "name"
    ).split()
    assert len(names) == 9
    followers = followers_of(palio, cup)
    with following(followers):
        until(lambda: all(follower.frames for follower in followers), within_s=20, what="a snapshot for each socket")
        with requests_on(palio, crowd) as outcomes:
            for name in names:
                palio.kubectl("-n", NAMESPACE, "rollout", "restart", name)
                palio.kubectl("-n", NAMESPACE, "rollout", "status", name, "--timeout=110s")
            until(lambda: outcomes.total() >= 500, within_s=30, what="500 requests")
        assert set(outcomes) == {"scores 201", "leaderboard 200"}, outcomes
        palio.assert_paid_once(cup, players, SPLIT)
        until(lambda: see_what_rest_tells(palio, cup, followers), within_s=20, what="sockets agree with REST")
    print(dict(outcomes), *followers, sep="\n")
    assert followers[1].frames > 50, "its board moved all the time"
    for follower in followers:
        assert follower.steps_back == 0, follower
        assert follower.goodbyes[DRAINED] == 1, follower
        assert set(follower.goodbyes) <= {DRAINED, RESTARTED}, follower
    palio.delete(cup)
