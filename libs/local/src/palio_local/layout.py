"""Where the stack keeps things: one data directory, and beside it a reachable one if `nobody` must run PostgreSQL."""

import contextlib
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from palio_local.unprivileged import Account, account

DEFAULT = Path(".palio")
_REACHABLE_PARENT = Path("/var/tmp")  # noqa: S108 - survives a reboot; the directory in it is ours alone, checked below


class NotOurs(RuntimeError):
    """Somebody else made the directory that we wanted to use."""


@dataclass(frozen=True)
class Layout:
    """The paths of one data directory."""

    root: Path

    @classmethod
    def of(cls, data_dir: Path | None) -> "Layout":
        """The layout in `data_dir`, else `PALIO_DATA_DIR`, else `.palio` here."""
        chosen = data_dir or Path(os.environ.get("PALIO_DATA_DIR", DEFAULT))
        return cls(chosen.absolute())

    @property
    def run(self) -> Path:
        """What lives as long as the stack: lock, state, identities."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One file per service, kept when the stack ends."""
        return self.run / "log"

    @property
    def identities(self) -> Path:
        """Service tokens, one directory per service."""
        return self.run / "identity"

    @property
    def secrets(self) -> Path:
        """Passwords and signing keys, made once."""
        return self.root / "secrets"

    @property
    def valkey(self) -> Path:
        """Valkey's working directory."""
        return self.run / "valkey"

    @property
    def bench(self) -> Path:
        """Runs of load that were kept; they outlive the data they were made on."""
        return self.root / "bench"

    def log_of(self, name: str) -> Path:
        """The log file of a service."""
        return self.logs / f"{name}.log"

    def postgres(self, runs_as: Account | None) -> Path:
        """PostgreSQL's directory: in the data directory, unless the account that runs it cannot get there."""
        if runs_as is None or runs_as.reaches(self.root):
            return self.root / "postgres"
        return self._elsewhere / "postgres"

    def prepare(self) -> None:
        """Make the directories.

        Raises:
            NotOurs: the place outside the data directory belongs to somebody else.
        """
        if not self.root.exists():  # removed by hand: what lay outside belonged to it, and its passwords are gone
            shutil.rmtree(self._elsewhere, ignore_errors=True)
        self.root.mkdir(parents=True, exist_ok=True)
        for directory, mode in ((self.run, 0o711), (self.logs, 0o711), (self.identities, 0o700), (self.secrets, 0o700)):
            directory.mkdir(exist_ok=True)
            directory.chmod(mode)
        if self.postgres(account()).is_relative_to(self._elsewhere):
            self._prepare_elsewhere()

    def wipe(self) -> None:
        """Remove all data: what we made and nothing else that may lie in the directory."""
        postgres = (self.root / "postgres", self.root / "programs", self._elsewhere)
        for directory in (*postgres, self.secrets, self.logs, self.identities, self.valkey):
            shutil.rmtree(directory, ignore_errors=True)

    def forget(self) -> None:
        """Remove what wiping leaves for the next start, and the directory itself if nothing else is in it."""
        (self.run / "lock").unlink(missing_ok=True)
        shutil.rmtree(self.bench, ignore_errors=True)
        for directory in (self.run, self.root):
            with contextlib.suppress(OSError):  # not there, or something of somebody else is in it
                directory.rmdir()

    def clean(self) -> None:
        """Remove what only a running stack needs."""
        for directory in (self.identities, self.valkey):
            shutil.rmtree(directory, ignore_errors=True)

    @property
    def _elsewhere(self) -> Path:
        mark = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        return _REACHABLE_PARENT / f"palio-{mark}"

    def _prepare_elsewhere(self) -> None:
        self._elsewhere.mkdir(mode=0o711, exist_ok=True)
        if self._elsewhere.is_symlink() or self._elsewhere.stat().st_uid != os.geteuid():
            raise NotOurs(f"{self._elsewhere} belongs to someone else; remove it or choose another --data-dir.")
        self._elsewhere.chmod(0o711)
