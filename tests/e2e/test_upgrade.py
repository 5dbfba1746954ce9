"""From the previous commit to this one in the middle of tournaments: they end and are paid once.

The shared release is removed and made anew from the previous commit: definitions belong to the whole cluster and the
operator looks after all namespaces, so a second release beside it would share both; and migrations only go forward.
"""

from pathlib import Path

from support.deployed import GAME, NAMESPACE, Deployed, until
from support.releases import install, previous_commit, remove

SPLIT = (50, 30, 20)
LOG_LEVEL = "\n{}logLevel: info\n"
ENDS_IN_UPGRADE_S, ENDS_AFTER_UPGRADE_S = 30, 120


def differing(checkout: Path) -> Path:
    """With another value for every pod than this commit has, so that all are replaced even if no image changed."""
    for chart, indent in (("palio", ""), ("palio-operator", "  ")):
        values = checkout / "charts" / chart / "values.yaml"
        text = values.read_text()
        assert LOG_LEVEL.format(indent) in text
        values.write_text(text.replace(LOG_LEVEL.format(indent), f"\n{indent}logLevel: warning\n"))
    return checkout


def pods(palio: Deployed) -> set[str]:
    """Of the services and the operator."""
    ours = "pod-template-hash,app.kubernetes.io/name in (palio,palio-operator)"
    return set(palio.kubectl("-n", NAMESPACE, "get", "pods", "-l", ours, "-o", "name").split())


def test_active_tournaments_end_and_pay_across_an_upgrade_from_the_previous_commit(
    palio: Deployed, tmp_path: Path
) -> None:
    earlier = differing(previous_commit(tmp_path))
    remove(palio.cluster)
    try:
        install(earlier)
        replaced = pods(palio)
        hasty, patient = palio.players(3), palio.players(3)
        within, later = palio.tournament(lasts_s=ENDS_IN_UPGRADE_S), palio.tournament(lasts_s=ENDS_AFTER_UPGRADE_S)
        palio.play(within, hasty)
        palio.play(later, patient)
        palio.wait_for(later, phase="Active")
    finally:
        install()
    assert len(replaced) == 9
    until(lambda: not replaced & pods(palio), within_s=60, what="every pod is replaced")
    assert not palio.over(later), "the upgrade took longer than the tournament"
    *first, last = patient
    palio.call("POST", "/api/v1/scores", {"user_id": last.id, "game_id": GAME, "score": 2000}, last.token)
    palio.assert_paid_once(within, hasty, SPLIT)
    until(lambda: palio.over(later), within_s=ENDS_AFTER_UPGRADE_S)
    palio.assert_paid_once(later, [last, *first], SPLIT)
    palio.delete(within)
    palio.delete(later)
