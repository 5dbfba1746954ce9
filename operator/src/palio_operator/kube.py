"""The API server: resources, Jobs, events. Every call has a timeout and is counted; "not there" is an answer.

Statuses are applied server-side as one field manager, with the resource's uid in the body: a namesake that came after
it cannot be given another's status.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.exceptions import ApiException

from palio_kit.logs import logger
from palio_operator import metrics
from palio_operator.resources import API_VERSION, FINALIZER, GROUP, VERSION, Kind, ObjectMeta
from palio_operator.telling import Notice

log = logger(__name__)

FIELD_MANAGER = "palio-operator"
_APPLY = "application/apply-patch+yaml"
_NOT_FOUND, _CONFLICT, _UNPROCESSABLE = 404, 409, 422
_SERVER_ERRORS = 500
_PAGE = 500
_READS_MAX = 3
_NOTE_MAX = 1024


class KubernetesAway(Exception):
    """The API server does not answer, or refused; the call may or may not have been done."""


class _Stumbled(KubernetesAway):
    """It answered that it failed; the next call may well succeed."""


class Kubernetes:
    """The calls the operator makes."""

    def __init__(self, api: client.ApiClient, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._custom = client.CustomObjectsApi(api)
        self._batch = client.BatchV1Api(api)
        self._core = client.CoreV1Api(api)
        self._json: Callable[[object], dict[str, Any]] = api.sanitize_for_serialization

    async def resource(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        """A resource, read anew; None if there is none.

        Raises:
            KubernetesAway: it is not known.
        """
        found = await self._read(
            "get_resource",
            lambda: self._custom.get_namespaced_custom_object(GROUP, VERSION, namespace, kind.plural, name),
        )
        return dict(found) if found is not None else None

    async def resources(self, kind: Kind, namespace: str | None = None) -> list[dict[str, Any]]:
        """All resources of a kind, or those of one namespace.

        Raises:
            KubernetesAway: it is not known.
        """
        found: list[dict[str, Any]] = []
        page: str | None = None
        while True:
            options: dict[str, Any] = {"limit": _PAGE, "_continue": page}
            listing = partial(self._custom.list_cluster_custom_object, GROUP, VERSION, kind.plural, **options)
            if namespace is not None:
                listing = partial(
                    self._custom.list_namespaced_custom_object, GROUP, VERSION, namespace, kind.plural, **options
                )
            told: Mapping[str, Any] = await self._read("list_resources", listing) or {}
            found += told.get("items", [])
            page = told.get("metadata", {}).get("continue")
            if not page:
                return found

    async def apply_status(self, meta: ObjectMeta, status: Mapping[str, Any]) -> bool:
        """Tell a resource's status; False if the resource is gone.

        Raises:
            KubernetesAway: it is not known whether that was done.
        """
        body = {
            "apiVersion": API_VERSION, "kind": meta.kind.name,
            "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid}, "status": dict(status),
        }  # fmt: skip
        applied = await self._call(
            "apply_status",
            self._custom.patch_namespaced_custom_object_status(
                GROUP, VERSION, meta.namespace, meta.kind.plural, meta.name, body, field_manager=FIELD_MANAGER,
                force=True, _content_type=_APPLY,
            ),
            also_missing=_CONFLICT,
        )  # fmt: skip
        return applied is not None

    async def release(self, meta: ObjectMeta) -> None:
        """Take our finalizer off a resource that is being deleted.

        kopf would do so too, but it gives up a namespace that is being deleted when it watches some namespaces only.

        Raises:
            KubernetesAway: it is not known whether that was done.
        """
        if FINALIZER not in meta.finalizers:
            return
        place = f"/metadata/finalizers/{meta.finalizers.index(FINALIZER)}"
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": meta.uid},
            {"op": "test", "path": place, "value": FINALIZER},
            {"op": "remove", "path": place},
        ]
        await self._call(
            "release",
            self._custom.patch_namespaced_custom_object(
                GROUP, VERSION, meta.namespace, meta.kind.plural, meta.name, patch,
                _content_type="application/json-patch+json",
            ),
            also_missing=_UNPROCESSABLE,
        )  # fmt: skip

    async def job(self, namespace: str, name: str) -> dict[str, Any] | None:
        """A Job as JSON; None if there is none.

        Raises:
            KubernetesAway: it is not known.
        """
        found = await self._read("get_job", lambda: self._batch.read_namespaced_job(name, namespace))
        return None if found is None else dict(self._json(found))

    async def create_job(self, manifest: Mapping[str, Any]) -> bool:
        """Create a Job; False if one of that name is there.

        Raises:
            KubernetesAway: it is not known whether that was done, or it may not be done.
        """
        namespace = manifest["metadata"]["namespace"]
        made = await self._call(
            "create_job",
            self._batch.create_namespaced_job(namespace, cast("client.V1Job", manifest), field_manager=FIELD_MANAGER),
            missing=_CONFLICT,
        )
        return made is not None

    async def delete_job(self, namespace: str, name: str, uid: str) -> None:
        """Delete a Job and, before it, its pods; one that is gone or another of that name is left alone.

        Raises:
            KubernetesAway: it is not known whether that was done.
        """
        options = {"propagationPolicy": "Foreground", "preconditions": {"uid": uid}}
        await self._call(
            "delete_job",
            self._batch.delete_namespaced_job(name, namespace, body=cast("client.V1DeleteOptions", options)),
            also_missing=_CONFLICT,
        )

    async def pods(self, namespace: str, labelled: str) -> list[dict[str, Any]]:
        """Pods that a label selector chooses, as JSON; the first 500.

        Raises:
            KubernetesAway: they are not known.
        """
        found = await self._read(
            "list_pods", lambda: self._core.list_namespaced_pod(namespace, label_selector=labelled, limit=_PAGE)
        )
        return [] if found is None else list(self._json(found)["items"])

    async def post(self, meta: ObjectMeta, notice: Notice) -> None:
        """Post an event on a resource. One that cannot be posted is logged: it must not hold up a payout."""
        now = datetime.now(UTC)
        told = f"{meta.uid}{notice.reason}{notice.message}{now.timestamp()}"
        digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        event = {
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": f"{meta.name}.{digest}", "namespace": meta.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION, "kind": meta.kind.name, "name": meta.name, "namespace": meta.namespace,
                "uid": meta.uid,
            },
            "type": "Warning" if notice.warning else "Normal", "reason": notice.reason,
            "message": notice.message[:_NOTE_MAX], "source": {"component": FIELD_MANAGER}, "count": 1,
            "reportingComponent": FIELD_MANAGER, "firstTimestamp": _stamp(now), "lastTimestamp": _stamp(now),
        }  # fmt: skip
        try:
            await self._call(
                "create_event", self._core.create_namespaced_event(meta.namespace, cast("client.CoreV1Event", event))
            )
        except KubernetesAway as error:
            log.warning("event_not_posted", reason=notice.reason, resource=meta.source, error=str(error))

    async def _read(self, verb: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask again at once where the API server stumbles: a loop's pause after a failure would hold up a payout."""
        for _ in range(_READS_MAX - 1):
            with suppress(_Stumbled):
                return await self._call(verb, ask())
        return await self._call(verb, ask())

    async def _call(
        self, verb: str, call: Awaitable[Any], *, missing: int = _NOT_FOUND, also_missing: int | None = None
    ) -> Any:
        """What the API server answered; None if it answered that status."""
        outcome = "failed"
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await call
            outcome = "done"
            return answer
        except ApiException as error:
            if error.status in (missing, also_missing):
                outcome = "missing"
                return None
            kind = _Stumbled if (error.status or 0) >= _SERVER_ERRORS else KubernetesAway
            raise kind(f"{verb}: {error.status} {error.reason}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubernetesAway(f"{verb}: {error!r}") from error
        finally:
            metrics.KUBERNETES_CALLS.labels(verb, outcome).inc()


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@asynccontextmanager
async def connect(timeout_s: float, configuration: client.Configuration | None = None) -> AsyncIterator[Kubernetes]:
    """Open a client: of the pod's service account, or of the kubeconfig where there is none."""
    async with client.ApiClient(configuration or await found_configuration()) as api:
        yield Kubernetes(api, timeout_s)


async def found_configuration() -> client.Configuration:
    """How the API server is reached from here."""
    found = client.Configuration()
    try:
        config.load_incluster_config(found)  # type: ignore[no-untyped-call]  # the client's own lack
    except config.ConfigException:
        await config.load_kube_config(client_configuration=found)  # type: ignore[no-untyped-call]  # as above
    return found
