"""What holds for everything the charts make, whatever the values."""

import re
from typing import Any

import pytest

from chart import rendering
from chart.matrix import CASES, IDS
from chart.rendering import containers, environment, kinds, objects, pods

everything = pytest.mark.parametrize(("chart", "values"), CASES, ids=IDS)

LABELS = {
    "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/component",
    "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "helm.sh/chart",
}  # fmt: skip
SELECTOR = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}
SPEAKS_WITH_THE_API = {
    "Deployment/palio-operator", "Job/palio-operator-cleanup", "Job/palio-secrets", "Job/palio-keys",
    "Job/palio-data-secrets", "CronJob/palio-keys-refresh", "Deployment/palio-tournament",
}  # fmt: skip
KNOWN_DEFAULTS = re.compile(
    r"(?i)password['\"]?\s*[:=]\s*['\"]?(admin|password|postgres|secret|changeme|palio|redis|valkey|root|test|demo|12345\w*)\b"
)


@everything
def test_every_pod_is_restricted(chart: str, values: dict[str, Any]) -> None:
    for label, pod in pods(objects(chart, values)):
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True, label
        assert security["runAsUser"] > 0, label
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, label
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod["spec"].keys(), label
        for container in containers(pod):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, label
            assert own["readOnlyRootFilesystem"] is True, label
            assert own["capabilities"] == {"drop": ["ALL"]}, label
            assert not own.get("privileged"), label
        allowed = {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"}
        assert all(len(allowed & volume.keys()) == 1 for volume in pod["spec"].get("volumes", [])), label


@everything
def test_only_those_who_speak_with_the_api_server_get_its_token(chart: str, values: dict[str, Any]) -> None:
    holders = {label for label, pod in pods(objects(chart, values)) if pod["spec"]["automountServiceAccountToken"]}
    assert holders <= SPEAKS_WITH_THE_API
    for account in kinds(objects(chart, values), "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False, account["metadata"]["name"]


@everything
def test_no_pod_is_given_the_addresses_of_services_as_variables(chart: str, values: dict[str, Any]) -> None:
    """They would be read as settings: PALIO_GATEWAY_PORT=tcp://..."""
    assert all(pod["spec"]["enableServiceLinks"] is False for _, pod in pods(objects(chart, values)))


@everything
def test_every_container_has_bounds_on_memory_and_asks_for_cpu(chart: str, values: dict[str, Any]) -> None:
    for label, pod in pods(objects(chart, values)):
        for container in containers(pod):
            resources = container["resources"]
            assert resources["requests"].keys() >= {"cpu", "memory"}, label
            assert "memory" in resources["limits"], label


@everything
def test_long_running_pods_are_probed(chart: str, values: dict[str, Any]) -> None:
    for one in kinds(objects(chart, values), "Deployment", "StatefulSet"):
        (container,) = one["spec"]["template"]["spec"]["containers"]
        wanted = {"startupProbe", "livenessProbe"}
        if one["metadata"]["name"] != "palio-operator":
            wanted.add("readinessProbe")
        assert wanted <= container.keys(), one["metadata"]["name"]


@everything
def test_everything_is_labelled_and_in_its_namespace(chart: str, values: dict[str, Any]) -> None:
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
    for one in objects(chart, values):
        label = f"{one['kind']}/{one['metadata']['name']}"
        assert one["metadata"]["labels"].keys() >= LABELS, label
        assert one["kind"] in cluster_wide or "namespace" in one["metadata"], label
    for label, pod in pods(objects(chart, values)):
        assert pod["metadata"]["labels"].keys() >= LABELS, label


@everything
def test_selectors_hold_only_what_an_upgrade_cannot_change(chart: str, values: dict[str, Any]) -> None:
    found = objects(chart, values)
    for one in kinds(found, "Deployment", "StatefulSet"):
        selector = one["spec"]["selector"]["matchLabels"]
        assert selector.keys() == SELECTOR, one["metadata"]["name"]
        assert selector.items() <= one["spec"]["template"]["metadata"]["labels"].items(), one["metadata"]["name"]
    for service in kinds(found, "Service"):
        selector = service["spec"]["selector"]
        meant = [pod for _, pod in pods(found) if selector.items() <= pod["metadata"]["labels"].items()]
        assert len(meant) == 1, service["metadata"]["name"]
        ports = {port["name"] for container in containers(meant[0]) for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, service["metadata"]["name"]


@everything
def test_no_two_workloads_share_a_selector(chart: str, values: dict[str, Any]) -> None:
    selectors = [
        tuple(sorted(one["spec"]["selector"]["matchLabels"].items()))
        for one in kinds(objects(chart, values), "Deployment", "StatefulSet")
    ]
    assert len(selectors) == len(set(selectors))


@everything
def test_no_name_is_taken_twice(chart: str, values: dict[str, Any]) -> None:
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects(chart, values)]
    assert sorted({str(name) for name in names if names.count(name) > 1}) == []


@everything
def test_nothing_secret_is_rendered(chart: str, values: dict[str, Any]) -> None:
    found = objects(chart, values)
    assert kinds(found, "Secret") == []
    assert KNOWN_DEFAULTS.search(rendering.text(chart, values)) is None
    for label, pod in pods(found):
        for container in containers(pod):
            for name, value in environment(container).items():
                if name in ("PALIO_DATABASE_URL", "PALIO_REDIS_URL") or "PASSWORD" in name:
                    assert "secretKeyRef" in value, (label, name)


@everything
def test_rendering_twice_gives_the_same(chart: str, values: dict[str, Any]) -> None:
    """Where templates roll dice, every synchronisation of a GitOps tool changes a password."""
    first = rendering.text(chart, values)
    rendering._rendered.cache_clear()
    assert rendering.text(chart, values) == first


@everything
def test_mounts_and_volumes_agree(chart: str, values: dict[str, Any]) -> None:
    for label, pod in pods(objects(chart, values)):
        claimed = {"data"} if label == "StatefulSet/palio-data-postgres" else set()
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])}
        mounts = {mount["name"] for container in containers(pod) for mount in container.get("volumeMounts", [])}
        assert mounts == volumes | claimed, label


@everything
def test_jobs_end_in_bounded_time(chart: str, values: dict[str, Any]) -> None:
    for job in kinds(objects(chart, values), "Job"):
        name = job["metadata"]["name"]
        assert job["spec"]["activeDeadlineSeconds"] <= 7200, name
        assert job["spec"]["backoffLimit"] <= 6, name


@everything
def test_every_rule_names_its_verbs(chart: str, values: dict[str, Any]) -> None:
    for role in kinds(objects(chart, values), "Role", "ClusterRole"):
        for rule in role["rules"]:
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in words, role["metadata"]["name"]
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), role["metadata"]["name"]
            assert "pods/exec" not in rule["resources"], role["metadata"]["name"]
            if "secrets" in rule["resources"] and rule["verbs"] != ["create"]:
                assert rule["resourceNames"], role["metadata"]["name"]


@pytest.mark.parametrize("chart", rendering.NAMES)
def test_every_rule_has_its_reason_beside_it(chart: str) -> None:
    lines = [line.strip() for line in rendering.text(chart).splitlines()]
    rules = [index for index, line in enumerate(lines) if line.startswith("- {apiGroups:")]
    bare = [lines[index] for index in rules if not lines[index - 1].startswith(("#", "- {apiGroups:"))]
    assert bare == []
