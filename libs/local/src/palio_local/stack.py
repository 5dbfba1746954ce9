"""The local stack from start to end: stores, schema, services, readiness, then supervision until told to end.

Order decides the speed: stores start while the services' imports run, and services are forked from what was imported.
Until the last fork there is one thread and no event loop in this process; migrations run in an errand.
"""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from palio_local import logs, ports, probes, schema, state
from palio_local.children import ServiceProcess, preload
from palio_local.credentials import Credentials
from palio_local.environment import Surroundings
from palio_local.errand import Errand, ErrandFailed
from palio_local.identity import REFRESH_S, Identities
from palio_local.layout import Layout
from palio_local.part import Part, StartFailed, suggestion
from palio_local.postgres import Postgres, PostgresFailed
from palio_local.services import SERVICES, UI_PORT, Service
from palio_local.stores import EmbeddedStore, Stores
from palio_local.supervisor import TICK_S, Supervisor, Told
from palio_local.valkey import ValkeyFailed

_STORES_TIMEOUT_S = 60.0
_READY_TIMEOUT_S = 60.0
_LOG_CHECK_S = 15.0


class Display(Protocol):
    """Where the stack says what it does."""

    def note(self, text: str) -> None:
        """One line about the start."""
        ...

    def happened(self, part: str, text: str) -> None:
        """Something happened to a part."""
        ...

    def ready(self, document: dict[str, Any]) -> None:
        """Everything answers; the addresses."""
        ...

    def tick(self) -> None:
        """Called ten times a second from then on."""
        ...


@dataclass(frozen=True)
class Plan:
    """What to run and how."""

    layout: Layout
    services: Sequence[Service] = SERVICES
    limits: bool = True
    fresh: bool = False
    forked: bool = True
    migrate: Callable[[str, dict[str, str]], object] = schema.bring_up_to_date


@dataclass
class Stack:
    """One running stack; `run` returns when it was told to end and everything is gone."""

    plan: Plan
    display: Display
    _told: Told = field(default_factory=Told, init=False)

    def run(self) -> None:
        """Start everything, keep it alive, end it.

        Raises:
            AlreadyRunning: a stack runs in this data directory.
            StartFailed: something did not start; everything is ended again.
        """
        layout = self.plan.layout
        with ExitStack() as ending:
            ending.enter_context(state.held(layout))
            ending.enter_context(self._told.listening())
            if self.plan.fresh:
                layout.wipe()
            layout.prepare()
            ending.callback(layout.clean)
            self._run(ending)

    def _run(self, ending: ExitStack) -> None:
        credentials = Credentials.kept_in(self.plan.layout.secrets)
        stores = Stores.of(self.plan.layout, credentials)
        identities = Identities(self.plan.layout.identities, [service.name for service in SERVICES])
        identities.write()
        processes, ui_port = self._processes(ending, stores, identities, credentials)
        supervisor = Supervisor(stores.embedded, processes, self.display.happened)
        ending.callback(supervisor.stop)
        self._start_stores(stores, supervisor)
        self._start_services(supervisor, processes)
        if self._told.to_end:
            return
        publish = _Publication(self.plan.layout, stores, processes, ui_port)
        supervisor.on_restart = publish.write
        publish.write()
        self.display.ready(publish.document())
        self._watch(supervisor, identities)

    def _processes(
        self, ending: ExitStack, stores: Stores, identities: Identities, credentials: Credentials
    ) -> tuple[list[ServiceProcess], int]:
        bound = {service.name: self._bind(service) for service in self.plan.services}
        for listening in (each for sockets in bound.values() for each in sockets):
            ending.callback(listening.close)
        urls = {service.name: f"http://127.0.0.1:{service.port}" for service in SERVICES}
        urls |= {name: f"http://127.0.0.1:{_port(sockets[0])}" for name, sockets in bound.items()}
        ui_port = _port(bound["gateway"][-1]) if "gateway" in bound else UI_PORT
        around = Surroundings(stores, identities, credentials.signing_keys, urls, ui_port, self.plan.limits)
        return [
            ServiceProcess(
                service, around.of(service.name, _port(bound[service.name][0])), bound[service.name],
                self.plan.layout.log_of(service.name), self.plan.forked,
            )
            for service in self.plan.services
        ], ui_port  # fmt: skip

    def _bind(self, service: Service) -> list[socket.socket]:
        sockets = []
        for wanted in (service.port, *service.further_ports):
            listening = ports.bound(wanted)
            if wanted not in (0, _port(listening)):
                self.display.note(f"port {wanted} is taken; {service.name} listens on {_port(listening)}")
            sockets.append(listening)
        return sockets

    def _start_stores(self, stores: Stores, supervisor: Supervisor) -> None:
        self.display.note("starting PostgreSQL and Valkey")
        if stores.redis is not None:
            supervisor.start(stores.redis)
        initialising = None
        if stores.postgres is not None:
            initialising = _initialise(stores.postgres)
            if initialising is None:
                supervisor.start(stores.postgres)
        if self.plan.forked:
            preload(self.plan.services)
        if initialising is not None and stores.postgres is not None:
            _finish(initialising)
            supervisor.start(stores.postgres)
        self._wait_for_stores(stores)
        _finish(Errand("the schema", lambda: self._migrate(stores)))

    def _migrate(self, stores: Stores) -> None:
        self.plan.migrate(stores.owner_dsn, stores.passwords)

    def _wait_for_stores(self, stores: Stores) -> None:
        deadline = time.monotonic() + _STORES_TIMEOUT_S
        for store in stores.embedded:
            try:
                store.server.wait_until_ready(max(1.0, deadline - time.monotonic()))
            except (PostgresFailed, ValkeyFailed) as error:
                lines = store.last_lines()
                raise StartFailed(store.name, lines, suggestion(lines, store.name)) from error

    def _start_services(self, supervisor: Supervisor, processes: Sequence[ServiceProcess]) -> None:
        self.display.note(f"starting {len(processes)} services")
        for process in processes:
            if self._told.to_end:
                return
            supervisor.start(process)

        def check() -> None:
            if self._told.to_end:
                raise _Interrupted
            supervisor.demand_alive()

        addresses = {process.name: process.port for process in processes}
        try:
            unready = probes.wait_until_ready(addresses, timeout_s=_READY_TIMEOUT_S, check=check)
        except _Interrupted:
            return
        for process in processes:
            if process.name in unready:
                lines = process.last_lines()
                raise StartFailed(process.name, lines, suggestion(lines, process.name))

    def _watch(self, supervisor: Supervisor, identities: Identities) -> None:
        refresh_at = time.monotonic() + REFRESH_S
        logs_at = time.monotonic() + _LOG_CHECK_S
        while not self._told.to_end:
            self._told.pause(TICK_S)
            supervisor.look()
            self.display.tick()
            now = time.monotonic()
            if now > refresh_at:
                identities.write()
                refresh_at = now + REFRESH_S
            if now > logs_at:
                self._keep_logs_small(supervisor.services)
                logs_at = now + _LOG_CHECK_S

    def _keep_logs_small(self, parts: Sequence[Part]) -> None:
        for part in parts:
            logs.keep_small(self.plan.layout.log_of(part.name))


class _Interrupted(Exception):
    """We were told to end while starting."""


@dataclass(frozen=True)
class _Publication:
    """The addresses of a running stack, as `palio status --json` tells them."""

    layout: Layout
    stores: Stores
    processes: Sequence[ServiceProcess]
    ui_port: int

    def document(self) -> dict[str, Any]:
        urls = {process.name: process.url for process in self.processes}
        websocket = urls.get("websocket", "").replace("http", "ws", 1)
        return {
            "urls": {
                "ui": f"http://127.0.0.1:{self.ui_port}" if "gateway" in urls else "",
                "gateway": urls.get("gateway", ""),
                "websocket": f"{websocket}/ws/main" if websocket else "",
            },
            "services": {process.name: {"pid": process.pid, "url": process.url} for process in self.processes},
            "postgres": {"pid": self.stores.postgres and self.stores.postgres.pid, "dsn": self.stores.owner_dsn},
            "redis": {"pid": self.stores.redis and self.stores.redis.pid, "url": self.stores.redis_url},
        }

    def write(self) -> None:
        state.write(self.layout, self.document())


def _initialise(store: EmbeddedStore) -> Errand | None:
    """Make the data directory beside our imports, if there is none."""
    server = store.server
    if not isinstance(server, Postgres) or server.data.exists():
        return None
    return Errand("postgres", server.ensure_initialised)


def _finish(errand: Errand) -> None:
    try:
        errand.join()
    except ErrandFailed as error:
        lines = str(error).splitlines()[-20:]
        raise StartFailed(errand.name, lines, suggestion(lines, "postgres")) from error


def _port(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])
