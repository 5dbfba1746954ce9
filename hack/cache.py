"""Heavy builds, kept outside the checkout under a hash of what they are made from, so that nothing is built twice.

`PALIO_CACHE` moves the cache from `~/.cache/palio`; with `PALIO_BUILD=never` what is not there yet is refused.
A build that fails leaves nothing behind.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HACK = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("PALIO_CACHE", Path.home() / ".cache" / "palio"))
_DIGITS = 12


def say(text: str) -> None:
    """One line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def digest(inputs: Sequence[str | Path]) -> str:
    """A hash over texts and files (folders with all they hold)."""
    total = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            total.update(item.encode() + b"\0")
            continue
        files = sorted(file for file in item.rglob("*") if file.is_file()) if item.is_dir() else [item]
        for file in files:
            total.update(file.relative_to(HACK).as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:_DIGITS]


def cached(name: str, inputs: Sequence[str | Path], build: Callable[[Path], None], *, takes: str = "") -> Path:
    """The folder `build` filled for these inputs, now or before.

    Args:
        takes: what to tell the one who waits, for example "6 min, 4 GB".

    Raises:
        SystemExit: it is not there, and nothing may be built.
    """
    folder = CACHE / f"{name}-{digest(inputs)}"
    if folder.exists():
        return folder
    if os.environ.get("PALIO_BUILD") == "never":
        raise SystemExit(f"{name} was not built before")
    CACHE.mkdir(parents=True, exist_ok=True)
    say(f"building {name}" + (f" ({takes})" if takes else ""))
    started = time.monotonic()
    making = Path(tempfile.mkdtemp(prefix=f"{name}-making-", dir=CACHE))
    try:
        build(making)
        making.chmod(0o755)
        if folder.exists():  # another run was faster
            shutil.rmtree(making)
        else:
            making.rename(folder)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    say(f"built {name} in {time.monotonic() - started:.0f} s")
    return folder
