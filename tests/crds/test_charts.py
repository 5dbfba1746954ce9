"""Everything that the charts render is what this API server's own schemas allow, to the last field."""

import json
import subprocess
from pathlib import Path
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
    if not rendering.checkers():
        missing("no helm was built before: the chart tier builds it")
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


def test_the_schemas_that_the_chart_tier_uses_are_this_api_servers(cluster: Cluster) -> None:
    """The chart tier has no cluster; it takes the same file from the Kubernetes module of the node's version."""
    if not rendering.checkers():
        missing("no schemas were fetched before: the chart tier does that")
    published = json.loads((Path(rendering.checkers()["schemas"]) / "swagger.json").read_text())["definitions"]
    served = json.loads(cluster.kubectl("get", "--raw", "/openapi/v2"))["definitions"]
    assert {name: _shape(one) for name, one in served.items() if name in published} == {
        name: _shape(published[name]) for name in served if name in published
    }
    assert {name for name in served.keys() - published.keys() if name.startswith("io.k8s.")} == set()


def _shape(schema: Any) -> Any:
    """Without words, and without the values that only a server lists."""
    if isinstance(schema, dict):
        return {key: _shape(one) for key, one in schema.items() if key not in ("description", "enum")}
    return [_shape(one) for one in schema] if isinstance(schema, list) else schema
