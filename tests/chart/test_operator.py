"""The operator's chart: rights, definitions, and leaving."""

import json
import os
import runpy
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from chart.rendering import NAMESPACE, ROOT, containers, environment, kinds, named, notes, objects
from palio_operator.loadtests.fence import Fence
from palio_operator.loadtests.jobs import RunnerPods, manifest
from palio_operator.loadtests.models import LoadTestSpec, Meta
from palio_operator.resources import FINALIZER
from palio_operator.settings import Settings

META = Meta("0190a000-0000-7000-8000-000000000002", NAMESPACE, "evening", 1)
SPEC = LoadTestSpec.parse({"load": {"virtualUsers": 1, "durationSeconds": 5}})
RUNNERS = RunnerPods(
    NAMESPACE, "palio-generator:1", "Never", "palio-loadrunner", "http://palio-generator:23458", 600, {}
)
SOME = {"watch.namespaces": ["arena"]}


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
    tokens = [one["serviceAccountToken"] for one in pod["spec"]["volumes"][0]["projected"]["sources"]]
    assert {one["path"]: one["audience"] for one in tokens} == {
        "tournament": "palio-tournament", "generator": "palio-generator",
    }  # fmt: skip


def test_prize_jobs_find_the_secret_that_the_services_chart_makes() -> None:
    pod = named(objects("palio-operator"), "Deployment", "palio-operator")["spec"]["template"]
    told = environment(containers(pod)[0])
    plan = json.loads(named(objects("palio"), "ConfigMap", "palio-secrets")["data"]["plan.json"])
    assert told["PALIO_PAYOUT_DATABASE_SECRET"] in [one["secret"] for one in plan["passwords"]]
    named(objects("palio-operator"), "ServiceAccount", told["PALIO_PAYOUT_SERVICE_ACCOUNT"])


def test_prize_jobs_may_pull_from_a_registry_with_a_password() -> None:
    account = named(objects("palio-operator", {"image.pullSecrets": ["registry"]}), "ServiceAccount", "palio-payout")
    assert account["imagePullSecrets"] == [{"name": "registry"}]


@pytest.mark.parametrize("named_too", [[], [NAMESPACE]])
def test_with_namespaces_named_there_are_rights_there_and_in_its_own_and_nowhere_else(named_too: list[str]) -> None:
    values = {"watch.namespaces": [*SOME["watch.namespaces"], *named_too], "aggregateRoles": False}
    found = objects("palio-operator", values)
    assert kinds(found, "ClusterRole", "ClusterRoleBinding") == []
    for account in ("palio-operator", f"palio-operator-cleanup-{NAMESPACE}"):
        roles = [one for one in kinds(found, "Role") if one["metadata"]["name"] == account]
        assert sorted(one["metadata"]["namespace"] for one in roles) == ["arena", NAMESPACE]


def test_its_own_namespace_is_looked_after_whatever_is_named() -> None:
    """REST makes its resources there, and the Jobs that pay run in it."""
    found = objects("palio-operator", SOME)
    pod = named(found, "Deployment", "palio-operator")["spec"]["template"]
    assert json.loads(environment(containers(pod)[0])["PALIO_NAMESPACES"]) == [NAMESPACE, "arena"]
    plan = json.loads(named(found, "ConfigMap", "palio-operator-cleanup")["data"]["plan.json"])
    assert plan["namespaces"] == [NAMESPACE, "arena"]


BSD_DATE = """#!/bin/sh
case "$*" in
  +%s) exec {date} +%s ;;
  "-u -r "*) exec {date} -u -d "@$3" "$4" ;;
  *) echo "usage: date [-jnRu] [-r seconds|file] [+output_fmt]" >&2; exit 1 ;;
esac
"""


@pytest.mark.parametrize("bsd", [False, True])
def test_what_the_notes_apply_is_a_tournament_of_a_minute_whatever_date_is_installed(bsd: bool, tmp_path: Path) -> None:
    told = notes("palio-operator", tmp_path, SOME)
    script = told[told.index("  now=") : told.index("  END\n")].replace("\n  ", "\n") + "END\n"
    programs = {"kubectl": "#!/bin/sh\nexec cat\n"}
    if bsd:
        programs["date"] = BSD_DATE.format(date=shutil.which("date"))
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    applied = subprocess.run(["sh", "-c", script], env={"PATH": path}, capture_output=True, text=True, check=True)
    spec = yaml.safe_load(applied.stdout)["spec"]
    lasts = datetime.fromisoformat(spec["endTime"]) - datetime.fromisoformat(spec["startTime"])
    assert lasts.total_seconds() == 60
    assert abs((datetime.fromisoformat(spec["startTime"]) - datetime.now(UTC)).total_seconds()) < 60


def test_nobody_touches_secrets_and_no_job_is_changed() -> None:
    for role in kinds(objects("palio-operator"), "Role", "ClusterRole"):
        for rule in role["rules"]:
            assert "secrets" not in rule["resources"]
            if "jobs" in rule["resources"]:
                deletes = {"delete"} if role["metadata"]["name"] == "palio-operator-loadtests" else set()
                assert set(rule["verbs"]) <= {"get", "list", "watch", "create"} | deletes


def test_the_operator_reads_its_settings_for_load_tests_as_the_chart_tells_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {"loadTest.allowedHosts": ["play.example.org"], "loadTest.maxConcurrent": 2}
    pod = named(objects("palio-operator", values), "Deployment", "palio-operator")["spec"]["template"]
    for name, value in environment(containers(pod)[0]).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.terms().concurrent_max == 2
    assert settings.terms().fence == Fence(
        "http://palio-gateway:23455", "ws://palio-websocket:23456/ws/main", NAMESPACE, ("play.example.org",)
    )
    runners = settings.runner_pods()
    named(objects("palio-operator"), "ServiceAccount", runners.service_account)
    assert runners.generator_url == "http://palio-generator:23458"
    assert runners.resources["limits"] == {"memory": "1Gi"}


def test_runners_reach_what_they_load_and_the_generator_and_it_lets_them_in() -> None:
    spec = named(objects("palio-operator"), "NetworkPolicy", "palio-loadrunner")["spec"]
    labels = manifest(META, SPEC, RUNNERS)["spec"]["template"]["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"].items() <= labels.items()
    assert "ingress" not in spec
    reached = [one["podSelector"]["matchLabels"] for rule in spec["egress"] for one in rule.get("to", [])]
    services = objects("palio", {"profile": "demo"})
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in kinds(services, "Deployment")]
    found = {pod["app.kubernetes.io/component"] for pod in pods for one in reached if one.items() <= pod.items()}
    assert found == {"gateway", "websocket", "generator"}
    (ingress, _) = named(services, "NetworkPolicy", "palio-generator")["spec"]["ingress"]
    admitted = [one["podSelector"]["matchLabels"] for one in ingress["from"]]
    assert any(one.items() <= labels.items() for one in admitted)
    operator = named(objects("palio-operator"), "Deployment", "palio-operator")["spec"]["template"]["metadata"]
    assert any(one.items() <= operator["labels"].items() for one in admitted)


def test_without_load_tests_there_are_no_rights_and_no_account_for_them() -> None:
    found = objects("palio-operator", {"loadTest.enabled": False, "aggregateRoles": False})
    names = [one["metadata"]["name"] for one in found if one["kind"] not in ("CustomResourceDefinition", "ConfigMap")]
    assert not [name for name in names if "load" in name]
    mine = [role for role in kinds(found, "Role", "ClusterRole") if "cleanup" not in role["metadata"]["name"]]
    assert not [rule for role in mine for rule in role["rules"] if "load" in str(rule)]


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
