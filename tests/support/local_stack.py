"""A running `palio demo`, started and stopped as its user does."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PALIO = Path(sys.executable).with_name("palio")
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 60


@dataclass(frozen=True)
class LocalStack:
    """One stack in its own data directory."""

    data_dir: Path

    @classmethod
    def start(cls, data_dir: Path, *, limits: str = "off") -> Self:
        """Start detached; returns when everything is ready."""
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
        """`palio status --json`."""
        command = [str(PALIO), "status", "--json", "--data-dir", str(self.data_dir)]
        document: dict[str, Any] = json.loads(
            subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
        )
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
