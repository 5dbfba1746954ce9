"""The chart of the services: what each is told, whom it may reach, and how much of it there is."""

import ast
import json
import re
from typing import Any

import pytest

from chart.rendering import NAMESPACE, ROOT, Failed, Object, containers, environment, kinds, named, objects, text
from palio_kit.http import IDLE_S
from palio_local.environment import Surroundings
from palio_local.identity import Identities
from palio_local.services import MIGRATION_ORDER, SERVICES, UI_PORT
from palio_local.stores import Stores

DEMO = {"profile": "demo"}
FOLDERS = {manifest.parent.name for manifest in ROOT.glob("services/*/pyproject.toml")}


def deployment(found: list[Object], service: str) -> Object:
    pod: Object = named(found, "Deployment", f"palio-{service}")["spec"]["template"]
    return pod


def told(found: list[Object], service: str) -> dict[str, Any]:
    (container,) = containers(deployment(found, service))
    return environment(container)


def plan(found: list[Object], name: str) -> Any:
    return json.loads(named(found, "ConfigMap", name)["data"]["plan.json"])


def callees(found: list[Object], service: str) -> set[str]:
    volumes = {volume["name"]: volume for volume in deployment(found, service)["spec"]["volumes"]}
    sources = volumes["identity"].get("projected", {}).get("sources", [])
    tokens = [source["serviceAccountToken"] for source in sources]
    assert all(token["audience"] == f"palio-{token['path']}" for token in tokens)
    return {token["path"] for token in tokens}


def calls_in_source(service: str) -> set[str]:
    """The peers that a service's code asks for by name."""
    found = set()
    for file in (ROOT / "services" / service / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "peer":
                found |= {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
    return found


def edges(found: list[Object]) -> set[tuple[str, str]]:
    """Who may send to whom, if both policies let it."""
    policies = {
        one["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component"): one["spec"]
        for one in kinds(found, "NetworkPolicy")
    }

    def components(rules: list[Object], side: str) -> set[str]:
        peers = [peer for rule in rules for peer in rule.get(side, [])]
        selectors = [peer["podSelector"]["matchLabels"] for peer in peers if "podSelector" in peer]
        return {selector.get("app.kubernetes.io/component", "") for selector in selectors}

    def lets_in(callee: str) -> set[str]:
        rules = policies[callee].get("ingress", [])
        return set(policies) if any("from" not in rule for rule in rules) else components(rules, "from")

    return {
        (caller, callee)
        for caller, spec in policies.items()
        for callee in components(spec.get("egress", []), "to") & policies.keys()
        if caller in lets_in(callee)
    }


def test_the_repository_and_the_values_name_the_same_services() -> None:
    schema = json.loads((ROOT / "charts/palio/values.schema.json").read_text())
    assert set(schema["properties"]["services"]["properties"]) == FOLDERS
    assert {service.name for service in SERVICES} == FOLDERS
    assert {f"palio-{name}" for name in FOLDERS} == {
        one["metadata"]["name"] for one in kinds(objects("palio", DEMO), "Deployment")
    }


def test_ports_are_those_of_one_machine() -> None:
    found = objects("palio", DEMO)
    for service in SERVICES:
        ports = {one["name"]: one["port"] for one in named(found, "Service", f"palio-{service.name}")["spec"]["ports"]}
        assert ports == {"http": service.port} | ({"ui": UI_PORT} if service.further_ports else {})


def test_each_service_is_told_what_it_is_told_on_one_machine(tmp_path: Any) -> None:
    found = objects("palio", DEMO)
    stores = Stores("postgresql://palio:x@127.0.0.1:1/palio", "redis://:y@127.0.0.1:2/0", {}, None, None)
    stores.passwords.update({f"palio_{service.name}": "x" for service in SERVICES})
    urls = {service.name: f"http://palio-{service.name}:{service.port}" for service in SERVICES}
    locally = Surroundings(stores, Identities(tmp_path, []), tmp_path / "keys.json", urls, UI_PORT)
    without_stores = {"gateway": {"PALIO_DATABASE_URL", "PALIO_REDIS_URL"}, "websocket": {"PALIO_DATABASE_URL"}}
    only_local = {"PALIO_UI_PORT", "PALIO_GATEWAY_PORT", "PALIO_DRAIN_S"}
    for service in SERVICES:
        here = told(found, service.name)
        there = locally.of(service.name, service.port)
        missing = there.keys() - here.keys() - without_stores.get(service.name, set()) - only_local
        assert missing == set(), service.name
        addresses = {key for key in there if key.endswith("_URL") and isinstance(here.get(key), str)}
        assert {key: here[key] for key in addresses} == {key: there[key] for key in addresses}


def test_every_setting_that_is_told_exists() -> None:
    found = objects("palio", {**DEMO, "tournaments.runBy": "operator", "trustedProxies": ["10.0.0.0/8"],
                              "origins": ["https://a.example.org"]})  # fmt: skip
    for service in SERVICES:
        known = {f"PALIO_{name.upper()}" for name in service.settings_class.model_fields}
        assert told(found, service.name).keys() <= known, service.name


def test_a_service_has_a_token_for_each_service_it_calls_and_no_other() -> None:
    found = objects("palio", DEMO)
    for name in FOLDERS - {"gateway"}:
        assert callees(found, name) == calls_in_source(name), name
    routing = (ROOT / "services/gateway/src/palio_gateway/routing.py").read_text()
    behind = set(re.findall(r"_of\(\s*\"(\w+)\"", routing))
    assert callees(found, "gateway") == behind | calls_in_source("gateway")


def test_traffic_is_let_through_where_services_call_one_another_and_nowhere_else() -> None:
    found = objects("palio", DEMO)
    expected = {(name, callee) for name in FOLDERS for callee in callees(found, name)}
    expected |= {(name, "user") for name in FOLDERS}
    expected |= {("gateway", "websocket"), ("generator", "gateway"), ("test", "gateway")}
    assert edges(found) == expected


def test_all_pods_are_denied_everything_else() -> None:
    deny = named(objects("palio"), "NetworkPolicy", "palio-deny-all")["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & deny.keys()
    for _, pod in [(name, deployment(objects("palio", DEMO), name)) for name in FOLDERS]:
        assert {"app.kubernetes.io/part-of": "palio"}.items() <= pod["metadata"]["labels"].items()


def test_the_key_set_is_reachable_by_everybody() -> None:
    assert {(name, "user") for name in FOLDERS} <= edges(objects("palio", DEMO))


def test_migrations_run_in_the_order_of_one_machine_after_the_secrets() -> None:
    found = objects("palio")
    assert plan(found, "palio-migrate")["packages"] == [f"palio_{name}" for name in MIGRATION_ORDER]
    weights = {
        name: int(named(found, "Job", name)["metadata"]["annotations"]["helm.sh/hook-weight"])
        for name in ("palio-secrets", "palio-keys", "palio-migrate")
    }
    assert weights["palio-secrets"] < weights["palio-migrate"]


def test_every_role_is_made_and_only_those_with_a_database_get_a_secret() -> None:
    wanted = plan(objects("palio"), "palio-migrate")
    assert {*wanted["roles"], *wanted["without_password"]} == {f"palio_{name}" for name in FOLDERS}
    assert set(wanted["without_password"]) == {"palio_gateway", "palio_websocket"}
    made = {one["secret"]: one["role"] for one in plan(objects("palio"), "palio-secrets")["passwords"]}
    assert made == {f"palio-{role.removeprefix('palio_')}-database": role for role in wanted["roles"]}


def test_a_role_of_ones_own_is_neither_made_nor_given_a_password() -> None:
    found = objects("palio", {"database.roles": {"user": {"secret": "mine", "key": "uri"}}})
    migrates = plan(found, "palio-migrate")
    assert "palio_user" not in [*migrates["roles"], *migrates["without_password"]]
    assert "palio-user-database" not in text("palio", {"database.roles": {"user": {"secret": "mine", "key": "uri"}}})
    assert told(found, "user")["PALIO_DATABASE_URL"] == {"secretKeyRef": {"name": "mine", "key": "uri"}}


def test_the_production_profile_has_no_demo_parts() -> None:
    found = objects("palio")
    assert "palio-generator" not in {one["metadata"]["name"] for one in kinds(found, "Deployment")}
    assert {told(found, name)["PALIO_PROFILE"] for name in FOLDERS - {"generator"}} == {"production"}
    assert not [one for one in kinds(found, "Service") if one["spec"].get("type") == "NodePort"]


def test_one_replica_has_no_budget_and_more_have_one_and_are_spread() -> None:
    assert kinds(objects("palio"), "PodDisruptionBudget") == []
    found = objects("palio", {"services.gateway.replicas": 3})
    (budget,) = kinds(found, "PodDisruptionBudget")
    assert budget["metadata"]["name"] == "palio-gateway"
    assert budget["spec"]["maxUnavailable"] == 1
    (constraint,) = deployment(found, "gateway")["spec"]["topologySpreadConstraints"]
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"


def test_an_autoscaled_service_leaves_its_replicas_to_the_autoscaler() -> None:
    found = objects("palio", {"services.score.autoscaling.enabled": True})
    (scaler,) = kinds(found, "HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] == "palio-score"
    assert "replicas" not in named(found, "Deployment", "palio-score")["spec"]
    assert [one["metadata"]["name"] for one in kinds(found, "PodDisruptionBudget")] == ["palio-score"]


def test_the_generator_is_never_there_twice() -> None:
    with pytest.raises(Failed):
        objects("palio", {**DEMO, "services.generator.replicas": 2})
    assert named(objects("palio", DEMO), "Deployment", "palio-generator")["spec"]["strategy"] == {"type": "Recreate"}


def test_sockets_are_told_to_move_before_the_process_is() -> None:
    (container,) = containers(deployment(objects("palio"), "websocket"))
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command[:2] == ["python", "-c"]
    assert "23456/internal/v1/drain" in command[2]
    assert 'method="POST"' in command[2]
    compile(command[2], "preStop", "exec")


def test_a_pod_has_time_for_its_preparations_and_open_requests() -> None:
    for name in FOLDERS:
        found = objects("palio", DEMO)
        pod = deployment(found, name)
        (container,) = containers(pod)
        before = 20 if "lifecycle" in container else 0
        leaving = float(told(found, name)["PALIO_LEAVE_S"])
        assert pod["spec"]["terminationGracePeriodSeconds"] >= before + leaving + 20 + 5, name


def test_a_pod_that_leaves_answers_longer_than_its_callers_keep_idle_connections() -> None:
    found = objects("palio", DEMO)
    for name in FOLDERS:
        assert float(told(found, name)["PALIO_LEAVE_S"]) >= IDLE_S + 3, name  # and a busy node is late by so much


def test_node_ports_are_those_of_the_kind_cluster() -> None:
    found = objects("palio", {"nodePorts.enabled": True})
    given = {port["nodePort"] for one in kinds(found, "Service") for port in one["spec"]["ports"] if "nodePort" in port}
    mapped = {int(port) for port in re.findall(r"containerPort: (\d+)", (ROOT / "kind-config.yaml").read_text())}
    assert given
    assert given <= mapped


def test_public_hosts_are_allowed_as_origins() -> None:
    values = {"ingress.enabled": True, "ingress.hosts": ["play.example.org"], "ingress.tlsSecret": "tls",
              "origins": ["https://other.example.org"]}  # fmt: skip
    found = objects("palio", values)
    expected = ["https://other.example.org", "https://play.example.org"]
    assert json.loads(told(found, "gateway")["PALIO_CORS_ORIGINS"]) == expected
    assert json.loads(told(found, "websocket")["PALIO_ORIGINS"]) == expected


def test_nothing_is_public_unless_asked_for() -> None:
    assert kinds(objects("palio"), "Ingress", "HTTPRoute") == []


@pytest.mark.parametrize("values", [{"ingress.enabled": True}, {"httpRoute.enabled": True}])
def test_a_door_without_a_name_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(Failed):
        objects("palio", values)


def test_with_the_operator_the_tournament_service_may_create_resources_and_sweeps_no_more() -> None:
    found = objects("palio", {"tournaments.runBy": "operator"})
    assert told(found, "tournament")["PALIO_SWEEPER"] == "false"
    assert told(found, "tournament")["PALIO_KUBERNETES_NAMESPACE"] == NAMESPACE
    rules = named(found, "Role", "palio-tournament")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"create", "get", "patch"}
    assert told(objects("palio"), "tournament")["PALIO_SWEEPER"] == "true"


def test_with_the_operator_the_generator_may_create_and_stop_load_tests() -> None:
    found = objects("palio", {**DEMO, "tournaments.runBy": "operator"})
    assert told(found, "generator")["PALIO_KUBERNETES"] == "true"
    assert told(found, "generator")["PALIO_KUBERNETES_NAMESPACE"] == NAMESPACE
    rules = named(found, "Role", "palio-generator")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"create", "patch"}
    pod = named(found, "Deployment", "palio-generator")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"]
    assert told(objects("palio", DEMO), "generator")["PALIO_KUBERNETES"] == "false"


def test_a_foreign_issuer_needs_no_copy_of_the_key_set() -> None:
    values = {"identity.jwksUrl": "https://issuer.example.org/keys", "identity.issuer": "https://issuer.example.org"}
    found = objects("palio", values)
    assert kinds(found, "CronJob") == []
    assert "palio-identity" not in text("palio", values)
    assert told(found, "score")["PALIO_IDENTITY_ISSUER"] == "https://issuer.example.org"


def test_the_played_tournament_is_valid_python() -> None:
    compile(named(objects("palio"), "ConfigMap", "palio-test")["data"]["play.py"], "play.py", "exec")
