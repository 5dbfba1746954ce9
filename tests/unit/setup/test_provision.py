"""Secrets are made once and kept; what is public is brought up to date."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest

from palio_setup import leaving, provision
from palio_setup.cluster import Cluster, Refused
from palio_setup.leaving import Leaving
from palio_setup.plan import KeySet, Password, Plan, SigningKeys

OWNER = {"OWNER": "postgresql://palio:own%2Fer@db.example:6432/games?sslmode=require"}
PLAN = Plan(
    labels={"made": "here"},
    passwords=[
        Password(secret="cache", url="redis://:{password}@cache:6379/0"),
        Password(secret="user-database", url_from="OWNER", role="palio_user"),
    ],
    signing_keys=[SigningKeys(secret="signing", key="keys.json")],
)


class FakeServer:
    """Objects by path, as the API server keeps them; secrets come back in base64."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []

    def send(self, method: str, path: str, body: bytes | None, _: str) -> tuple[int, bytes]:
        self.calls.append((method, path))
        path, _, query = path.partition("?")
        document = json.loads(body) if body else {}
        if method == "POST":
            name = f"{path}/{document['metadata']['name']}"
            if name in self.objects:
                return 409, b'{"message":"it is there"}'
            self.objects[name] = self._kept(document)
            return 201, b"{}"
        if method == "GET" and path in self.objects:
            return 200, json.dumps(self.objects[path]).encode()
        below = [one for name, one in self.objects.items() if name.startswith(f"{path}/")]
        if method == "GET" and (below or query):
            return 200, json.dumps(self._page(below, parse_qs(query))).encode()
        if path not in self.objects:
            return 404, b"{}"
        if method == "DELETE":
            del self.objects[path]
        else:
            self._merge(self.objects[path], self._kept(document))
        return 200, b"{}"

    def _page(self, items: list[dict[str, Any]], asked: dict[str, list[str]]) -> dict[str, Any]:
        """A part of a list; the token of the next one has characters that a URL must not have bare."""
        first, size = int(asked.get("continue", ["+/0"])[0][2:]), int(asked.get("limit", ["1000"])[0])
        more = f"+/{first + size}" if len(items) > first + size else ""
        return {"items": items[first : first + size], "metadata": {"continue": more}}

    def _kept(self, document: dict[str, Any]) -> dict[str, Any]:
        plain = document.pop("stringData", {})
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        return document | ({"data": document.get("data", {}) | encoded} if encoded else {})

    def _merge(self, into: dict[str, Any], change: dict[str, Any]) -> None:
        for key, value in change.items():
            if isinstance(value, dict) and isinstance(into.get(key), dict):
                self._merge(into[key], value)
            else:
                into[key] = value

    def secret(self, name: str) -> dict[str, str]:
        data = self.objects[f"/api/v1/namespaces/games/secrets/{name}"]["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def cluster(server: FakeServer) -> Cluster:
    return Cluster("games", server.send)


def test_missing_secrets_are_made(cluster: Cluster, server: FakeServer) -> None:
    assert len(provision.secrets(cluster, PLAN, OWNER)) == 3
    cache, database = server.secret("cache"), server.secret("user-database")
    assert len(cache["password"]) >= 32
    assert cache["url"] == f"redis://:{cache['password']}@cache:6379/0"
    assert database["url"] == f"postgresql://palio_user:{database['password']}@db.example:6432/games?sslmode=require"
    assert cache["password"] != database["password"]


def test_a_second_time_nothing_changes(cluster: Cluster, server: FakeServer) -> None:
    provision.secrets(cluster, PLAN, OWNER)
    before = json.dumps(server.objects)
    assert provision.secrets(cluster, PLAN, OWNER) == []
    assert json.dumps(server.objects) == before


def test_a_moved_database_gets_a_new_url_with_the_old_password(cluster: Cluster, server: FakeServer) -> None:
    provision.secrets(cluster, PLAN, OWNER)
    before = server.secret("user-database")
    moved = {"OWNER": "postgresql://root:x@elsewhere:5432/palio"}
    assert provision.secrets(cluster, PLAN, moved) == ["secret user-database: has a new url"]
    password = before["password"]
    url = f"postgresql://palio_user:{password}@elsewhere:5432/palio"
    assert server.secret("user-database") == {"password": password, "url": url}


def test_a_foreign_secret_of_that_name_is_left_alone(cluster: Cluster, server: FakeServer) -> None:
    server.objects["/api/v1/namespaces/games/secrets/cache"] = {"data": {"other": "eA=="}}
    with pytest.raises(Refused, match="has no password"):
        provision.secrets(cluster, PLAN, OWNER)


def test_signing_keys_sign_and_are_two(cluster: Cluster, server: FakeServer) -> None:
    provision.secrets(cluster, PLAN, OWNER)
    keys = json.loads(server.secret("signing")["keys.json"])["keys"]
    assert len({key["kid"] for key in keys}) == 2
    token = jwt.encode({"sub": "ada"}, jwt.PyJWK(keys[0]).key, algorithm="EdDSA")
    public = jwt.PyJWK({name: value for name, value in keys[0].items() if name != "d"})
    assert jwt.decode(token, public, algorithms=["EdDSA"]) == {"sub": "ada"}


def test_the_key_set_is_copied_and_follows(cluster: Cluster, server: FakeServer) -> None:
    wanted = KeySet(config_map="identity", labels={})
    server.objects["/.well-known/openid-configuration"] = {"issuer": "https://cluster"}
    server.objects["/openid/v1/jwks"] = {"keys": [{"kid": "old"}]}
    assert provision.key_set(cluster, wanted) == ["config map identity: created"]
    assert provision.key_set(cluster, wanted) == []
    server.objects["/openid/v1/jwks"] = {"keys": [{"kid": "new"}]}
    assert provision.key_set(cluster, wanted) == ["config map identity: brought up to date"]
    data = server.objects["/api/v1/namespaces/games/configmaps/identity"]["data"]
    assert data["issuer"] == "https://cluster"
    assert json.loads(data["jwks.json"]) == {"keys": [{"kid": "new"}]}


def test_a_cluster_without_a_key_set_is_told_apart(cluster: Cluster) -> None:
    with pytest.raises(Refused, match="no key set"):
        provision.key_set(cluster, KeySet(config_map="identity", labels={}))


BASE = "/apis/palio.gg/v1alpha1"
DEPLOYMENT = "/apis/apps/v1/namespaces/games/deployments/palio-operator/scale"


def _tournaments(server: FakeServer, *places: str) -> None:
    server.objects[DEPLOYMENT] = {"spec": {"replicas": 1}}
    for place in places:
        namespace, _, name = place.partition("/")
        metadata = {
            "namespace": namespace, "name": name, "resourceVersion": "1", "finalizers": ["palio.gg/cleanup", "other"],
        }  # fmt: skip
        server.objects[f"{BASE}/namespaces/{namespace}/tournaments/{name}"] = {"metadata": metadata}


def _leaving(*namespaces: str) -> Leaving:
    return Leaving(
        group="palio.gg", version="v1alpha1", plurals=["tournaments"], finalizer="palio.gg/cleanup",
        namespaces=list(namespaces), deployment="palio-operator", selector="a=b", wait_s=0,
    )  # fmt: skip


def test_leaving_takes_only_our_finalizer_off_after_the_operator_has_ended(
    cluster: Cluster, server: FakeServer
) -> None:
    _tournaments(server, "games/cup", "games/open")
    assert leaving.release(cluster, _leaving("games")) == ["cup: released", "open: released"]
    assert server.objects[DEPLOYMENT]["spec"]["replicas"] == 0
    resource = server.objects[f"{BASE}/namespaces/games/tournaments/cup"]
    assert resource["metadata"]["finalizers"] == ["other"]
    assert leaving.release(cluster, _leaving("games")) == []
    first_patch = next(path for method, path in server.calls if method == "PATCH")
    assert first_patch == DEPLOYMENT


def test_leaving_finds_all_of_a_list_that_is_longer_than_a_page(cluster: Cluster, server: FakeServer) -> None:
    _tournaments(server, *(f"games/cup-{number}" for number in range(1_001)))
    assert len(leaving.release(cluster, _leaving("games"))) == 1_001


def test_leaving_where_nothing_is_defined_is_no_failure(cluster: Cluster) -> None:
    assert leaving.release(cluster, _leaving()) == []


def test_leaving_for_good_deletes(cluster: Cluster, server: FakeServer) -> None:
    _tournaments(server, "games/cup")
    assert leaving.delete(cluster, _leaving("games")) == ["cup: deleted"]
    assert not [path for path in server.objects if path.startswith(BASE)]
