"""How the operator is put together: clients, loops, the canary, kopf around them; closed in reverse order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import kopf
from kubernetes.aio import client

from palio_kit import http
from palio_kit.http import Identity, Peer
from palio_kit.tasks import running
from palio_operator import handlers, kube
from palio_operator.loadtests.reconcile import Reconciler as LoadTests
from palio_operator.loadtests.runs import Runs
from palio_operator.loops import Loops
from palio_operator.reconcile import Reconciler
from palio_operator.records import Records
from palio_operator.resources import LOADTEST, TOURNAMENT
from palio_operator.settings import Settings
from palio_operator.watching import Auditor, Canary, Places

_CONNECTIONS_MAX = 16


async def run(
    settings: Settings,
    *,
    configuration: client.Configuration | None = None,
    login: kopf.ConnectionInfo | None = None,
    stop: asyncio.Event | None = None,
    ready: asyncio.Event | None = None,
    liveness: bool = True,
) -> None:
    """Operate until told to stop.

    Args:
        configuration, login: the API server for our own client and for kopf, if not the pod's or the kubeconfig's.
    """
    async with AsyncExitStack() as stack:
        kubernetes = await stack.enter_async_context(kube.connect(settings.kubernetes_timeout_s, configuration))
        service = await stack.enter_async_context(_services(settings))
        places = Places(kubernetes, settings.namespaces)
        every = [_tournaments(settings, kubernetes, Records(service("tournament", settings.tournament_url)))]
        if settings.loadtests:
            every.append(_loadtests(settings, places, Runs(service("generator", settings.generator_url))))
        canary = Canary(settings.stalled_after_s)
        auditor = Auditor(places, [one.kind for one in every], canary, settings.audit_s, _ringing(every))
        await stack.enter_async_context(running("audit", auditor.step))
        await kopf.operator(
            registry=_registry(every, canary, login),
            settings=_kopf_settings(),
            standalone=True,
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
            liveness_endpoint=f"http://{settings.host}:{settings.liveness_port}/healthz" if liveness else None,
            stop_flag=stop,
            ready_flag=ready,
        )


def _tournaments(settings: Settings, kubernetes: kube.Kubernetes, records: Records) -> Loops:
    reconciler = Reconciler(kubernetes, records, settings.clockwork(), settings.payout_run())
    return Loops(TOURNAMENT, reconciler.reconcile, settings.resync_s)


def _loadtests(settings: Settings, places: Places, runs: Runs) -> Loops:
    reconciler = LoadTests(places.kubernetes, runs, places, settings.terms(), settings.runner_pods())
    return Loops(LOADTEST, reconciler.reconcile, settings.resync_s)


def _ringing(every: Sequence[Loops]) -> Callable[[str], None]:
    def wake(uid: str) -> None:
        for loops in every:
            loops.wake(uid)

    return wake


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    handlers.configure(settings)
    return settings


def _registry(every: Sequence[Loops], canary: Canary, login: kopf.ConnectionInfo | None) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def log_in(**known: Any) -> kopf.ConnectionInfo | None:
        return login or kopf.login_with_service_account(**known) or kopf.login_with_kubeconfig(**known)

    handlers.register(registry, every, canary)
    return registry


@asynccontextmanager
async def _services(settings: Settings) -> AsyncIterator[Callable[[str, str], Peer]]:
    """Peers by name and URL, over one bounded pool of connections."""
    identity = Identity(settings.identity_dir)
    async with http.client(settings.upstream_timeout_s, _CONNECTIONS_MAX) as session:
        yield lambda name, url: Peer(session, identity, name, url.rstrip("/"))
