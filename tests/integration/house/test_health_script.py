"""The health script for Argo CD, run by a real Lua (Valkey's) over statuses as the operator tells them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from palio_operator.models import DesiredState, JobState
from unit.operator.simulated import Simulation, a_spec, seconds

PAGE = Path(__file__).resolve().parents[3] / "docs" / "gitops.md"
KEY = "resource.customizations.health.palio.gg_Tournament"
WRAPPED = "local obj = cjson.decode(ARGV[1])\nlocal function judge()\n%s\nend\nreturn cjson.encode(judge())"


def script() -> str:
    (block,) = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL) if KEY in block]
    found: str = yaml.safe_load(block)["data"][KEY]
    return found


@pytest.fixture
def judged(redis_url: str) -> Callable[[Simulation], dict[str, Any]]:
    """What the script says of a simulated tournament, as it is now."""

    def judge(simulation: Simulation) -> dict[str, Any]:
        resource = {"metadata": {"generation": simulation.generation}}
        if simulation.status:
            resource["status"] = simulation.status
        with redis.Redis.from_url(redis_url) as client:
            said: dict[str, Any] = json.loads(client.eval(WRAPPED % script(), 0, json.dumps(resource)))
        return said

    return judge


def reconciled(simulation: Simulation, at_s: float) -> Simulation:
    simulation.now = seconds(at_s)
    simulation.reconcile()
    return simulation


def test_before_the_operator_has_seen_it_a_tournament_is_progressing(judged: Callable[..., Any]) -> None:
    assert judged(Simulation())["status"] == "Progressing"


def test_a_tournament_is_healthy_from_before_its_start_until_after_its_prizes(judged: Callable[..., Any]) -> None:
    simulation = reconciled(Simulation(), 0)
    assert judged(simulation) == {"status": "Healthy", "message": "NotStarted: scores count from 2026-03-06T12:00:10Z"}
    assert judged(reconciled(simulation, 20)) == {
        "status": "Healthy", "message": "WithinWindow: scores count until 2026-03-06T12:01:10Z",
    }  # fmt: skip
    assert judged(reconciled(simulation, 75))["status"] == "Healthy"
    assert simulation.settle()
    assert judged(reconciled(simulation, 76)) == {
        "status": "Healthy", "message": "Completed: 1 prizes are in the ledger",
    }  # fmt: skip


def test_a_change_that_was_not_taken_up_yet_is_progressing(judged: Callable[..., Any]) -> None:
    simulation = reconciled(Simulation(), 0)
    simulation.generation = 2
    assert judged(simulation)["status"] == "Progressing"


def test_a_tournament_that_is_refused_is_degraded_with_the_reason(judged: Callable[..., Any]) -> None:
    said = judged(reconciled(Simulation(), 100))
    assert (said["status"], said["message"].split(":")[0]) == ("Degraded", "EndTimeInPast")


def test_a_payout_that_failed_is_degraded(judged: Callable[..., Any]) -> None:
    simulation = reconciled(reconciled(Simulation(), 0), 75)
    simulation.jobs = dict.fromkeys(simulation.jobs, JobState.FAILED)
    said = judged(reconciled(simulation, 80))
    assert (said["status"], said["message"].split(":")[0]) == ("Degraded", "JobFailed")


def test_while_the_tournament_service_is_away_it_is_progressing(judged: Callable[..., Any]) -> None:
    simulation = reconciled(Simulation(), 0)
    simulation.store_answers = False
    assert judged(reconciled(simulation, 20))["status"] == "Progressing"


def test_suspended_and_paused_are_suspended(judged: Callable[..., Any]) -> None:
    assert (
        judged(reconciled(Simulation(spec=a_spec(desired_state=DesiredState.SUSPENDED)), 20))["status"] == "Suspended"
    )
    assert judged(reconciled(Simulation(paused=True), 0))["status"] == "Suspended"


def test_a_tournament_that_was_cancelled_on_purpose_is_healthy(judged: Callable[..., Any]) -> None:
    simulation = reconciled(Simulation(), 0)
    simulation.spec, simulation.generation = a_spec(desired_state=DesiredState.CANCELLED), 2
    assert judged(reconciled(simulation, 20))["status"] == "Healthy"
