"""The chart tier needs Helm and its checkers, and nothing else."""

import pytest

from chart.rendering import checkers


@pytest.fixture(autouse=True)
def with_checkers() -> None:
    if not checkers():
        pytest.skip("helm, kubeconform and kube-score were not built: `make test-chart` or `make up` builds them")
