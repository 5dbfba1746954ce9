"""Ports: the wanted one if it is free, else any."""

import socket

from palio_kit import serve

_BACKLOG = 2048


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_port_near(wanted: int) -> int:
    """The wanted port if it is free, else any.

    Fixed ports are worth wanting for servers that bind by themselves: they lie below the range from which the kernel
    takes ports for outgoing connections, so nobody takes one while its server restarts.
    """
    with bound(wanted) as probe:
        return int(probe.getsockname()[1])


def bound(wanted: int) -> socket.socket:
    """A listening socket on the wanted port of 127.0.0.1, or on a free one if that is taken."""
    try:
        return _listening(wanted)
    except OSError:
        return _listening(0)


def _listening(port: int) -> socket.socket:
    listening = serve.listen("127.0.0.1", port)
    try:
        listening.listen(_BACKLOG)  # now, because two may be bound to one port as long as neither listens
    except OSError:
        listening.close()
        raise
    return listening
