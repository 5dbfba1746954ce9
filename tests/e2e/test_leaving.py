"""Uninstalling leaves nothing that waits for somebody who is gone, and installing again finds what was there."""

import subprocess
import sys

from support.cluster import NAME, ROOT, hack
from support.deployed import NAMESPACE, Deployed, Player, until

SPLIT = (50, 30, 20)


def helm(palio: Deployed, *arguments: str) -> str:
    command = [hack("tool", "helm").strip(), "--kubeconfig", str(palio.cluster.config), "-n", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(palio: Deployed) -> None:
    command = [sys.executable, str(ROOT / "tools" / "cluster.py"), "up", "--private", "--name", NAME]
    done = subprocess.run(command, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stderr


def test_everything_is_uninstalled_and_installed_again(palio: Deployed, players: list[Player]) -> None:
    paid, active = palio.tournament(), palio.tournament(lasts_s=3600)
    palio.wait_for(active, phase="Active")
    palio.play(paid, players)
    palio.assert_paid_once(paid, players, SPLIT)
    try:
        helm(palio, "uninstall", "palio-operator", "--wait", "--timeout=120s")
        body = palio.read(active)
        assert body is not None
        assert not body["metadata"].get("finalizers")
        palio.kubectl("delete", *active.at, "--timeout=20s")  # nobody has to let it go any more
        helm(palio, "uninstall", "palio", "--wait", "--timeout=120s")
        helm(palio, "uninstall", "palio-data", "--wait", "--timeout=180s")
        until(lambda: not _running(palio), within_s=60, what="no pods")
        palio.kubectl("get", "crd", "tournaments.palio.gg")
        assert palio.read(paid) is not None
    finally:
        install(palio)
    palio.assert_paid_once(paid, players, SPLIT)
    palio.delete(paid)


def _running(palio: Deployed) -> list[str]:
    ours = "app.kubernetes.io/part-of=palio,app.kubernetes.io/component notin (test,payout)"
    return palio.kubectl("-n", NAMESPACE, "get", "pods", "-l", ours, "-o", "name").split()


def test_helm_test_plays_a_tournament(palio: Deployed) -> None:
    told = helm(palio, "test", "palio", "--logs", "--timeout=240s")
    assert "the winner has" in told
