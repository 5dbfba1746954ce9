"""What `make up` installs fits together: ports, images and charts say the same."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # its stubs are not worth a dependency

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """tools/cluster.py, which is a script and not a package."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import cluster  # type: ignore[import-not-found]  # as above

    yield cluster
    for name in ("cluster", "images"):
        sys.modules.pop(name, None)


def document(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_the_node_maps_the_ports_that_the_chart_opens(tools: ModuleType) -> None:
    (node,) = document("kind-config.yaml")["nodes"]
    mapped = {one["containerPort"]: one["hostPort"] for one in node["extraPortMappings"]}
    opened = document("charts/palio/values.yaml")["nodePorts"]
    assert [str(opened[name]) for name in ("ui", "gateway", "websocket")] == [tools.UI, tools.GATEWAY, tools.WEBSOCKET]
    assert [mapped[opened[name]] for name in ("ui", "gateway", "websocket")] == [3000, 23455, 23456]
    assert all(one["listenAddress"] == "127.0.0.1" for one in node["extraPortMappings"])


def test_every_service_has_an_image_and_a_block_of_values(tools: ModuleType) -> None:
    references = {image.name: f"palio-{image.name}:1" for image in tools.images.images()}
    given = tools.values("palio", references, {})
    assert given["services"].keys() == document("charts/palio/values.yaml")["services"].keys()
    assert tools.values("palio-operator", references, {})["payout"]["image"] == "palio-tournament:1"


def test_own_store_images_are_used_only_where_there_are_any(tools: ModuleType) -> None:
    references = {"setup": "palio-setup:1"}
    assert tools.values("palio-data", references, {}).keys() == {"setup"}
    own = tools.values("palio-data", references, {"python": "p", "postgres": "a", "redis": "b"})
    assert (own["postgres"], own["redis"]) == ({"image": "a"}, {"image": "b"})


def test_the_image_that_sets_up_has_every_package_with_migrations(tools: ModuleType) -> None:
    migrating = {folder.parents[2].name for folder in ROOT.glob("services/*/src/*/migrations")}
    (setup,) = [image for image in tools.images.images() if image.name == "setup"]
    assert set(setup.arguments["MEMBERS"].split()) == {"libs/setup", *(f"services/{name}" for name in migrating)}
