"""Two hundred tournaments end in the same second: all close by the database's clock, all are paid, none is stuck."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product

from support.deployed import GAME, NAMESPACE, Deployed, Player, Tournament, until

COUNT, WORKERS = 200, 8
LASTS_S, SETTLED_S, GONE_S = 120, 390, 120
SPLIT = (50, 30, 20)
_METRICS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8081/metrics').read().decode())"


def _manifests(mark: str) -> str:
    now = datetime.now(UTC)
    spec = {
        "game": GAME, "startTime": now.isoformat(), "endTime": (now + timedelta(seconds=LASTS_S)).isoformat(),
        "prizePool": sum(SPLIT), "settlementDelaySeconds": 0,
    }  # fmt: skip
    items = [
        {
            "apiVersion": "palio.gg/v1alpha1", "kind": "Tournament", "spec": spec,
            "metadata": {"name": f"{mark}-{number}", "namespace": NAMESPACE, "labels": {"many": mark}},
        }
        for number in range(COUNT)
    ]  # fmt: skip
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _open_ones(palio: Deployed, mark: str) -> list[Tournament]:
    listed = json.loads(palio.kubectl("-n", NAMESPACE, "get", "trn", "-l", f"many={mark}", "-o", "json"))["items"]
    names = [one["metadata"] for one in listed if (one.get("status") or {}).get("phase") == "Active"]
    assert len(names) == COUNT, f"{len(names)} of {COUNT} are open"
    return [Tournament(name["name"], name["uid"]) for name in names]


def _all_join(palio: Deployed, cups: Sequence[Tournament], players: Sequence[Player]) -> None:
    def join(entry: tuple[Tournament, Player]) -> None:
        palio.join(*entry)

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(join, product(cups, players)))


def _api_calls(palio: Deployed) -> int:
    told = palio.kubectl("-n", NAMESPACE, "exec", "deployment/palio-operator", "--", "python", "-c", _METRICS)
    lines = [line for line in told.splitlines() if line.startswith("palio_kubernetes_calls_total{")]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)


def test_two_hundred_tournaments_end_in_the_same_second(palio: Deployed, players: list[Player]) -> None:
    mark = f"many-{players[0].id[-8:]}"
    palio.kubectl("create", "-f", "-", stdin=_manifests(mark))
    cups = until(lambda: _open_ones(palio, mark), within_s=60, every_s=2, what="all are open")
    _all_join(palio, cups, players)
    for place, player in enumerate(players):
        score = {"user_id": player.id, "game_id": GAME, "score": 1000 - place}
        palio.call("POST", "/api/v1/scores", score, player.token)
    listed = ", ".join(f"'{cup.uid}'" for cup in cups)
    assert palio.sql(f"SELECT count(*) FROM score.standings WHERE substr(board, 12) IN ({listed})") == [["600"]]
    calls = _api_calls(palio)
    selected = ("trn", "-l", f"many={mark}")
    wait = ("wait", "--for=condition=Succeeded", *selected, f"--timeout={LASTS_S + SETTLED_S}s")
    palio.kubectl("-n", NAMESPACE, *wait, within_s=LASTS_S + SETTLED_S + 10)
    calls = _api_calls(palio) - calls
    [[settled, ends, first_s, last_s]] = palio.sql(
        "SELECT count(*), count(DISTINCT ends_at), extract(epoch FROM min(settled_at - ends_at))::int, "
        "extract(epoch FROM max(settled_at - ends_at))::int "
        f"FROM tournament.tournaments WHERE state = 'completed' AND id IN ({listed})"
    )
    awards = palio.sql(
        "SELECT tournament_id, string_agg(amount::text, ' ' ORDER BY amount DESC) "
        "FROM tournament.transfers JOIN tournament.ledger_entries ON transfer_id = id "
        f"WHERE kind = 'award' AND amount > 0 AND tournament_id IN ({listed}) GROUP BY 1"
    )
    print(
        f"\n{COUNT} tournaments: first settled {first_s} s and last {last_s} s after the end; "
        f"{calls} calls to the API server from open to paid ({calls / COUNT:.0f} each)"
    )
    assert (settled, ends) == (str(COUNT), "1")
    assert sorted(paid for _, paid in awards) == [" ".join(map(str, SPLIT))] * COUNT
    assert [palio.wallet(player) for player in players] == [COUNT * amount for amount in SPLIT]
    palio.kubectl("-n", NAMESPACE, "delete", *selected, f"--timeout={GONE_S}s", within_s=GONE_S + 10)
    assert palio.kubectl("-n", NAMESPACE, "get", *selected, "-o", "name") == ""
