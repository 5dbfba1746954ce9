"""What comes from Debian: programs that are missing here, and the mirror that this machine's apt uses.

Docker and Go must be newer than bookworm's, so they come from trixie, at a priority that upgrades nothing else.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from cache import say

SUITE = "trixie"
_SUITE_FILE = Path(f"/etc/apt/sources.list.d/palio-{SUITE}.sources")
_PIN_FILE = Path(f"/etc/apt/preferences.d/palio-{SUITE}")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def ensure(program: str, *packages: str) -> None:
    """Install what brings a program, unless it is on PATH.

    Raises:
        SystemExit: this machine is not one where we can install it.
    """
    if shutil.which(program):
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise SystemExit(f"{program} is needed: install it, or run this as root on Debian")
    say(f"installing {', '.join(packages)} from Debian")
    _add_suite()
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    wanted = [f"{package}/{SUITE}" for package in packages]
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *wanted]):
        done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"apt-get {command[0]} failed:\n{done.stdout}{done.stderr}")


def mirror() -> str:
    """The mirror that this machine's apt uses."""
    sources = [*Path("/etc/apt/sources.list.d").glob("*.sources"), Path("/etc/apt/sources.list")]
    text = "\n".join(file.read_text() for file in sources if file.exists())
    found = re.search(r"^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(\S+/debian)/?\s*", text, re.MULTILINE)
    if found is None:
        raise SystemExit("no Debian mirror in this machine's apt sources")
    return found[1]


def _add_suite() -> None:
    if f"VERSION_CODENAME={SUITE}" in Path("/etc/os-release").read_text():
        return
    _SUITE_FILE.write_text(f"Types: deb\nURIs: {mirror()}\nSuites: {SUITE}\nComponents: main\nSigned-By: {_KEYRING}\n")
    _PIN_FILE.write_text(f"Package: *\nPin: release n={SUITE}\nPin-Priority: 100\n")
