"""The chart of the stores."""

import json

from chart.rendering import containers, kinds, named, objects, text


def test_passwords_are_made_only_where_none_are_given() -> None:
    found = objects("palio-data")
    plan = json.loads(named(found, "ConfigMap", "palio-data-secrets")["data"]["plan.json"])
    assert [one["secret"] for one in plan["passwords"]] == ["palio-data-postgres", "palio-data-redis"]
    own = {"postgres.existingSecret": "mine", "redis.existingSecret": "mine"}
    assert kinds(objects("palio-data", own), "Job", "Role") == []


def test_the_services_look_for_the_secrets_that_are_made() -> None:
    rendered = text("palio")
    assert "name: palio-data-postgres, key: url" in rendered
    assert "name: palio-data-redis, key: url" in rendered


def test_postgres_keeps_its_data_and_ends_cleanly() -> None:
    (server,) = kinds(objects("palio-data"), "StatefulSet")
    (claim,) = server["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "8Gi"
    (container,) = containers(server["spec"]["template"])
    assert "kill -INT 1" in container["lifecycle"]["preStop"]["exec"]["command"][2]
    assert server["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 60


def test_commits_are_durable() -> None:
    rendered = text("palio-data")
    assert "fsync" not in rendered
    assert "synchronous_commit" not in rendered


def test_stores_are_reached_by_palio_only() -> None:
    found = objects("palio-data")
    for policy in (named(found, "NetworkPolicy", f"palio-data-{store}") for store in ("postgres", "redis")):
        (rule,) = policy["spec"]["ingress"]
        (peer,) = rule["from"]
        assert peer == {"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "palio"}}}
        assert policy["spec"]["egress"] == []


def test_what_makes_passwords_reaches_the_api_server_and_nobody_reaches_it() -> None:
    policy = named(objects("palio-data"), "NetworkPolicy", "palio-data-setup")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    assert {port["port"] for rule in policy["egress"] for port in rule["ports"]} == {53, 443, 6443}
    theirs = {"postgres.existingSecret": "mine", "redis.existingSecret": "mine"}
    assert len(kinds(objects("palio-data", theirs), "NetworkPolicy")) == 2
