"""`python -m palio_local.child PACKAGE PROTOCOL DESCRIPTOR...`: one service on sockets that its parent bound."""

import socket
import sys

from palio_local.children import serve_service
from palio_local.services import Service


def main(package: str, protocol: str, *descriptors: str) -> None:
    """Serve the package's app on the inherited sockets."""
    sockets = [socket.socket(fileno=int(descriptor)) for descriptor in descriptors]
    serve_service(Service(package.removeprefix("palio_"), 0, package, protocol=protocol), sockets)


if __name__ == "__main__":
    main(*sys.argv[1:])
