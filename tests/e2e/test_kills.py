"""Whoever is killed, and whenever: a tournament ends with one payout, true conditions, and can be deleted."""

import json
from collections.abc import Callable

import pytest

from support.deployed import NAMESPACE, Deployed, Player, Tournament, until

SPLIT = (50, 30, 20)

Moment = Callable[[Deployed, Tournament], bool]

MOMENTS: dict[str, Moment] = {
    "while players play": lambda palio, cup: palio.told(cup).get("Open") == "True/WithinWindow",
    "as soon as it has ended": lambda palio, cup: palio.over(cup),
    "as soon as its Job is there": lambda palio, cup: palio.job(cup) is not None,
    "as soon as it is paid": lambda palio, cup: palio.paid(cup) != [],
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_the_operator_is_killed(palio: Deployed, players: list[Player], moment: Moment) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    until(lambda: moment(palio, cup), within_s=60, every_s=0.05)
    palio.kill_operator()
    palio.assert_paid_once(cup, players, SPLIT)
    palio.delete(cup)


def test_the_operator_is_killed_again_and_again_through_the_settlement(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    until(lambda: palio.over(cup), within_s=60)
    for _ in range(4):
        palio.kill_operator()
        palio.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/palio-operator", "--timeout=110s")
    palio.assert_paid_once(cup, players, SPLIT)
    palio.delete(cup)


def test_the_operator_is_away_across_the_end(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    with palio.without("operator"):
        until(lambda: palio.over(cup), within_s=60)
        assert palio.paid(cup) == []
    palio.assert_paid_once(cup, players, SPLIT)
    palio.delete(cup)


def test_the_pod_that_pays_is_killed_before_it_commits(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    with palio.row_held(cup) as let_go:
        until(palio.payouts_that_wait, within_s=60)
        palio.kill_payout(cup)
        let_go()
    palio.assert_paid_once(cup, players, SPLIT)
    palio.delete(cup)


def test_the_pod_that_pays_is_killed_after_it_has_committed(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    with palio.row_held(cup) as let_go:
        until(palio.payouts_that_wait, within_s=60)
        with palio.commits_unanswered():
            let_go()
            until(lambda: palio.has_committed(cup), within_s=30)
            palio.kill_payout(cup)
    palio.assert_paid_once(cup, players, SPLIT)
    until(lambda: "nothing was changed" in palio.payout_words(cup), what="its successor found it paid")
    palio.delete(cup)


def test_its_job_is_deleted_before_it_commits(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    with palio.row_held(cup) as let_go:
        until(palio.payouts_that_wait, within_s=60)
        palio.kubectl("-n", NAMESPACE, "delete", "job", cup.job, "--wait=false")
        let_go()
    palio.assert_paid_once(cup, players, SPLIT)
    palio.delete(cup)


def _second_job(palio: Deployed, cup: Tournament) -> str:
    """The same Job once more under another name."""
    job = palio.job(cup)
    assert job is not None
    spec = job["spec"]
    spec.pop("selector", None)
    template = spec["template"]["metadata"]
    template["labels"] = {
        key: value for key, value in template["labels"].items() if "controller-uid" not in key and "job-name" not in key
    }
    again = {
        "apiVersion": "batch/v1", "kind": "Job", "spec": spec,
        "metadata": {"name": f"{cup.job}-again", "namespace": NAMESPACE},
    }  # fmt: skip
    palio.kubectl("apply", "-f", "-", stdin=json.dumps(again))
    return f"{cup.job}-again"


def test_the_job_is_there_twice_and_both_pay_at_once(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    with palio.row_held(cup) as let_go:
        until(palio.payouts_that_wait, within_s=60)
        again = _second_job(palio, cup)
        until(lambda: palio.payouts_that_wait() >= 2, within_s=60)
        let_go()
    palio.kubectl("-n", NAMESPACE, "wait", "--for=condition=Complete", f"job/{again}", "--timeout=60s")
    palio.assert_paid_once(cup, players, SPLIT)
    palio.kubectl("-n", NAMESPACE, "delete", "job", again)
    palio.delete(cup)


def test_the_job_runs_again_after_everything_was_paid(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    palio.assert_paid_once(cup, players, SPLIT)
    again = _second_job(palio, cup)
    palio.kubectl("-n", NAMESPACE, "wait", "--for=condition=Complete", f"job/{again}", "--timeout=60s")
    assert "nothing was changed" in palio.kubectl("-n", NAMESPACE, "logs", f"job/{again}")
    palio.assert_paid_once(cup, players, SPLIT)
    palio.kubectl("-n", NAMESPACE, "delete", "job", again)
    palio.delete(cup)


def test_it_is_deleted_while_it_is_being_paid(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    with palio.row_held(cup) as let_go:
        until(palio.payouts_that_wait, within_s=60)
        palio.kubectl("delete", *cup.at, "--wait=false")
        assert palio.read(cup) is not None  # it waits for the payout
        let_go()
    until(lambda: palio.read(cup) is None, within_s=60, what="gone")
    assert palio.paid(cup) == list(SPLIT)
    assert palio.state(cup) == "completed"


def test_the_database_is_away_at_the_end(palio: Deployed, players: list[Player]) -> None:
    cup = palio.tournament()
    palio.play(cup, players)
    with palio.without("postgres"):
        until(lambda: palio.told(cup).get("RecordSynced") == "False/StoreUnavailable", within_s=60)
    palio.wait_for(cup, phase="Completed", within_s=180)
    palio.assert_paid_once(cup, players, SPLIT)
    palio.delete(cup)


def test_a_namespace_with_an_active_and_a_settling_tournament_goes(palio: Deployed, players: list[Player]) -> None:
    with palio.cluster.namespace() as name:
        active = palio.tournament(lasts_s=3600, namespace=name)
        settling = palio.tournament(namespace=name)
        palio.wait_for(active, phase="Active")
        palio.play(settling, players)
        until(lambda: palio.told(settling).get("phase") == "Settling", within_s=60, every_s=0.05)
        palio.kubectl("delete", "namespace", name, "--timeout=110s")
    assert palio.state(active) == "withdrawn"
    assert palio.state(settling) in ("withdrawn", "completed")
    assert palio.paid(settling) in ([], list(SPLIT))
