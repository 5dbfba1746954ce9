"""What a person does: apply a tournament, play it, see it paid, delete it; and the same from REST's side."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from support.cluster import ROOT
from support.deployed import GAME, NAMESPACE, Deployed, Player, until

EXAMPLE = ROOT / "docs" / "examples" / "tournament.yaml"


def example(*, lasts_s: float) -> dict[str, Any]:
    """The example of the documents, with a window that begins now."""
    manifest: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    now = datetime.now(UTC).replace(microsecond=0)
    manifest["spec"] |= {
        "startTime": now.isoformat().replace("+00:00", "Z"),
        "endTime": (now + timedelta(seconds=lasts_s)).isoformat().replace("+00:00", "Z"),
    }
    return manifest


def test_the_example_is_applied_played_and_paid(palio: Deployed, players: list[Player]) -> None:
    cup = palio.apply(example(lasts_s=20))
    try:
        palio.play(cup, players)
        row = palio.kubectl("-n", NAMESPACE, "get", "trn", cup.name).splitlines()
        assert row[0].split()[:7] == ["NAME", "PHASE", "OPEN", "STARTS", "ENDS", "PLAYERS", "PRIZES"]
        until(lambda: palio.kubectl("get", *cup.at, "-o", "jsonpath={.status.participants}") == "3", within_s=30)
        row = palio.kubectl("-n", NAMESPACE, "get", "trn", cup.name, "--no-headers").split()
        assert (row[0], row[1], row[2], row[5]) == ("friday-cup", "Active", "True", "3")
        palio.kubectl("-n", NAMESPACE, "wait", "--for=condition=Succeeded", f"trn/{cup.name}", "--timeout=90s")
        palio.assert_paid_once(cup, players, (500, 200, 200))
        standings = palio.call("GET", f"/api/v1/tournaments/{cup.uid}/standings")["items"]
        assert [row["user_id"] for row in standings] == [player.id for player in players]
        shown = palio.call("GET", f"/api/v1/tournaments/{cup.uid}")
        assert (shown["phase"], shown["name"]) == ("Completed", "Friday Cup")
    finally:
        palio.delete(cup)
    assert palio.read(cup) is None
    assert palio.paid(cup) == [500, 200, 200]


def test_a_tournament_made_over_rest_appears_as_a_resource_of_the_same_id(palio: Deployed) -> None:
    now = datetime.now(UTC)
    organiser = palio.player()
    made = palio.call("POST", "/api/v1/tournaments", {
        "name": "Rest Cup", "game_id": GAME, "max_participants": 10, "prize_pool": 100,
        "start_time": now.isoformat(), "end_time": (now + timedelta(hours=1)).isoformat(),
    }, organiser.token)  # fmt: skip
    listed = json.loads(palio.kubectl("-n", NAMESPACE, "get", "trn", "-o", "json"))["items"]
    (resource,) = [one for one in listed if one["metadata"]["uid"] == made["id"]]
    assert resource["spec"]["displayName"] == "Rest Cup"
    cancelled = palio.call("POST", f"/api/v1/tournaments/{made['id']}/cancel", {}, organiser.token)
    assert cancelled["phase"] == "Cancelled"
    name = resource["metadata"]["name"]
    asked = "jsonpath={.status.phase}"
    until(lambda: palio.kubectl("-n", NAMESPACE, "get", "trn", name, "-o", asked) == "Cancelled")
    palio.kubectl("-n", NAMESPACE, "delete", "trn", name, "--timeout=60s")


def test_a_resource_appears_over_rest_under_its_uid(palio: Deployed) -> None:
    cup = palio.tournament(lasts_s=3600, displayName="Kubectl Cup")
    palio.wait_for(cup, phase="Active")
    assert palio.call("GET", f"/api/v1/tournaments/{cup.uid}")["name"] == "Kubectl Cup"
    palio.delete(cup)


def test_a_spec_edit_that_comes_too_late_is_refused_with_a_clear_message(palio: Deployed) -> None:
    cup = palio.tournament(lasts_s=3600)
    palio.wait_for(cup, phase="Active")
    earlier = json.dumps({"spec": {"startTime": "2020-01-01T00:00:00Z"}})
    with pytest.raises(AssertionError, match="startTime may not change once the tournament has started"):
        palio.kubectl("patch", *cup.at, "--type=merge", "-p", earlier)
    palio.kubectl("patch", *cup.at, "--type=merge", "-p", json.dumps({"spec": {"prizePool": 5000}}))
    palio.wait_for(cup, Accepted="False/ImmutableFieldChanged", Open="True/WithinWindow")
    palio.delete(cup)


def test_a_row_edited_by_hand_is_put_right_and_told(palio: Deployed) -> None:
    cup = palio.tournament(lasts_s=3600)
    palio.wait_for(cup, phase="Active", RecordSynced="True/Synced")
    palio.sql(f"UPDATE tournament.tournaments SET prize_pool = 999 WHERE id = '{cup.uid}'")
    palio.wait_for(cup, RecordSynced="True/DriftCorrected")
    assert palio.sql(f"SELECT prize_pool FROM tournament.tournaments WHERE id = '{cup.uid}'") == [["100"]]
    palio.delete(cup)


def test_every_pod_keeps_the_restricted_standard(palio: Deployed) -> None:
    """The API server says what would be refused if the namespace enforced it."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    command = palio.cluster.command("label", "--dry-run=server", "--overwrite", "namespace", NAMESPACE, label)
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Warning" not in told.stderr, told.stderr
