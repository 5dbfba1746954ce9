"""Where load may go: the platform's own gateway, and hosts that the operator's values name. Pure, by the text alone.

Addresses instead of names are refused in every spelling unless a value names exactly that address, and those that
mean this machine, its neighbours on the link or nobody are refused even then. What a name resolves to the engine
checks, once, when it begins; it follows no redirect.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from palio_operator.loadtests.models import Refusal

_PORTS = {"http": 80, "https": 443}
_PORT_MAX = 65_535
_URL_MAX = 200
_LOCAL_NAME = "localhost"
_NAME = re.compile(r"(?=.{1,253}$)[a-z]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z]([a-z0-9-]{0,61}[a-z0-9])?)*")


@dataclass(frozen=True, slots=True)
class Fence:
    """The gateway and the web socket of the platform, as pods in its `namespace` reach them, and hosts besides.

    A host of `allowed_hosts` is `name` (the scheme's own port) or `name:port`.
    """

    gateway_url: str
    live_url: str
    namespace: str
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """Where the load goes; `hosts` are those that the engine may reach, `live_url` None means the gateway's own."""

    base_url: str
    live_url: str | None
    hosts: tuple[str, ...]


def target(url: str | None, fence: Fence) -> Target | Refusal:
    """Where a load test's requests go, or why they may not go there."""
    if url is None:
        return _own(fence)
    read = _read(url)
    if isinstance(read, Refusal):
        return read
    host, port, scheme = read
    if (host, port, scheme) in _gateways(fence):
        return _own(fence)
    if not _is_allowed(host, port, scheme, fence.allowed_hosts):
        return _refused(f"{host}:{port} is not the platform's own gateway, and loadTest.allowedHosts does not name it")
    return Target(f"{scheme}://{host}:{port}", None, (host,))


def _own(fence: Fence) -> Target:
    hosts = [urlsplit(one).hostname or "" for one in (fence.gateway_url, fence.live_url) if one]
    return Target(fence.gateway_url.rstrip("/"), fence.live_url or None, tuple(dict.fromkeys(hosts)))


def _read(url: str) -> tuple[str, int, str] | Refusal:
    """Host, port and scheme of a URL that is nothing but these."""
    if len(url) > _URL_MAX or not url.isascii() or re.search(r"[\s\\%]", url):
        return _refused("the URL is not a plain one")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return _refused(f"the URL cannot be understood: {error}")
    unwanted = _unwanted(parts, url)
    if unwanted:
        return _refused(unwanted)
    host = (parts.hostname or "").lower()
    if host == _LOCAL_NAME or host.endswith(f".{_LOCAL_NAME}"):
        return _refused("a runner's own pod is no target")
    if not (_NAME.fullmatch(host) or _is_usual_address(host)):
        return _refused(f"{host!r} is neither a host's name nor an address in its usual form")
    return host, port if port is not None else _PORTS[parts.scheme], parts.scheme


def _unwanted(parts: SplitResult, url: str) -> str:
    """What a base URL of ours does not have."""
    if parts.scheme not in _PORTS:
        return "the URL must begin with http:// or https://"
    if "@" in parts.netloc:
        return "a user or a password in the URL is not taken"
    if parts.path not in ("", "/") or "?" in url or "#" in url:
        return "a path, query or fragment in the URL is not taken"
    if parts.port is not None and not 0 < parts.port <= _PORT_MAX:
        return "the port must be 1 to 65535"
    return ""


def _is_usual_address(host: str) -> bool:
    """Whether this is an IPv4 address as everybody writes it, and one that may be loaded at all."""
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return False
    special = address.is_loopback or address.is_link_local or address.is_multicast
    return not (special or address.is_unspecified or address.is_reserved)


def _gateways(fence: Fence) -> Sequence[tuple[str, int, str]]:
    """Every name of the platform's own gateway, with its port and scheme."""
    parts = urlsplit(fence.gateway_url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    service = host.partition(".")[0]
    names = [host, service, *(f"{service}.{fence.namespace}{rest}" for rest in ("", ".svc", ".svc.cluster.local"))]
    return [(name, port, parts.scheme) for name in names]


def _is_allowed(host: str, port: int, scheme: str, allowed: Sequence[str]) -> bool:
    named = {one.lower() for one in allowed}
    return f"{host}:{port}" in named or (host in named and port == _PORTS[scheme])


def _refused(why: str) -> Refusal:
    return Refusal("TargetNotAllowed", f"{why}; create a LoadTest with another target.url, or none")
