"""Manifests put before the API server without effect, and changes made to them."""

import copy
from typing import Any

from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

GROUP, VERSION = "palio.gg", "v1alpha1"
PLURALS = {"Tournament": "tournaments", "LoadTest": "loadtests"}
REMOVED = object()


def changed(manifest: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with values at dotted paths set, or removed."""
    made = copy.deepcopy(manifest)
    for path, value in changes.items():
        *way, last = path.split(".")
        place = made
        for step in way:
            place = place.setdefault(step, {})
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    return made


async def refusal(resources: client.CustomObjectsApi, namespace: str, manifest: dict[str, Any]) -> str | None:
    """Why the API server would not create it; None if it would."""
    try:
        await resources.create_namespaced_custom_object(
            GROUP, VERSION, namespace, PLURALS[manifest["kind"]], manifest, dry_run="All", field_validation="Strict"
        )
    except ApiException as error:
        return _said(error)
    return None


async def refusal_of_change(
    resources: client.CustomObjectsApi, namespace: str, manifest: dict[str, Any], status: dict[str, Any],
    changes: dict[str, Any],
) -> str | None:  # fmt: skip
    """Why the API server would not let an existing resource of that status be changed so; None if it would."""
    at = (GROUP, VERSION, namespace, PLURALS[manifest["kind"]])
    name = manifest["metadata"]["name"]
    await resources.create_namespaced_custom_object(*at, manifest)
    try:
        merge = "application/merge-patch+json"
        if status:
            await resources.patch_namespaced_custom_object_status(*at, name, {"status": status}, _content_type=merge)
        held: Any = await resources.get_namespaced_custom_object(*at, name)
        await resources.replace_namespaced_custom_object(*at, name, changed(held, changes), dry_run="All")
    except ApiException as error:
        return _said(error)
    finally:
        await resources.delete_namespaced_custom_object(*at, name)
    return None


def _said(error: ApiException) -> str:
    """What the API server said against a manifest; any other trouble is passed on."""
    if error.status not in (400, 422):
        raise error
    return str(error.body)
