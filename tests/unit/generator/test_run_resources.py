"""A wish as a LoadTest: what the resource's definition takes, and as many pods as it needs."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency
from hypothesis import given
from hypothesis import strategies as st

from palio_generator.load.plan import RATE_MAX, RUNNERS_MAX, USERS_MAX, Scenario
from palio_generator.load.verdicts import Metric, Side
from palio_generator.runs.requests import StressRequest, ThresholdRequest
from palio_generator.runs.resources import manifest, runners_for

DEFINITION = yaml.safe_load((Path(__file__).parents[3] / "crds" / "loadtest.yaml").read_text())
SCHEMA: dict[str, Any] = DEFINITION["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
valid = jsonschema_rs.Draft7Validator(SCHEMA)

wishes = st.builds(
    StressRequest,
    users=st.integers(1, USERS_MAX),
    actions_per_second=st.integers(1, RATE_MAX),
    duration_seconds=st.integers(5, 3_600),
    scenario=st.sampled_from(Scenario),
    thresholds=st.lists(
        st.builds(
            ThresholdRequest,
            metric=st.sampled_from(Metric), op=st.sampled_from(Side), value=st.integers(0, 10_000).map(float),
        ),
        unique_by=lambda one: one.metric,
    ).map(tuple),
)  # fmt: skip


@given(wishes)
def test_a_wish_is_a_resource_as_its_definition_wants_it(wish: StressRequest) -> None:
    made = manifest(wish, "stress-0123abcd")
    assert [error.message for error in valid.iter_errors(made)] == []
    load = made["spec"]["load"]
    assert load["rampUpSeconds"] <= load["durationSeconds"]
    assert 1 <= load["parallelism"] <= min(load["virtualUsers"], RUNNERS_MAX)


@pytest.mark.parametrize(
    ("users", "rate", "runners"), [(1, 1, 1), (1_000, 100, 1), (1_000, 4_001, 2), (20_000, 100, 4), (2, 100_000, 2)]
)
def test_more_load_gets_more_pods(users: int, rate: int, runners: int) -> None:
    assert runners_for(users, rate) == runners
