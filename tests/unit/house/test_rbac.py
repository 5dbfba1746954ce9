"""docs/rbac.md tells of every rule of the charts, and of none that is not there."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CHARTS = sorted(folder.parent.name for folder in ROOT.glob("charts/*/Chart.yaml"))
RULE = re.compile(
    r"^\s*- \{apiGroups: \[(?P<group>[^\]]*)\], resources: \[(?P<resources>[^\]]*)\]"
    r"(?:, resourceNames: (?P<names>\[[^\]]*\]|\{\{.*?\}\}))?, verbs: (?P<verbs>.*)\}$",
    re.MULTILINE,
)
TAG = re.compile(r"\{\{.*?\}\}")
WRITTEN_BY_A_TEMPLATE = frozenset({"*"})


@dataclass(frozen=True)
class Rule:
    """What may be done with what; `limited` if only with some of it."""

    resources: frozenset[str]
    limited: bool
    verbs: frozenset[str]


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text))


def rules(chart: str) -> set[Rule]:
    found = set()
    for template in sorted(ROOT.glob(f"charts/{chart}/templates/**/*.yaml")):
        for rule in RULE.finditer(template.read_text()):
            group = rule["group"].strip('"')
            resources = {f"{group}/{name}".lstrip("/") for name in rule["resources"].split(", ")}
            verbs = words(TAG.sub("", rule["verbs"])) or WRITTEN_BY_A_TEMPLATE
            found.add(Rule(frozenset(resources), rule["names"] is not None, verbs))
    return found


def documented(chart: str) -> dict[Rule, str]:
    """Each row of the chart's table, with its reason."""
    page = (ROOT / "docs/rbac.md").read_text()
    section = re.search(rf"^## {chart}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| ([^|]*) \| (`[^|]*) \| ([^|]*) \| ([^|]*) \|$", section[1] if section else "", re.MULTILINE)
    return {
        Rule(frozenset(re.findall(r"`([^`]*)`", which.partition("(")[0])), "(" in which, words(verbs)): why
        for _, which, verbs, why in rows
    }


@pytest.mark.parametrize("chart", CHARTS)
def test_every_rule_of_a_chart_is_told_with_its_reason(chart: str) -> None:
    told = documented(chart)
    open_verbs = {rule.resources for rule in rules(chart) if rule.verbs == WRITTEN_BY_A_TEMPLATE}
    known = {rule for rule in rules(chart) if rule.verbs != WRITTEN_BY_A_TEMPLATE}
    assert known - told.keys() == set()
    assert open_verbs <= {rule.resources for rule in told}
    assert all(told.values())


@pytest.mark.parametrize("chart", CHARTS)
def test_no_rule_is_told_that_is_not_there(chart: str) -> None:
    open_verbs = {rule.resources for rule in rules(chart) if rule.verbs == WRITTEN_BY_A_TEMPLATE}
    assert {rule for rule in documented(chart) if rule.resources not in open_verbs} - rules(chart) == set()


def test_no_rule_is_written_in_a_way_that_this_test_overlooks() -> None:
    for template in ROOT.glob("charts/*/templates/**/*"):
        if template.is_file():
            text = template.read_text()
            assert len(RULE.findall(text)) == text.count("apiGroups:"), template
