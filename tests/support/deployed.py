"""palio as it is installed in the test cluster: resources by kubectl, players over REST, the ledger by psql."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

from support.cluster import Cluster

T = TypeVar("T")

NAMESPACE = "palio"
GAME = "space-race"
_PSQL = 'PGPASSWORD=$(cat /etc/palio/secret/password) exec psql -h 127.0.0.1 -U palio -d palio -qAt -F"|" -c "$0"'
_POSTGRES = "statefulset/palio-data-postgres"
_WORKLOADS = {"operator": "deployment/palio-operator", "postgres": _POSTGRES}


def until(probe: Callable[[], T], *, within_s: float = 60, every_s: float = 0.3, what: str = "") -> T:
    """The first truthy answer; an AssertionError counts as not yet."""
    deadline, last = time.monotonic() + within_s, object()
    while time.monotonic() < deadline:
        try:
            answer = probe()
        except AssertionError as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        time.sleep(every_s)
    raise AssertionError(f"{what or probe.__name__} not within {within_s} s; last: {last!r}")


@dataclass(frozen=True)
class Player:
    """Somebody who is signed in."""

    id: str
    token: str


@dataclass(frozen=True)
class Tournament:
    """A resource, by its name and uid."""

    name: str
    uid: str
    namespace: str = NAMESPACE

    @property
    def at(self) -> tuple[str, ...]:
        """What kubectl needs to find it."""
        return ("-n", self.namespace, "tournament", self.name)

    @property
    def job(self) -> str:
        """The Job that pays it."""
        return f"{self.name}-payout-{self.uid[:8]}"


@dataclass(frozen=True)
class Deployed:
    """The installed platform."""

    cluster: Cluster
    url: str
    stream: str
    """Where the live stream is, on the websocket service's own port."""

    # --- REST

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """One request to the gateway, repeated while it is busy; the document it answers."""
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()

        def answered() -> list[Any]:
            request = urllib.request.Request(self.url + path, data, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return [json.loads(answer.read() or b"null")]
            except urllib.error.HTTPError as error:
                text = error.read().decode(errors="replace")
                if error.code in (429, 503):
                    raise AssertionError(f"{error.code} {text}") from error
                raise RuntimeError(f"{method} {path}: {error.code} {text}") from error
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                raise AssertionError(f"{method} {path}: {error}") from error

        return until(answered, within_s=60, what=f"{method} {path}")[0]

    def player(self) -> Player:
        """A new player."""
        name = f"e2e-{uuid4().hex[:12]}"
        account = {"username": name, "password": uuid4().hex}
        self.call("POST", "/api/v1/users/register", {**account, "email": f"{name}@example.org"})
        answer = self.call("POST", "/api/v1/users/login", account)
        return Player(answer["user"]["id"], answer["access_token"])

    def players(self, count: int = 3) -> list[Player]:
        return [self.player() for _ in range(count)]

    def join(self, tournament: Tournament, player: Player) -> None:
        entry = {"tournament_id": tournament.uid, "user_id": player.id}
        self.call("POST", "/api/v1/tournaments/register", entry, player.token)

    def play(self, tournament: Tournament, players: list[Player]) -> None:
        """Everybody joins and scores, the first of them most."""
        until(lambda: self.told(tournament).get("Open") == "True/WithinWindow", within_s=30, what="open")
        for place, player in enumerate(players):
            self.join(tournament, player)
            score = {"user_id": player.id, "game_id": GAME, "score": 1000 - place}
            counted = self.call("POST", "/api/v1/scores", score, player.token)
            assert tournament.uid in (counted["ranks"] or {}).get("tournaments", {}), counted

    def board(self, name: str) -> list[tuple[int, str, int]]:
        """The first 100 of a board: rank, user id, score."""
        items = self.call("GET", f"/api/v1/leaderboard/{name}?limit=100")["items"]
        return [(item["rank"], item["user_id"], item["score"]) for item in items]

    def wallet(self, player: Player) -> int:
        balances = self.call("GET", "/api/v1/wallet", token=player.token)["balances"]
        return sum(one["amount"] for one in balances)

    # --- resources

    def kubectl(self, *arguments: str, **how: Any) -> str:
        return self.cluster.kubectl(*arguments, **how)

    def apply(self, manifest: dict[str, Any], namespace: str = NAMESPACE) -> Tournament:
        told = self.kubectl("-n", namespace, "apply", "-o", "json", "-f", "-", stdin=json.dumps(manifest))
        metadata = json.loads(told)["metadata"]
        return Tournament(metadata["name"], metadata["uid"], namespace)

    def tournament(
        self, *, lasts_s: float = 14, in_s: float = 0, namespace: str = NAMESPACE, **spec: Any
    ) -> Tournament:
        """A resource whose window begins now."""
        start = datetime.now(UTC) + timedelta(seconds=in_s)
        return self.apply({
            "apiVersion": "palio.gg/v1alpha1", "kind": "Tournament", "metadata": {"name": f"cup-{uuid4().hex[:8]}"},
            "spec": {
                "game": GAME, "startTime": _stamp(start), "endTime": _stamp(start + timedelta(seconds=lasts_s)),
                "prizePool": 100, "settlementDelaySeconds": 0,
            } | spec,
        }, namespace)  # fmt: skip

    def read(self, tournament: Tournament) -> dict[str, Any] | None:
        found = self.kubectl("get", *tournament.at, "-o", "json", "--ignore-not-found")
        return json.loads(found) if found.strip() else None

    def told(self, tournament: Tournament) -> dict[str, str]:
        """Conditions as `status/reason`, and the phase."""
        body = self.read(tournament)
        assert body is not None, "gone"
        status = body.get("status") or {}
        found = {one["type"]: f"{one['status']}/{one['reason']}" for one in status.get("conditions", [])}
        return found | {"phase": status.get("phase", "")}

    def wait_for(self, tournament: Tournament, *, within_s: float = 90, **wanted: str) -> None:
        def says_so() -> bool:
            told = self.told(tournament)
            assert {key: told.get(key) for key in wanted} == wanted
            return True

        until(says_so, within_s=within_s, what=f"{tournament.name}: {wanted}")

    def delete(self, tournament: Tournament) -> None:
        """Delete it and see that it goes."""
        self.kubectl("delete", *tournament.at, "--timeout=60s", "--ignore-not-found")

    def job(self, tournament: Tournament) -> dict[str, Any] | None:
        found = self.kubectl("-n", NAMESPACE, "get", "job", tournament.job, "-o", "json", "--ignore-not-found")
        return json.loads(found) if found.strip() else None

    def payout_pods(self, tournament: Tournament, told: str = "{.items[*].metadata.name}") -> list[str]:
        """Names of the pods that are paying it now, or something else that is told of them."""
        found = self.kubectl(
            "-n", NAMESPACE, "get", "pods", "-l", f"job-name={tournament.job}", "--field-selector=status.phase=Running",
            "-o", f"jsonpath={told}",
        )  # fmt: skip
        return found.split()

    def kill_payout(self, tournament: Tournament) -> None:
        """Kill the pods that are paying; they are gone when this returns."""
        names = self.payout_pods(tournament)
        assert names, "nobody pays"
        self.kubectl("-n", NAMESPACE, "delete", "pod", *names, "--grace-period=1", "--timeout=60s")

    def payout_words(self, tournament: Tournament) -> str:
        """What the pods that pay it have said, as far as they are still there."""
        return self.kubectl("-n", NAMESPACE, "logs", "-l", f"job-name={tournament.job}", "--tail=-1")

    def kill_operator(self) -> None:
        """Kill it as a machine that dies would: no grace, no last word."""
        self.kubectl(
            "-n", NAMESPACE, "delete", "pod", "-l", _pods_of("operator"), "--grace-period=0", "--force", "--wait=false"
        )

    @contextmanager
    def without(self, component: str) -> Iterator[None]:
        """The block runs while nothing of a component runs."""
        workload = _WORKLOADS[component]
        self.kubectl("-n", NAMESPACE, "scale", workload, "--replicas=0")
        self.kubectl("-n", NAMESPACE, "wait", "--for=delete", "pod", "-l", _pods_of(component), "--timeout=110s")
        try:
            yield
        finally:
            self.kubectl("-n", NAMESPACE, "scale", workload, "--replicas=1")
            self.kubectl("-n", NAMESPACE, "rollout", "status", workload, "--timeout=110s")

    # --- the database

    def sql(self, statement: str) -> list[list[str]]:
        """Rows of a statement, run as the database's owner."""
        said = self.kubectl("-n", NAMESPACE, "exec", _POSTGRES, "--", "sh", "-c", _PSQL, statement)
        return [line.split("|") for line in said.splitlines()]

    @contextmanager
    def row_held(self, tournament: Tournament) -> Iterator[Callable[[], None]]:
        """Hold the tournament's row, so that a payout stands still in its transaction; yields how to let it go."""
        mark = f"held-{tournament.uid}"
        hold = (
            f"SET application_name = '{mark}'; BEGIN; "
            f"SELECT id FROM tournament.tournaments WHERE id = '{tournament.uid}' FOR UPDATE; SELECT pg_sleep(600)"
        )
        ends = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{mark}'"
        sleeping = f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{mark}' AND query LIKE '%pg_sleep%'"
        command = self.cluster.command("-n", NAMESPACE, "exec", _POSTGRES, "--", "sh", "-c", _PSQL, hold)
        holder = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: self.sql(sleeping), within_s=20, what="the row is held")
            yield lambda: (self.sql(ends), None)[1]
        finally:
            with suppress(AssertionError):
                self.sql(ends)
            holder.wait(timeout=30)

    def payouts_that_wait(self) -> int:
        """How many settlements stand before a lock."""
        waiting = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE usename = 'palio_tournament' AND wait_event_type = 'Lock' AND state = 'active'"
        )
        return int(self.sql(waiting)[0][0])

    @contextmanager
    def commits_unanswered(self) -> Iterator[None]:
        """The block runs while a commit is on disk at once and told to nobody: it waits for a standby that is not."""
        try:
            self._wait_for_standby("SET synchronous_standby_names = 'nobody'")
            yield
        finally:
            self._wait_for_standby("RESET synchronous_standby_names")

    def _wait_for_standby(self, change: str) -> None:
        self.sql(f"ALTER SYSTEM {change}")
        self.sql("SELECT pg_reload_conf()")

    def has_committed(self, tournament: Tournament) -> bool:
        """Whether the pod that pays has committed and waits for the answer."""
        (address,) = self.payout_pods(tournament, "{.items[*].status.podIP}")
        asked = f"SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND client_addr = '{address}'"
        return self.sql(asked) != []

    def over(self, tournament: Tournament) -> bool:
        """Whether the database's clock is past its end."""
        (row,) = self.sql(
            f"SELECT ends_at < clock_timestamp() FROM tournament.tournaments WHERE id = '{tournament.uid}'"
        )
        return row == ["t"]

    def state(self, tournament: Tournament) -> str | None:
        rows = self.sql(f"SELECT state FROM tournament.tournaments WHERE id = '{tournament.uid}'")
        return rows[0][0] if rows else None

    def digest(self, tournament: Tournament) -> str:
        return self.sql(f"SELECT standings_digest FROM tournament.tournaments WHERE id = '{tournament.uid}'")[0][0]

    def paid(self, tournament: Tournament) -> list[int]:
        """Every award in the ledger, largest first."""
        rows = self.sql(
            "SELECT amount FROM tournament.transfers JOIN tournament.ledger_entries ON transfer_id = id "
            f"WHERE tournament_id = '{tournament.uid}' AND kind = 'award' AND amount > 0 ORDER BY amount DESC"
        )
        return [int(amount) for (amount,) in rows]

    def assert_paid_once(self, tournament: Tournament, players: list[Player], amounts: tuple[int, ...]) -> None:
        """Status, ledger, wallets and digest say the same: each winner has one prize."""
        self.wait_for(tournament, phase="Completed", Succeeded="True/Completed", PrizesAwarded="True/Awarded")
        body = self.read(tournament)
        assert body is not None
        assert body["status"]["payout"]["standingsDigest"] == self.digest(tournament)
        assert body["status"]["payout"]["prizesAwarded"] == len(amounts)
        assert self.paid(tournament) == sorted(amounts, reverse=True)
        assert [self.wallet(player) for player in players] == list(amounts)
        self.kubectl(
            "-n", NAMESPACE, "exec", "deployment/palio-tournament", "--", "python", "-m", "palio_tournament", "verify",
            tournament.uid,
        )  # fmt: skip


def _pods_of(component: str) -> str:
    return f"app.kubernetes.io/part-of=palio,app.kubernetes.io/component={component}"


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
