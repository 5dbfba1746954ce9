"""Service processes: forked from a parent that has everything imported, or executed anew where forking is unwelcome.

A forked child keeps its own sockets and nothing else of its parent: no lock, no other service's port.
"""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from palio_kit import serve
from palio_local.leash import leashed
from palio_local.part import StartFailed, last_lines_of, suggestion
from palio_local.services import Service

_RUNNERS = (
    "uvicorn.protocols.http.httptools_impl", "uvicorn.protocols.websockets.websockets_sansio_impl",
    "uvicorn.lifespan.on", "uvicorn.loops.uvloop",
)  # fmt: skip
_OWN_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


@dataclass
class ServiceProcess:
    """One service, listening on sockets that outlive it: while it restarts, connections wait instead of failing."""

    service: Service
    environment: Mapping[str, str] = field(repr=False)
    sockets: Sequence[socket.socket] = field(repr=False)
    log: Path
    forked: bool = True
    _pid: int | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """The service's."""
        return self.service.name

    @property
    def pid(self) -> int | None:
        """While it runs."""
        return self._pid

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process; its output goes to the log file."""
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            self._pid = self._fork(descriptor) if self.forked else self._execute(descriptor)
        finally:
            os.close(descriptor)

    def has_ended(self) -> bool:
        """Whether it was started and is no more."""
        if self._pid is None:
            return False
        ended, _ = os.waitpid(self._pid, os.WNOHANG)
        if ended:
            self._pid = None
        return bool(ended)

    def send(self, signal_: signal.Signals) -> None:
        """Signal it, if it runs."""
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal_)

    def last_lines(self, count: int = 20) -> list[str]:
        """Of its log."""
        return last_lines_of(self.log.read_text(errors="replace"), count) if self.log.exists() else []

    def _fork(self, log: int) -> int:
        bind = leashed(signal.SIGKILL)
        # A signal that came between the fork and the child's own handlers would only set a flag of the parent's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _OWN_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._be_child(log, bind)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid

    def _be_child(self, log: int, bind: Any) -> NoReturn:
        """Everything a child does; it never returns into the parent's code."""
        status = 1
        try:
            bind()
            _leave_parent(log, {listening.fileno() for listening in self.sockets})
            os.environ.update(self.environment)
            serve_service(self.service, self.sockets)
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _execute(self, log: int) -> int:
        numbers = [listening.fileno() for listening in self.sockets]
        command = [sys.executable, "-m", "palio_local.child", self.service.package, self.service.protocol]
        command += map(str, numbers)
        process = subprocess.Popen(
            command, env=os.environ | dict(self.environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=numbers, process_group=0,
            preexec_fn=leashed(signal.SIGKILL),  # noqa: PLW1509 - the launcher has no threads
        )  # fmt: skip
        process.returncode = 0  # reaped by `has_ended`, not by Popen
        return process.pid


def serve_service(service: Service, sockets: Sequence[socket.socket]) -> None:
    """Serve until told to end, as `python -m palio_<name>` does, on sockets that are given."""
    serve.run(service.create_app, service.settings_class(), sockets=sockets, ws=service.web_socket_protocol)


def preload(services: Sequence[Service]) -> None:
    """Import what the children will need and make it shareable: the collector would touch, and so copy, every page.

    Raises:
        StartFailed: a service's code cannot be imported.
    """
    for module in _RUNNERS:
        __import__(module)
    for service in services:
        _preload_one(service)
    gc.collect()
    gc.freeze()


def _preload_one(service: Service) -> None:
    try:
        service.preload()
    except Exception as error:
        lines = traceback.format_exc().splitlines()[-20:]
        raise StartFailed(service.name, lines, suggestion(lines, service.name)) from error


def _leave_parent(log: int, keep: set[int]) -> None:
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in _OWN_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _OWN_SIGNALS)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for descriptor in [int(entry.name) for entry in Path("/dev/fd").iterdir()]:
        if descriptor > 2 and descriptor not in keep:  # noqa: PLR2004 - stdin, stdout, stderr
            with contextlib.suppress(OSError):
                os.close(descriptor)
