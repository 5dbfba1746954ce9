"""Running a server as `nobody` when we are root: PostgreSQL refuses root, and adding a system user is not for us."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

_TRAVERSE = {"user": stat.S_IXUSR, "group": stat.S_IXGRP, "other": stat.S_IXOTH}


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a server runs as, if not as ourselves."""

    user_id: int
    group_id: int

    def owns(self, path: Path) -> None:
        """Give `path` to this account."""
        os.chown(path, self.user_id, self.group_id)

    def reaches(self, path: Path) -> bool:
        """Whether this account may walk down to `path` and enter it; parts that do not exist yet are not judged."""
        resolved = path.resolve()
        return all(self._enters(part) for part in (resolved, *resolved.parents) if part.exists())

    def _enters(self, directory: Path) -> bool:
        status = directory.stat()
        who = "user" if status.st_uid == self.user_id else "group" if status.st_gid == self.group_id else "other"
        return bool(status.st_mode & _TRAVERSE[who])


def account() -> Account | None:
    """`nobody` if we are root, else None: servers run as we do."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)
