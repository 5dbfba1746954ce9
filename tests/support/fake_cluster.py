"""An API server in miniature over HTTP, that can be made to fail: objects, watches, statuses, finalizers.

Only what the operator uses, told as Kubernetes does: uids, generations that count specs only, resource versions,
server-side apply of a status as replacing it, deletion that waits for finalizers.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiohttp import web

Key = tuple[str, str, str]
Fault = Callable[[web.Request], int | None]

_KINDS = {
    "tournaments": "Tournament", "loadtests": "LoadTest", "jobs": "Job", "pods": "Pod", "events": "Event",
    "namespaces": "Namespace", "customresourcedefinitions": "CustomResourceDefinition",
}  # fmt: skip
_GROUPS = {
    "palio.gg": ("v1alpha1", ("tournaments", "loadtests")),
    "batch": ("v1", ("jobs",)),
    "apiextensions.k8s.io": ("v1", ("customresourcedefinitions",)),
}


@dataclass
class FakeCluster:
    """All objects by (plural, namespace, name); `fault` may answer a status in place of the server."""

    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    fault: Fault = lambda _: None
    after: Callable[[web.Request], int | None] = lambda _: None
    watches: "set[asyncio.Queue[dict[str, Any] | None]]" = field(default_factory=set)
    told: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Every event with its version: a watch begins where the list before it ended."""
    deaf: bool = False
    version: int = 100
    url: str = ""

    def make(self, plural: str, body: dict[str, Any], namespace: str = "games") -> dict[str, Any]:
        """Create an object."""
        made = copy.deepcopy(body)
        made["metadata"] |= {
            "namespace": namespace, "uid": str(uuid4()), "generation": 1,
            "creationTimestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip
        of_ours = plural in _GROUPS["palio.gg"][1]
        version = "batch/v1" if plural == "jobs" else "palio.gg/v1alpha1" if of_ours else "v1"
        made |= {"kind": _KINDS[plural], "apiVersion": version}
        self.objects[plural, namespace, made["metadata"]["name"]] = made
        self.tell("ADDED", plural, made)
        return made

    def change(self, key: Key, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Change an object; what was marked deleted goes with its last finalizer."""
        held = self.objects[key]
        before = copy.deepcopy(held)
        change(held)
        if held.get("spec") != before.get("spec"):
            held["metadata"]["generation"] += 1
        if held["metadata"].get("deletionTimestamp") and not held["metadata"].get("finalizers"):
            del self.objects[key]
            self.tell("DELETED", key[0], held)
        elif held != before:
            self.tell("MODIFIED", key[0], held)
        return held

    def tell(self, kind: str, plural: str, body: dict[str, Any]) -> None:
        """Tell all watches, unless the network has swallowed them."""
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        if not self.deaf:
            event = {"plural": plural, "type": kind, "object": copy.deepcopy(body)}
            self.told.append((self.version, event))
            for watch in self.watches:
                watch.put_nowait(event)

    def drop_watches(self) -> None:
        """End every watch in the middle."""
        for watch in self.watches:
            watch.put_nowait(None)

    # HTTP

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        status = self.fault(request)
        if status is not None:
            return _status(status)
        answer = await self._answer(request)
        lost = self.after(request)
        return answer if lost is None else _status(lost)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if "namespaces" in parts and len(parts) > parts.index("namespaces") + 2:
            place = parts.index("namespaces")
            namespace, plural, *rest = parts[place + 1 :]
        elif parts[-1] in _KINDS:
            namespace, plural, rest = "", parts[-1], []
        else:
            return _discovery(parts)
        name = rest[0] if rest else ""
        if name:
            return await self._one(request, (plural, namespace, name), rest[1:] == ["status"])
        if request.method == "POST":
            return await self._create(request, plural, namespace)
        if "watch" in request.query:
            return await self._watch(request, plural, namespace)
        return web.json_response(self._listing(plural, namespace))

    def _listing(self, plural: str, namespace: str) -> dict[str, Any]:
        items = [one for key, one in self.objects.items() if key[0] == plural and namespace in ("", key[1])]
        return {"kind": f"{_KINDS[plural]}List", "metadata": {"resourceVersion": str(self.version)}, "items": items}

    async def _create(self, request: web.Request, plural: str, namespace: str) -> web.StreamResponse:
        body = await request.json()
        if (plural, namespace, body["metadata"]["name"]) in self.objects:
            return _status(409)
        return web.json_response(self.make(plural, body, namespace), status=201)

    async def _one(self, request: web.Request, key: Key, of_status: bool) -> web.StreamResponse:
        if key not in self.objects:
            return _status(404)
        if request.method == "GET":
            return web.json_response(self.objects[key])
        if request.method == "DELETE":
            return web.json_response(self.delete(key))
        return self._patch(key, json.loads(await request.text()), request.content_type, of_status)

    def _patch(self, key: Key, patch: Any, kind: str, of_status: bool) -> web.StreamResponse:
        if kind == "application/json-patch+json":
            return self._json_patch(key, patch)
        if of_status:
            uid = patch.get("metadata", {}).get("uid")
            if uid not in (None, self.objects[key]["metadata"]["uid"]):
                return _status(409)
            return web.json_response(self.change(key, lambda held: held.update(status=patch["status"])))
        return web.json_response(self.change(key, lambda held: _merge(held, patch)))

    def _json_patch(self, key: Key, patch: list[dict[str, Any]]) -> web.StreamResponse:
        try:
            return web.json_response(self.change(key, lambda held: _apply(held, patch)))
        except (AssertionError, LookupError):
            return _status(422)

    def delete(self, key: Key) -> dict[str, Any]:
        """Mark an object deleted; it goes at once if nothing holds it."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.change(key, lambda held: held["metadata"].setdefault("deletionTimestamp", now) and None)

    async def _watch(self, request: web.Request, plural: str, namespace: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        told: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        since = int(request.query.get("resourceVersion") or self.version)
        for version, missed in self.told:
            if version > since:
                told.put_nowait(missed)
        self.watches.add(told)
        try:
            while (event := await told.get()) is not None:
                if event["plural"] == plural and namespace in ("", event["object"]["metadata"]["namespace"]):
                    line = json.dumps({"type": event["type"], "object": event["object"]})
                    await response.write(f"{line}\n".encode())
        except ConnectionError:
            pass
        finally:
            self.watches.discard(told)
        return response


def _merge(held: dict[str, Any], patch: dict[str, Any]) -> None:
    for name, value in patch.items():
        if value is None:
            held.pop(name, None)
        elif isinstance(value, dict):
            _merge(held.setdefault(name, {}), value)
        else:
            held[name] = value


def _apply(held: dict[str, Any], patch: list[dict[str, Any]]) -> None:
    for step in patch:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].strip("/").split("/")]
        place: Any = held
        for part in way:
            place = place[int(part)] if isinstance(place, list) else place[part]
        at: Any = int(last) if isinstance(place, list) and last != "-" else last
        if step["op"] == "test":
            assert (place[at] if isinstance(place, list) else place.get(at)) == step["value"]
        elif step["op"] == "remove":
            del place[at]
        elif isinstance(place, list):
            place.append(step["value"]) if at == "-" else place.__setitem__(at, step["value"])
        else:
            place[at] = step["value"]


def _status(code: int) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": str(code), "message": ""}
    return web.json_response(body, status=code)


def _discovery(parts: list[str]) -> web.Response:
    if parts == ["api"]:
        return web.json_response({"versions": ["v1"]})
    if parts == ["apis"]:
        groups = [
            {"name": name, "versions": [{"version": version}], "preferredVersion": {"version": version}}
            for name, (version, _) in _GROUPS.items()
        ]
        return web.json_response({"groups": groups})
    if parts[0] == "api":
        return web.json_response({"resources": [_told("namespaces", "Namespace"), _told("events", "Event")]})
    resources = []
    for plural in _GROUPS[parts[1]][1]:
        told = _told(plural, _KINDS[plural])
        resources += [told, told | {"name": f"{plural}/status", "singularName": "", "verbs": ["patch"]}]
    return web.json_response({"resources": resources})


def _told(plural: str, kind: str) -> dict[str, Any]:
    verbs = ["list", "watch", "patch", "get", "create", "delete"]
    namespaced = plural not in ("namespaces", "customresourcedefinitions")
    return {"name": plural, "kind": kind, "singularName": kind.lower(), "namespaced": namespaced, "verbs": verbs}


@asynccontextmanager
async def fake_cluster() -> AsyncIterator[FakeCluster]:
    """The server, listening on a free port."""
    made = FakeCluster()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        made.drop_watches()
        await runner.cleanup()
