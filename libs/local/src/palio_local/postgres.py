"""An embedded PostgreSQL: its programs driven directly, one data directory, loopback only, passwords everywhere.

As root it runs as `nobody`. It starts again after any kind of end: a stale postmaster.pid is judged by whether a server
of this very directory is alive, and an orphan of a killed launcher is ended first.
"""

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from palio_local.leash import leashed
from palio_local.programs import programs
from palio_local.unprivileged import Account, account

OWNER = "palio"

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0
_POLL_S = 0.02
_PID_FILE_STATUS_LINE = 7
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SIZES = {
    "shared_buffers": "128MB", "max_connections": "100", "max_wal_size": "2GB", "min_wal_size": "256MB",
    "checkpoint_timeout": "15min", "wal_compression": "on", "log_checkpoints": "off", "timezone": "UTC",
}  # fmt: skip
# After a crash the server syncs its directory first: a thousand files one by one take seconds, one call a fraction.
_FAST_RECOVERY = {"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}


class PostgresFailed(RuntimeError):
    """PostgreSQL could not be initialised or did not start; the message ends with its last log lines."""


@dataclass
class Postgres:
    """One server in `directory` (`data/`, `server.log`).

    `durable=False` is for tests: a crash may lose everything. `options` are further settings of the server.
    """

    directory: Path
    port: int
    password: str = field(repr=False)
    durable: bool = True
    options: dict[str, str] = field(default_factory=dict)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False)
    _account: Account | None = field(default_factory=account, init=False, repr=False)

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.directory / "server.log"

    @property
    def pid(self) -> int | None:
        """The postmaster's, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def exit_status(self) -> int | None:
        """How the postmaster ended; None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    def dsn(self, *, user: str = OWNER, password: str | None = None, database: str = OWNER) -> str:
        """A URL for `user`; the owner's by default."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def ensure_initialised(self) -> None:
        """Make the data directory if there is none; an interrupted attempt is thrown away.

        Raises:
            PostgresFailed: initdb failed.
        """
        if self.data.exists():
            return
        self._prepare_directory()
        unfinished, password_file = self.directory / "unfinished", self.directory / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._write_private(password_file, self.password)
        try:
            self._initdb(unfinished, password_file)
        finally:
            password_file.unlink()
        unfinished.rename(self.data)

    def start(self) -> None:
        """Start the server in the background; it dies with the thread that calls this."""
        self._end_orphan()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs() / "postgres"), "-D", str(self.data), *self._settings()],
                cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=leashed(signal.SIGINT), **self._as_account(),  # noqa: PLW1509 - the launcher has no threads
            )  # fmt: skip

    def is_ready(self) -> bool:
        """Whether it takes connections; read from its pid file, as pg_ctl does.

        Raises:
            PostgresFailed: it ended.
        """
        if self._process is None or self._process.poll() is not None:
            raise PostgresFailed(f"PostgreSQL ended while starting.\n{self._last_lines()}")
        lines = self._pid_file_lines()
        return (
            len(lines) > _PID_FILE_STATUS_LINE
            and lines[0].strip() == str(self._process.pid)
            and lines[_PID_FILE_STATUS_LINE].strip() == "ready"
        )

    def wait_until_ready(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Return when it takes connections.

        Raises:
            PostgresFailed: it ended, or took too long.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise PostgresFailed(f"PostgreSQL was not ready within {timeout_s:.0f} s.\n{self._last_lines()}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End it cleanly, connections or not (a "fast" shutdown)."""
        self._end(signal.SIGINT)

    def restart_at_once(self) -> None:
        """Crash it (an "immediate" shutdown) and start it again on the same port; it recovers from its log."""
        self._end(signal.SIGQUIT)
        self.start()
        self.wait_until_ready()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def _prepare_directory(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        if self._account is not None:
            self._account.owns(self.directory)

    def _write_private(self, path: Path, text: str) -> None:
        path.touch(mode=0o600)
        path.write_text(text)
        if self._account is not None:
            self._account.owns(path)

    def _initdb(self, into: Path, password_file: Path) -> None:
        done = subprocess.run(
            [
                str(self._programs() / "initdb"), "-D", str(into), "--username", OWNER, "--pwfile", str(password_file),
                "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-instructions", "--no-sync",
            ],
            cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **self._as_account(),
            preexec_fn=leashed(signal.SIGKILL),
        )  # fmt: skip
        if done.returncode != 0:
            raise PostgresFailed(f"initdb failed.\n{done.stdout.decode(errors='replace')}")

    def _settings(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": "",
            **_SIZES, **_FAST_RECOVERY, **(_DURABLE if self.durable else _FORGETFUL), **self.options,
        }  # fmt: skip
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _programs(self) -> Path:
        return programs(self.directory.with_name("programs"), self._account)

    def _as_account(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.user_id, "group": self._account.group_id, "extra_groups": []}

    def _end_orphan(self) -> None:
        """End a server that a killed launcher left in this directory, and remove a stale pid file."""
        lines = self._pid_file_lines()
        if not lines:
            return
        orphan = _postmaster_of(int(lines[0]), self.data)
        if orphan is not None:
            orphan.send_signal(signal.SIGINT)
            psutil.wait_procs([orphan], timeout=_STOP_TIMEOUT_S)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _last_lines(self, count: int = 20) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:]) if self.log.exists() else ""


def _postmaster_of(pid: int, data: Path) -> psutil.Process | None:
    """The process if it is the server of this data directory: its number may be someone else's by now."""
    try:
        process = psutil.Process(pid)
        return process if str(data) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None
