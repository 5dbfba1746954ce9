"""Docker, where it is missing or not running: installed from Debian, started as our own process, stopped by its pid.

Nothing is installed or started when `docker info` already answers. `python hack/engine.py start|stop` does just that.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import debian
from cache import CACHE, say

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
PID_FILE = CACHE / "dockerd.pid"
LOG_FILE = CACHE / "dockerd.log"
_INOTIFY = {"max_user_instances": 512, "max_user_watches": 524_288}


def ensure() -> None:
    """Make `docker` answer.

    Raises:
        SystemExit: it does not, and this machine is not one where we can install it.
    """
    if answers():
        return
    debian.ensure("dockerd", "docker.io", "docker-cli")
    debian.ensure("docker", "docker-cli")
    _raise_inotify()
    _start()


def answers() -> bool:
    """Whether a Docker engine can be reached."""
    return (
        shutil.which("docker") is not None
        and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    )


def stop() -> None:
    """End the engine that we started, and only that."""
    if not PID_FILE.exists():
        return
    pid = int(PID_FILE.read_text())
    PID_FILE.unlink()
    if not _is_engine(pid):
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _is_engine(pid):
        if time.monotonic() > deadline:
            raise SystemExit(f"Docker (process {pid}) does not end")
        time.sleep(0.1)
    say("stopped Docker")


def _is_engine(pid: int) -> bool:
    """Whether the number is still our engine's: after a restart of the machine it may be anybody's."""
    try:
        name, _, state = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return name == "dockerd" and not state.lstrip().startswith("Z")


def _raise_inotify() -> None:
    for name, least in _INOTIFY.items():
        setting = Path("/proc/sys/fs/inotify") / name
        if setting.exists() and int(setting.read_text()) < least and os.access(setting, os.W_OK):
            setting.write_text(str(least))


def _start() -> None:
    say("starting Docker")
    CACHE.mkdir(parents=True, exist_ok=True)
    with LOG_FILE.open("ab") as log:
        process = subprocess.Popen(
            ["dockerd"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    PID_FILE.write_text(str(process.pid))
    deadline = time.monotonic() + START_TIMEOUT_S
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("Docker did not start:\n" + "\n".join(LOG_FILE.read_text().splitlines()[-20:]))
        time.sleep(0.2)


if __name__ == "__main__":
    commands = {"start": ensure, "stop": stop}
    if sys.argv[1:2] == [] or sys.argv[1] not in commands:
        raise SystemExit(Path(__file__).name + " start|stop")
    commands[sys.argv[1]]()
