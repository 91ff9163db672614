"""uvicorn inside a loop that is already running: started, awaited, stopped; no signals, no exits."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 75
"""Idle time of a connection; the Python SDK's pool reuses one for a minute."""
MAX_CONNECTIONS = 10_000
"""uvicorn answers 503 beyond it; requests in flight have their own limit, reached long before."""
BACKLOG = 2048
STOP_SECONDS = 3
"""What requests get to finish in."""
FLUSH_STEPS, FLUSH_STEP_SECONDS = 25, 0.01
"""What the last bytes of answers get to leave in."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    certificate: Path
    key: Path


class _Embedded(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals belong to whoever runs the loop."""
        yield


class HttpServer:
    """Running after `serve` returned it; `port` is the real one if 0 was asked for."""

    def __init__(self, server: _Embedded, listener: socket.socket, task: "asyncio.Task[None]") -> None:
        self._server, self._listener, self._task = server, listener, task
        self.host, self.port = listener.getsockname()[:2]

    def cut(self, client: tuple[str, int]) -> None:
        """Break the connection that comes from `client`, without another byte."""
        for connection in self._server.server_state.connections:
            if getattr(connection, "client", None) == client:
                connection.transport.abort()

    def show(self, files: TlsFiles) -> None:
        """Show this certificate to every connection that comes from now on; nothing without TLS."""
        if (context := self._server.config.ssl) is not None:
            context.load_cert_chain(files.certificate, files.key)

    async def stop(self) -> None:
        """Take no more connections, finish the requests that run, return within a few seconds."""
        self._server.should_exit = True
        await self._task


async def serve(app: ASGIApp, host: str, port: int, tls: TlsFiles | None = None) -> HttpServer:
    """Listen, and return once connections are accepted. Raises OSError naming the address if it is taken."""
    listener = await _listen(host, port)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        loop="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        limit_concurrency=MAX_CONNECTIONS,
        backlog=BACKLOG,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    server = _Embedded(config)
    started = asyncio.Event()
    task = asyncio.get_running_loop().create_task(_run(server, listener, started), name="http")
    waiting = asyncio.ensure_future(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        listener.close()
        await task  # raises what kept it from starting
    return HttpServer(server, listener, task)


async def _run(server: _Embedded, listener: socket.socket, started: asyncio.Event) -> None:
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    await server.on_tick(0)  # the Date header, before the first request
    started.set()
    await server.main_loop()
    await _shut_down(server, listener)


async def _shut_down(server: _Embedded, listener: socket.socket) -> None:
    """Uvicorn's own way waits for every TLS peer to say goodbye; an idle one never does."""
    for accepting in server.servers:
        accepting.close()
    listener.close()
    connections = server.server_state.connections
    for connection in list(connections):
        connection.shutdown()  # at once if idle, after its answer if busy
    if server.server_state.tasks:
        _, late = await asyncio.wait(server.server_state.tasks, timeout=STOP_SECONDS)
        for task in late:
            log.warning("a request was cut off: it ran for more than %d s after stop", STOP_SECONDS)
            task.cancel()
    for _ in range(FLUSH_STEPS):
        if not connections:
            break
        await asyncio.sleep(FLUSH_STEP_SECONDS)
    for connection in list(connections):
        connection.transport.abort()


async def _listen(host: str, port: int) -> socket.socket:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    except OSError as fault:
        listener.close()
        raise OSError(
            fault.errno, f"cannot listen on {host}:{port}: {fault.strerror}. Set another server.port"
        ) from None
    return listener
