"""Everything that the charts render is what this API server's own schemas allow, to the last field."""

import subprocess
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

from chart import rendering
from chart.matrix import CASES, IDS
from support.cluster import Cluster, missing

_UNKNOWN_HERE = {"HTTPRoute"}
"""Kinds that a bare cluster does not have."""


@pytest.fixture(scope="module")
def namespaces(cluster: Cluster) -> None:
    """Those that the charts are rendered for."""
    if rendering.helm() is None:
        missing("no helm on PATH, nor one built before: the chart tier builds it")
    for name in (rendering.NAMESPACE, "arena"):
        cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
        }))  # fmt: skip


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize(("chart", "values"), CASES, ids=IDS)
def test_the_api_server_takes_every_object(cluster: Cluster, chart: str, values: dict[str, Any]) -> None:
    objects = [one for one in rendering.objects(chart, values) if one["kind"] not in _UNKNOWN_HERE]
    command = cluster.command("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    told = subprocess.run(
        [*command, "-f", "-"], input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "Warning" not in told.stderr, told.stderr
