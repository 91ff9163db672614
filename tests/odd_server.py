"""A web server that misbehaves as it is told: it writes bytes, and does not know HTTP."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

Behaviour: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]
MAX_REQUEST_BYTES = 1 << 26


class OddServer:
    """Answers by path; what it was asked for stands in `requests`, bodies in `bodies`."""

    def __init__(self, *, scheme: str = "http") -> None:
        self.scheme, self.port = scheme, 0
        self.behaviours: dict[str, Behaviour] = {}
        self.requests: list[str] = []
        """The heads of requests."""
        self.bodies: list[bytes] = []
        self.broken_off = 0
        """Answers that the other side did not take to the end."""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def on(self, path: str, behaviour: Behaviour | bytes) -> str:
        """Behave so for a path; its URL."""
        if isinstance(behaviour, bytes):
            data = behaviour

            async def write(writer: asyncio.StreamWriter) -> None:
                writer.write(data)
                await writer.drain()

            behaviour = write
        self.behaviours[path] = behaviour
        return self.url(path)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            lengths = [
                int(line.split(":")[1])
                for line in head.split("\r\n")
                if line.lower().startswith("content-length:")
            ]
            self.bodies.append(await reader.readexactly(lengths[0]) if lengths else b"")
            path = head.split(" ")[1].partition("?")[0]
            await self.behaviours[path](writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.broken_off += 1
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def odd_server(tls: ssl.SSLContext | None = None) -> AsyncGenerator[OddServer]:
    odd = OddServer(scheme="https" if tls else "http")
    serving: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(odd.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    odd.port = server.sockets[0].getsockname()[1]
    try:
        yield odd
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def ok(body: bytes, *headers: str, length: int | None = None) -> bytes:
    """An HTTP answer; `length` is what it claims instead of the truth."""
    claimed = f"Content-Length: {len(body) if length is None else length}"
    head = "\r\n".join(("HTTP/1.1 200 OK", claimed, "Connection: close", *headers))
    return head.encode() + b"\r\n\r\n" + body


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {code} So", f"Content-Length: {len(body)}", "Connection: close", *headers))
    return head.encode() + b"\r\n\r\n" + body


def redirect(to: str, code: int = 302) -> bytes:
    return status(code, f"Location: {to}")


async def endless(writer: asyncio.StreamWriter) -> None:
    """A body without end, in chunks."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()


async def slow_drip(writer: asyncio.StreamWriter) -> None:
    """A byte now and then."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"R")
        await writer.drain()
        await asyncio.sleep(0.01)


async def silent(writer: asyncio.StreamWriter) -> None:
    """Takes the request and never answers."""
    await asyncio.get_running_loop().create_future()
