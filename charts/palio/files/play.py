"""`helm test`: two players register, play a tournament of some seconds, and its winner is paid. Standard library only.

Outside the demo profile only organisers may create tournaments: with PALIO_TEST_USERNAME and PALIO_TEST_PASSWORD one
does; without them scores are submitted and read, and that is all.
"""

import json
import os
import secrets
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

GATEWAY = os.environ.get("PALIO_GATEWAY_URL", "http://palio-gateway:23455")
DEMO = os.environ.get("PALIO_PROFILE") == "demo"
WINDOW_S, SETTLED_WITHIN_S = 20, 60
PRIZE = 100
ATTEMPTS = 5


def call(method, path, body=None, token=None):
    """One request to the gateway, tried again while it is busy; ends the test with what went wrong."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    for attempt in range(ATTEMPTS):
        try:
            with urlopen(Request(GATEWAY + path, data, headers, method=method), timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            if error.code not in (429, 503) or attempt == ATTEMPTS - 1:
                sys.exit(f"{method} {path}: {error.code} {error.read(500).decode(errors='replace')}")
        except URLError as error:
            if attempt == ATTEMPTS - 1:
                sys.exit(f"{method} {path}: {error.reason}")
        time.sleep(1 + attempt)
    return None


def sign_in(username, password, register=True):
    """A player's id and access token."""
    account = {"username": username, "password": password}
    if register:
        call("POST", "/api/v1/users/register", {**account, "email": f"{username}@example.org"})
    answer = call("POST", "/api/v1/users/login", account)
    return answer["user"]["id"], answer["access_token"]


def submit(player, game, score):
    """Submit a score as a player."""
    user_id, token = player
    body = {"user_id": user_id, "game_id": game, "score": score}
    return call("POST", "/api/v1/scores", body, token)


def organiser(players):
    """Who may create tournaments here; None if nobody is known."""
    if DEMO:
        return players[0]
    username, password = (os.environ.get(f"PALIO_TEST_{name}", "") for name in ("USERNAME", "PASSWORD"))
    return sign_in(username, password, register=False) if username else None


def play(players, game, creator):
    """Create a short tournament, play it, and see it closed and paid."""
    now = datetime.now(UTC)
    tournament = call(
        "POST",
        "/api/v1/tournaments",
        {
            "name": f"Helm test {secrets.token_hex(3)}",
            "game_id": game,
            "prize_pool": PRIZE,
            "max_participants": 10,
            "start_time": (now + timedelta(seconds=1)).isoformat(),
            "end_time": (now + timedelta(seconds=1 + WINDOW_S)).isoformat(),
        },
        creator[1],
    )
    print(f"tournament {tournament['id']} created", flush=True)
    for user_id, token in players:
        call("POST", "/api/v1/tournaments/register", {"user_id": user_id, "tournament_id": tournament["id"]}, token)
    wait_for(tournament["id"], ("Active",), 15)
    for place, player in enumerate(players):
        submit(player, game, 1000 - place)
    board = call("GET", f"/api/v1/leaderboard/tournament/{tournament['id']}", token=players[0][1])
    assert [row["user_id"] for row in board["items"]] == [user_id for user_id, _ in players], board
    print("its board shows both players in order", flush=True)
    wait_for(tournament["id"], ("Completed",), WINDOW_S + SETTLED_WITHIN_S)
    wallet = call("GET", "/api/v1/wallet", token=players[0][1])
    assert sum(one["amount"] for one in wallet["balances"]) >= PRIZE // 2, wallet
    print(f"it was settled, and the winner has {wallet['balances']}", flush=True)


def wait_for(tournament_id, phases, timeout_s):
    """Wait until the tournament is in one of the phases."""
    deadline = time.monotonic() + timeout_s
    phase = None
    while time.monotonic() < deadline:
        phase = call("GET", f"/api/v1/tournaments/{tournament_id}")["phase"]
        if phase in phases:
            print(f"it is {phase}", flush=True)
            return
        time.sleep(0.5)
    sys.exit(f"tournament {tournament_id} is {phase}, not {' or '.join(phases)}, after {timeout_s} s")


def main():
    """Two players submit; if somebody may create tournaments, one is played to its end."""
    players = [sign_in(f"helm-test-{secrets.token_hex(4)}", secrets.token_urlsafe(16)) for _ in range(2)]
    games = call("GET", "/api/v1/games")["items"]
    game = next(game["id"] for game in games if (game["order"], game["keep"]) == ("desc", "best"))
    for player in players:
        accepted = submit(player, game, 1)
        assert accepted["submission_id"], accepted
    print(f"two players submitted scores to {game}", flush=True)
    creator = organiser(players)
    if creator is None:
        print("no organiser is known outside the demo profile: no tournament was played (test.organiserSecret)")
        return
    play(players, game, creator)


main()
