"""The two stores of a stack: embedded ones, or those that DATABASE_URL and REDIS_URL name.

An external store is used as it is: never started, stopped or wiped by us.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from palio_local.credentials import Credentials
from palio_local.layout import Layout
from palio_local.part import last_lines_of
from palio_local.ports import free_port_near
from palio_local.postgres import Postgres
from palio_local.unprivileged import account
from palio_local.valkey import Valkey

POSTGRES_PORT = 23459
VALKEY_PORT = 23460


@dataclass(frozen=True)
class EmbeddedStore:
    """A server of ours, as a part of the stack."""

    name: str
    server: Postgres | Valkey

    @property
    def pid(self) -> int | None:
        """While it runs."""
        return self.server.pid

    def start(self) -> None:
        """Start it in the background."""
        self.server.start()

    def has_ended(self) -> bool:
        """Whether it was started and is no more."""
        return self.server.exit_status is not None

    def send(self, signal_: signal.Signals) -> None:
        """Signal it; to PostgreSQL a polite end is a fast one, which does not wait for clients."""
        polite = signal.SIGINT if isinstance(self.server, Postgres) else signal.SIGTERM
        pid = self.server.pid
        if pid is not None:
            os.kill(pid, polite if signal_ is signal.SIGTERM else signal_)

    def last_lines(self, count: int = 20) -> list[str]:
        """Of its log."""
        log: Path = self.server.log
        return last_lines_of(log.read_text(errors="replace"), count) if log.exists() else []


@dataclass(frozen=True)
class Stores:
    """Where PostgreSQL and Redis are, and which of them are ours."""

    owner_dsn: str
    redis_url: str
    passwords: dict[str, str]
    postgres: EmbeddedStore | None
    redis: EmbeddedStore | None

    @classmethod
    def of(cls, layout: Layout, credentials: Credentials) -> "Stores":
        """Choose; nothing is started yet."""
        postgres = redis = None
        owner_dsn, redis_url = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
        if not owner_dsn:
            server = Postgres(layout.postgres(account()), free_port_near(POSTGRES_PORT), credentials.owner)
            postgres, owner_dsn = EmbeddedStore("postgres", server), server.dsn()
        if not redis_url:
            valkey = Valkey(layout.valkey, free_port_near(VALKEY_PORT), credentials.redis)
            redis, redis_url = EmbeddedStore("redis", valkey), valkey.url
        return cls(owner_dsn, redis_url, credentials.roles, postgres, redis)

    @property
    def embedded(self) -> list[EmbeddedStore]:
        """Those that are ours."""
        return [store for store in (self.postgres, self.redis) if store is not None]

    def dsn_of(self, role: str) -> str:
        """The database as the role of a service."""
        parts = urlsplit(self.owner_dsn)
        place = f"{role}:{quote(self.passwords[role], safe='')}@{parts.netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=place))
