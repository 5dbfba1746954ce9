"""Services that fail in the ways networks fail: away, reset, hung, cut off, not understood."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Treatment = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@asynccontextmanager
async def broken_service(treat: Treatment) -> AsyncIterator[str]:
    """A service that reads a request, does `treat`, and resets the connection."""
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await reader.read(65_536)
            await treat(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


async def resets(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Reset at once."""


async def hangs(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Say nothing until the caller gives up."""
    await reader.read()


async def talks_nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what is no msgpack and no JSON."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-type: application/msgpack\r\n\r\n\xc1\xc1\xc1")
    await writer.drain()


async def stops_halfway(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Stop within the answer."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n\x91")
    await writer.drain()
