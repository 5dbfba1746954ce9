"""A running `palio demo`, started and stopped as its user does."""

import os
import signal
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from palio_local import operations
from palio_local.layout import Layout

PALIO = Path(sys.executable).with_name("palio")
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60


def note(data_dir: Path) -> None:
    """Leave word of a stack for who runs the tests: if they are killed, it is he who must stop it."""
    if "PALIO_TEST_STACKS" in os.environ:
        Path(os.environ["PALIO_TEST_STACKS"], uuid.uuid4().hex).write_text(str(data_dir))


@dataclass(frozen=True)
class LocalStack:
    """One stack in its own data directory."""

    data_dir: Path

    @classmethod
    def start(cls, data_dir: Path, *, limits: str = "off") -> Self:
        """Start detached; returns when everything is ready."""
        note(data_dir)
        command = [str(PALIO), "demo", "--detach", "--data-dir", str(data_dir), "--limits", limits]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return cls(data_dir)

    def stop(self) -> None:
        """Stop and wait until everything is gone."""
        subprocess.run([str(PALIO), "stop", "--data-dir", str(self.data_dir)], check=True, timeout=STOP_TIMEOUT_S)

    def remove(self) -> None:
        """Stop, and remove its data: as root below a closed directory some of it lies elsewhere."""
        self.stop()
        subprocess.run([str(PALIO), "clean", "--data-dir", str(self.data_dir)], check=True, timeout=STOP_TIMEOUT_S)

    def status(self) -> dict[str, Any]:
        """What `palio status --json` tells, asked in this process: a command costs half a second of CPU each time."""
        document = operations.status(Layout.of(self.data_dir))
        assert document is not None, "the stack does not run"
        return document

    def pid(self, name: str) -> int:
        """The process id of a service, `postgres` or `redis`."""
        status = self.status()
        pid: int = status[name]["pid"] if name in ("postgres", "redis") else status["services"][name]["pid"]
        return pid

    def kill(self, name: str, with_signal: int = signal.SIGKILL) -> int:
        """Send a signal to one part; answers the pid it had."""
        pid = self.pid(name)
        os.kill(pid, with_signal)
        return pid
