"""The operator's chart: rights, definitions, and leaving."""

import json
import runpy

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from chart.rendering import NAMESPACE, ROOT, containers, environment, kinds, named, objects
from palio_operator.models import FINALIZER
from palio_operator.settings import Settings

SOME = {"watch.namespaces": ["games", "arena"]}


def test_the_definitions_are_copies() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "crds.py"))
    assert tool["stale"]() == [], "run `make crds`"


def test_the_definitions_are_rendered_as_they_are() -> None:
    rendered = {
        one["metadata"]["name"]: one["spec"] for one in kinds(objects("palio-operator"), "CustomResourceDefinition")
    }
    sources = [yaml.safe_load(file.read_text()) for file in (ROOT / "crds").glob("*.yaml")]
    assert rendered == {one["metadata"]["name"]: one["spec"] for one in sources}


@pytest.mark.parametrize("keep", [True, False])
def test_definitions_are_kept_only_if_asked_for(keep: bool) -> None:
    for one in kinds(objects("palio-operator", {"crds.keep": keep}), "CustomResourceDefinition"):
        assert ("helm.sh/resource-policy" in one["metadata"].get("annotations", {})) is keep


def test_definitions_can_be_left_out() -> None:
    assert kinds(objects("palio-operator", {"crds.enabled": False}), "CustomResourceDefinition") == []


def test_no_resource_is_made_beside_its_definition() -> None:
    assert kinds(objects("palio-operator"), "Tournament", "LoadTest") == []


def test_there_is_one_operator() -> None:
    spec = named(objects("palio-operator"), "Deployment", "palio-operator")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_every_setting_that_is_told_exists() -> None:
    pod = named(objects("palio-operator"), "Deployment", "palio-operator")["spec"]["template"]
    told = environment(containers(pod)[0])
    assert told.keys() <= {f"PALIO_{name.upper()}" for name in Settings.model_fields}
    assert told["PALIO_PAYOUT_NAMESPACE"] == NAMESPACE
    assert json.loads(told["PALIO_NAMESPACES"]) == []
    (token,) = pod["spec"]["volumes"][0]["projected"]["sources"]
    assert token["serviceAccountToken"]["audience"] == "palio-tournament"


def test_prize_jobs_find_the_secret_that_the_services_chart_makes() -> None:
    pod = named(objects("palio-operator"), "Deployment", "palio-operator")["spec"]["template"]
    told = environment(containers(pod)[0])
    plan = json.loads(named(objects("palio"), "ConfigMap", "palio-secrets")["data"]["plan.json"])
    assert told["PALIO_PAYOUT_DATABASE_SECRET"] in [one["secret"] for one in plan["passwords"]]
    named(objects("palio-operator"), "ServiceAccount", told["PALIO_PAYOUT_SERVICE_ACCOUNT"])


def test_with_namespaces_named_there_are_no_rights_elsewhere() -> None:
    found = objects("palio-operator", {**SOME, "aggregateRoles": False})
    assert kinds(found, "ClusterRole", "ClusterRoleBinding") == []
    assert {one["metadata"]["namespace"] for one in kinds(found, "Role")} == {"games", "arena"}


def test_nobody_touches_secrets_and_jobs_are_only_created() -> None:
    for role in kinds(objects("palio-operator"), "Role", "ClusterRole"):
        for rule in role["rules"]:
            assert "secrets" not in rule["resources"]
            if "jobs" in rule["resources"]:
                assert set(rule["verbs"]) <= {"get", "list", "watch", "create"}


@pytest.mark.parametrize(("mode", "command", "deletes"), [("Release", "release", False), ("Delete", "delete", True)])
def test_leaving_takes_off_the_finalizer_and_deletes_only_if_asked_for(mode: str, command: str, deletes: bool) -> None:
    found = objects("palio-operator", {"cleanup.mode": mode})
    job = named(found, "Job", "palio-operator-cleanup")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    (container,) = containers(job["spec"]["template"])
    assert container["command"][3] == command
    plan = json.loads(named(found, "ConfigMap", "palio-operator-cleanup")["data"]["plan.json"])
    assert plan["finalizer"] == FINALIZER
    rules = named(found, "ClusterRole", f"palio-operator-cleanup-{NAMESPACE}")["rules"]
    assert any("delete" in rule["verbs"] for rule in rules) is deletes
