"""Where load may go: this machine's own gateway, and hosts that were allowed by name. Nothing else, however written.

A name is resolved once and the address it had then is used for the whole run, so that a name server that changes its
mind (DNS rebinding) moves nothing. Redirects are answers like any other: counted, never followed.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_PORT_MAX = 65_535
_NAME = re.compile(r"(?=.{1,253}$)[a-z]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,61}[a-z0-9])?)*")
_LOCAL_NAME = "localhost"


class TargetRefused(ValueError):
    """Load may not go there; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place that may be loaded. `host` is what the `Host` header says, `is_local` whether it is this machine."""

    scheme: str
    host: str
    port: int
    path: str
    is_local: bool

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme in ("https", "wss")

    @property
    def authority(self) -> str:
        """Host and port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """As a URL without a path."""
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Place:
    """A target and the one address it has for this run."""

    target: Target
    address: str


def read_target(url: str, allowed_hosts: Iterable[str], *, schemes: Sequence[str] = ("http", "https")) -> Target:
    """The target of a URL, if load may go there.

    Raises:
        TargetRefused: it may not, or it is no such URL.
    """
    if not url.isascii() or re.search(r"[\s\\%]", url):
        raise TargetRefused(f"{url!r} is not a plain URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TargetRefused(f"{url!r} is not a URL: {error}") from error
    if parts.scheme not in schemes:
        raise TargetRefused(f"{url!r} does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if "@" in parts.netloc:
        raise TargetRefused("a user or password in the URL is not taken")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise TargetRefused("a query or fragment in the URL is not taken")
    host = (parts.hostname or "").lower()
    _check_port(port)
    is_local = _is_local(host)
    if not is_local and host not in {name.lower() for name in allowed_hosts}:
        raise TargetRefused(f"load goes to this machine's own gateway only; {host or 'no host'} is not allowed")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], parts.path.rstrip("/"), is_local)


def is_permitted(address: Address, *, is_local: bool) -> bool:
    """Whether a target's host may have this address: a local name a loopback one, any other no special one."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return is_permitted(mapped, is_local=is_local)
    if is_local:
        return address.is_loopback
    return not (
        address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
        or (address.version == 4 and address.is_reserved)  # noqa: PLR2004 - IP's own number; 6's reserved holds NAT64
    )  # fmt: skip


def resolve(target: Target) -> Place:
    """Look the host up, once.

    Raises:
        TargetRefused: it has no address, or one that it may not have.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TargetRefused(f"{target.host} has no address: {error}") from error
    return choose(target, [str(entry[4][0]) for entry in found])


def choose(target: Target, addresses: Sequence[str]) -> Place:
    """The first of a host's addresses; one forbidden among them refuses the host.

    Raises:
        TargetRefused: there is none, or a forbidden one.
    """
    if not addresses:
        raise TargetRefused(f"{target.host} has no address")
    for text in addresses:
        if not is_permitted(ipaddress.ip_address(text.partition("%")[0]), is_local=target.is_local):
            raise TargetRefused(f"{target.host} has the address {text}, where load may not go")
    return Place(target, addresses[0])


def _check_port(port: int | None) -> None:
    if port is not None and not 0 < port <= _PORT_MAX:
        raise TargetRefused("the port must be 1 to 65535")


def _is_local(host: str) -> bool:
    """Whether a host is this machine's by its very text. Numbers that only some resolvers understand are refused.

    Raises:
        TargetRefused: neither an address in its usual form nor a name.
    """
    if host == _LOCAL_NAME:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not _NAME.fullmatch(host):
            raise TargetRefused(f"{host!r} is neither a host's name nor an address in its usual form") from None
        return False
    return is_permitted(address, is_local=True)
