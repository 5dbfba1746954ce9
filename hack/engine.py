"""Docker, where it is missing or not running: installed from Debian, started as our own process, stopped by its pid.

Nothing is installed or started when `docker info` already answers.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from cache import CACHE, say
from images import debian_mirror

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
PID_FILE = CACHE / "dockerd.pid"
LOG_FILE = CACHE / "dockerd.log"
_PACKAGES = ("docker.io/trixie", "mmdebstrap")
_SUITE_FILE = Path("/etc/apt/sources.list.d/palio-trixie.sources")
_PIN_FILE = Path("/etc/apt/preferences.d/palio-trixie")
_INOTIFY = {"max_user_instances": 512, "max_user_watches": 524_288}


def ensure() -> None:
    """Make `docker` answer.

    Raises:
        SystemExit: it does not, and this machine is not one where we can install it.
    """
    if answers():
        return
    if shutil.which("dockerd") is None or shutil.which("mmdebstrap") is None:
        _install(debian_mirror())
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
    try:
        os.kill(pid, signal.SIGTERM)
        for _ in range(STOP_TIMEOUT_S * 10):
            os.kill(pid, 0)
            time.sleep(0.1)
    except ProcessLookupError:
        say("stopped Docker")


def _install(mirror: str) -> None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise SystemExit("Docker is needed: install it, or run this as root on Debian.")
    say("installing Docker and mmdebstrap from Debian (30 s)")
    keyring = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
    _SUITE_FILE.write_text(f"Types: deb\nURIs: {mirror}\nSuites: trixie\nComponents: main\n{keyring}\n")
    # Low priority: only what is asked for by name comes from the newer suite, so nothing else is upgraded.
    _PIN_FILE.write_text("Package: *\nPin: release n=trixie\nPin-Priority: 100\n")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *_PACKAGES]):
        subprocess.run(["apt-get", *command], env=environment, check=True, stdout=subprocess.DEVNULL)


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
