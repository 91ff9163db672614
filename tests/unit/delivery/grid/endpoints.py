"""Real endpoints on loopback: a web application that answers by script, and servers that misbehave."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import trustme
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Got(NamedTuple):
    """A request as the endpoint got it. Names of headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any

    @property
    def kind(self) -> str:
        return self.headers.get("aeg-event-type", "")


class Endpoint:
    """Validates by echo unless `handshake` says otherwise; events get `answers` one by one, then 200."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: list[int | Handler] = []
        self.handshake: Handler | None = None
        self.url = ""
        self.arrived = asyncio.Event()

    @property
    def events(self) -> list[Got]:
        return [each for each in self.got if each.kind == "Notification"]

    async def until(self, events: int) -> None:
        """Return when so many events have arrived."""
        while len(self.events) < events:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 20)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        got = Got(request.method, request.raw_path, headers, body)
        self.got.append(got)
        self.arrived.set()
        if got.kind != "Notification":
            return await (self.handshake or agree)(request)
        answer = self.answers.pop(0) if self.answers else 200
        return web.Response(status=answer) if isinstance(answer, int) else await answer(request)


async def agree(request: web.Request) -> web.StreamResponse:
    if request.method == "OPTIONS":
        origin = request.headers["WebHook-Request-Origin"]
        return web.Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "120"})
    (event,) = await request.json()
    return web.json_response({"validationResponse": event["data"]["validationCode"]})


async def never(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def answering(status: int, text: str = "", **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers=named)

    return answer


@contextlib.asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", endpoint.handle)
    runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        host, port = runner.addresses[0][:2]
        endpoint.url = f"{'https' if tls else 'http'}://{host}:{port}/events"
        yield endpoint
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """Sends `answer` to whatever comes, and closes; gives the URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/events"


def certificate(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    """What a server with a certificate of `authority` serves with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
