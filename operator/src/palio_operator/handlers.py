"""What kopf calls. Thin: every cause leads to the same reconciliation, none computes from what changed.

Level-triggered on purpose: a loop (daemon) for each resource does everything, events of resources and Jobs only ring
its bell. So there is no progress to be kept in annotations, and a restart in the middle of anything is harmless.
"""

import logging
from collections.abc import Sequence
from typing import Any

import kopf

from palio_operator.kube import KubernetesAway
from palio_operator.loops import Loops
from palio_operator.resources import FINALIZER, GROUP, VERSION
from palio_operator.watching import Canary

_CANCELLATION_S = 5.0
_DELETE_AGAIN_S = 5.0
_EXIT_TIMEOUT_S = 30.0
_ERROR_BACKOFFS_S = (1, 1, 2, 3, 5, 8, 13)


def configure(settings: kopf.OperatorSettings) -> None:
    """Our own names in the resources, and bounds that kopf leaves open (kopf#585, #996, #1172)."""
    storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP, key="last-handled", v1=False)
    settings.persistence.finalizer = FINALIZER
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP, v1=False)
    settings.persistence.diffbase_storage = storage
    settings.watching.server_timeout, settings.watching.client_timeout = 300, 310
    settings.watching.connect_timeout = 30
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _ERROR_BACKOFFS_S
    settings.posting.level, settings.posting.loggers = logging.INFO, False
    settings.execution.default_backoff = 15
    settings.process.ultimate_exiting_timeout = _EXIT_TIMEOUT_S


def register(registry: kopf.OperatorRegistry, every: Sequence[Loops], canary: Canary) -> None:
    """Put the handlers of every kind into a registry."""
    for loops in every:
        _register_work(registry, loops)
        _register_watching(registry, loops, canary)

    @kopf.on.probe(registry=registry, id="watch")
    async def watch(**_: Any) -> str:
        if canary.stalled:
            raise kopf.PermanentError(f"a change has not come through the watch for {canary.age_s():.0f} s")
        return "alive"


def _register_work(registry: kopf.OperatorRegistry, loops: Loops) -> None:
    """The ids become names of annotations; a nested function's own name would be none that the API server takes."""
    resources = (GROUP, VERSION, loops.kind.plural)

    @kopf.daemon(*resources, registry=registry, id="live", cancellation_timeout=_CANCELLATION_S)
    async def live(*, uid: str, name: str, namespace: str | None, stopped: kopf.DaemonStopped, **_: Any) -> None:
        await loops.live(namespace or "", name, uid, ended=lambda: bool(stopped))

    @kopf.on.delete(*resources, registry=registry, id="let-go", optional=False)
    async def let_go(*, uid: str, name: str, namespace: str | None, **_: Any) -> None:
        try:
            outcome = await loops.reconcile(namespace or "", name, uid)
        except KubernetesAway as error:
            raise kopf.TemporaryError(str(error), delay=_DELETE_AGAIN_S) from error
        if not outcome.released:
            raise kopf.TemporaryError("not yet", delay=min(outcome.wait_s, _DELETE_AGAIN_S))


def _register_watching(registry: kopf.OperatorRegistry, loops: Loops, canary: Canary) -> None:
    label = loops.kind.uid_label

    @kopf.on.event(GROUP, VERSION, loops.kind.plural, registry=registry)
    async def seen(*, uid: str, meta: kopf.Meta, event: kopf.RawEvent, **_: Any) -> None:
        if canary.saw(meta, gone=event["type"] == "DELETED"):
            loops.wake(uid)

    @kopf.on.event("batch", "v1", "jobs", registry=registry, labels={label: kopf.PRESENT})
    async def job_seen(*, labels: kopf.Labels, **_: Any) -> None:
        loops.wake(labels[label])
