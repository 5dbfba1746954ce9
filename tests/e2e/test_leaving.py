"""Uninstalling leaves nothing that waits for somebody who is gone, and installing again finds what was there."""

from support.deployed import NAMESPACE, Deployed, Player, until
from support.releases import helm, install

SPLIT = (50, 30, 20)


def test_everything_is_uninstalled_and_installed_again(palio: Deployed, players: list[Player]) -> None:
    paid, active = palio.tournament(), palio.tournament(lasts_s=3600)
    palio.wait_for(active, phase="Active")
    palio.play(paid, players)
    palio.assert_paid_once(paid, players, SPLIT)
    try:
        helm(palio.cluster, "uninstall", "palio-operator", "--wait", "--timeout=120s")
        body = palio.read(active)
        assert body is not None
        assert not body["metadata"].get("finalizers")
        palio.kubectl("delete", *active.at, "--timeout=20s")  # nobody has to let it go any more
        helm(palio.cluster, "uninstall", "palio", "--wait", "--timeout=120s")
        helm(palio.cluster, "uninstall", "palio-data", "--wait", "--timeout=180s")
        until(lambda: not _running(palio), within_s=60, what="no pods")
        palio.kubectl("get", "crd", "tournaments.palio.gg")
        assert palio.read(paid) is not None
    finally:
        install()
    palio.assert_paid_once(paid, players, SPLIT)
    palio.delete(paid)


def _running(palio: Deployed) -> list[str]:
    ours = "app.kubernetes.io/part-of=palio,app.kubernetes.io/component notin (test,payout)"
    return palio.kubectl("-n", NAMESPACE, "get", "pods", "-l", ours, "-o", "name").split()


def test_helm_test_plays_a_tournament(palio: Deployed) -> None:
    told = helm(palio.cluster, "test", "palio", "--logs", "--timeout=240s")
    assert "the winner has" in told
