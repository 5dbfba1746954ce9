"""Before the operator is uninstalled: no resource may be left that waits for a finalizer nobody removes.

`release` keeps the resources and takes the operator's finalizer off them, after the operator has ended: it would put
it on again. `delete` deletes them while it still lives, so that records follow each resource's own policy, and
releases what is left when time is up.
"""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from palio_setup.cluster import Cluster

_POLL_S = 1.0
_PAGE = 500


class Leaving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left behind; `namespaces` is empty if all are meant."""

    group: str
    version: str
    plurals: list[str]
    finalizer: str
    namespaces: list[str]
    deployment: str
    selector: str
    wait_s: float


def release(cluster: Cluster, leaving: Leaving) -> list[str]:
    """End the operator and take its finalizer off every resource; answers which.

    Raises:
        TimeoutError: the operator did not end.
        Refused: the API server did not let us.
    """
    _end_operator(cluster, leaving)
    done = []
    for path, resource in _resources(cluster, leaving):
        finalizers: list[str] = resource["metadata"].get("finalizers") or []
        if leaving.finalizer in finalizers:
            others = [name for name in finalizers if name != leaving.finalizer]
            version = resource["metadata"]["resourceVersion"]
            cluster.patch(path, {"metadata": {"finalizers": others, "resourceVersion": version}})
            done.append(f"{path.rpartition('/')[2]}: released")
    return done


def delete(cluster: Cluster, leaving: Leaving) -> list[str]:
    """Delete every resource, wait until the operator has let go of them, and release the rest; answers which.

    Raises:
        TimeoutError: the operator did not end.
        Refused: the API server did not let us.
    """
    done = []
    for path, _ in _resources(cluster, leaving):
        cluster.delete(path)
        done.append(f"{path.rpartition('/')[2]}: deleted")
    deadline = time.monotonic() + leaving.wait_s
    while any(True for _ in _resources(cluster, leaving)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return done + release(cluster, leaving)


def _end_operator(cluster: Cluster, leaving: Leaving) -> None:
    scale = f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments/{leaving.deployment}/scale"
    if cluster.patch(scale, {"spec": {"replicas": 0}}) is None:
        return
    deadline = time.monotonic() + leaving.wait_s
    while cluster.get(f"{cluster.core('pods')}?labelSelector={leaving.selector}")["items"]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{leaving.deployment} did not end within {leaving.wait_s:.0f} s")
        time.sleep(_POLL_S)


def _resources(cluster: Cluster, leaving: Leaving) -> Iterator[tuple[str, Any]]:
    """Every resource with its path; a kind that is not defined has none."""
    base = f"/apis/{leaving.group}/{leaving.version}"
    for plural in leaving.plurals:
        for place in [f"{base}/namespaces/{name}" for name in leaving.namespaces] or [base]:
            for resource in _listed(cluster, f"{place}/{plural}"):
                metadata = resource["metadata"]
                yield f"{base}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}", resource


def _listed(cluster: Cluster, path: str) -> Iterator[Any]:
    """A collection, page after page: a whole one may be more than an answer holds."""
    page = ""
    while True:
        told = cluster.get(f"{path}?limit={_PAGE}&continue={quote(page, safe='')}") or {}
        yield from told.get("items", [])
        page = told.get("metadata", {}).get("continue")
        if not page:
            return
