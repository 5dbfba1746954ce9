"""The services of the local stack, as data: a name, its package, its port."""

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

UI_PORT = 3000


@dataclass(frozen=True)
class Service:
    """One service; `package` has `app.create_app` and `settings.Settings`."""

    name: str
    port: int
    package: str
    further_ports: tuple[int, ...] = ()
    """Listened on besides `port`: the gateway's for the demo UI."""
    migrates: bool = False
    protocol: str = ""
    """Uvicorn's web socket protocol, `module:class`, if not the usual one."""

    @cached_property
    def create_app(self) -> Any:
        """Settings in, ASGI app out."""
        return importlib.import_module(f"{self.package}.app").create_app

    @cached_property
    def settings_class(self) -> Any:
        """Reads the process's environment when called."""
        return importlib.import_module(f"{self.package}.settings").Settings

    @cached_property
    def web_socket_protocol(self) -> Any:
        """For `serve.run`."""
        module, _, name = self.protocol.partition(":")
        return getattr(importlib.import_module(module), name) if name else "websockets-sansio"

    def preload(self) -> None:
        """Import everything now, so that forked children share it."""
        assert self.create_app and self.settings_class and self.web_socket_protocol  # noqa: PT018 - not a test


def _service(name: str, port: int, **others: Any) -> Service:
    return Service(name, port, f"palio_{name}", **others)


SERVICES = (
    _service("user", 23451, migrates=True),
    _service("game", 23452, migrates=True),
    _service("leaderboard", 23453),
    _service("score", 23454, migrates=True),
    _service("gateway", 23455, further_ports=(UI_PORT,)),
    _service("websocket", 23456, protocol="palio_websocket.protocol:LiveProtocol"),
    _service("tournament", 23457, migrates=True),
    _service("generator", 23458, migrates=True),
)
MIGRATION_ORDER = ("user", "game", "tournament", "score", "generator")
ROLES = tuple(f"palio_{service.name}" for service in SERVICES)


def by_name(name: str) -> Service:
    """The service of that name.

    Raises:
        KeyError: there is none.
    """
    return {service.name: service for service in SERVICES}[name]


def migrated_packages() -> list[str]:
    """Packages with migrations, in the order they must run."""
    return [by_name(name).package for name in MIGRATION_ORDER]
