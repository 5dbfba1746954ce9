"""The chart tier needs Helm and nothing else."""

import pytest

from chart.rendering import helm


@pytest.fixture(autouse=True)
def with_helm() -> None:
    if helm() is None:
        pytest.skip("no helm on PATH, nor one built for a cluster: install it, or run `make up` once")
