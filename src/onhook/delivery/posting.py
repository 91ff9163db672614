"""POSTs JSON over HTTP/1.1 (RFC 9112) on connections that are kept for the next event.

Every call posts three events or more, so this is one of the hot paths: a general HTTP client took a fifth of
the server's time. Nothing of an answer counts but its status; its body is read only to keep the connection.
Redirects are not followed, proxies are not asked, cookies are not kept.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, cast
from urllib.parse import quote, unquote, urlsplit

import httptools

MAX_ANSWER_BYTES = 65_536
"""How much of an answer is read; after that the connection is closed."""
BODY_SECONDS = 1.0
"""How long the body of an answer may take; its status has counted already."""
IDLE_SECONDS = 15.0
"""A connection unused for so long is closed: applications close theirs, often after a few seconds."""
MAX_ADDRESSES = 1024
"""Callback addresses whose request heads are remembered."""
CLOSED = "the connection was closed without an answer"
PORTS = {"http": 80, "https": 443}
_LEFT_AS_THEY_ARE = "/%:=&?~+!$,;'@()*[]|"
"""Of a path and query, beside letters, digits and _.-"""

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host, port."""


class Posted(NamedTuple):
    status: int
    reason: str


class PostFailed(Exception):
    """The application gave no HTTP answer; the text says what happened instead."""


class _Stale(Exception):
    """A kept connection was closed by the other side before a byte of an answer came."""


class _Address(NamedTuple):
    origin: Origin
    head: bytes
    """Everything of a request before the length of its body."""


class _Connection(asyncio.Protocol):
    """One exchange at a time. `free` is told when the next may begin, `gone` when there is no next."""

    def __init__(
        self, free: Callable[["_Connection"], None], gone: Callable[["_Connection"], None], origin: Origin
    ) -> None:
        self._free, self._gone, self.origin = free, gone, origin
        self.transport = cast("asyncio.Transport", None)
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._parser = cast("Any", httptools).HttpResponseParser(self)
        self._answer: asyncio.Future[Posted] | None = None
        self._busy = False
        self._received = 0
        self._reason = b""
        self._body_timer: asyncio.TimerHandle | None = None

    async def exchange(self, request: bytes) -> Posted:
        """Send, and return the status. Raises PostFailed or _Stale; cancelled, the connection is given up."""
        if self.transport.is_closing():
            raise _Stale(CLOSED)
        self._busy, self._received, self._reason = True, 0, b""
        self._answer = self._loop.create_future()
        self.transport.write(request)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.transport.abort()
            raise

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class is no subclass of it

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self.transport.abort()  # nobody asked
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(PostFailed(f"the answer is no HTTP: {error}"))
        if self._received > MAX_ANSWER_BYTES and self._busy:
            self._fail(PostFailed(f"the answer's header is longer than {MAX_ANSWER_BYTES} bytes"))
        elif self._busy and self._answer is None and self._body_timer is None:
            self._body_timer = self._loop.call_later(BODY_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._body_timer:
            self._body_timer.cancel()
        if self._received:
            self._fail(PostFailed("the connection was closed in the middle of the answer"))
        else:
            self._fail(_Stale(f"{CLOSED}: {exc}" if exc else CLOSED))
        self._gone(self)

    # What the parser calls

    def on_message_begin(self) -> None:
        if not self._busy:  # a second answer to one request
            self.transport.abort()

    def on_status(self, part: bytes) -> None:
        self._reason += part

    def on_headers_complete(self) -> None:
        """The status counts; whatever is still to come matters to the connection only."""
        status = int(self._parser.get_status_code())
        if status >= 200 and self._answer:
            if not self._answer.done():
                self._answer.set_result(Posted(status, self._reason.decode("latin-1")))
            self._answer = None
        self._reason = b""

    def on_message_complete(self) -> None:
        if self._answer or not self._busy:  # it was an interim answer (RFC 9110 section 15.2), or surplus
            return
        self._busy = False
        if self._body_timer:
            self._body_timer.cancel()
            self._body_timer = None
        if self._parser.should_keep_alive():
            self._free(self)
        else:
            self.transport.close()

    def _fail(self, why: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(why)
        self._answer = None
        self.transport.abort()


class Poster:
    """`trust` is how https addresses are verified; none is by the public authorities."""

    def __init__(self, *, trust: ssl.SSLContext | None = None, user_agent: str = "onhook") -> None:
        self._trust, self._user_agent = trust, user_agent
        self._addresses: dict[str, _Address] = {}
        self._idle: dict[Origin, list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    async def post(self, uri: str, body: bytes) -> Posted:
        """Raises ValueError for an address that is none, OSError, or PostFailed. Bring your own time limit.

        A kept connection that the application closed meanwhile says nothing about it: the next one is
        tried. So the application may get an event twice, as at-least-once delivery allows.
        """
        address = self._addresses.get(uri) or self._remember(uri)
        request = b"%b%d\r\n\r\n%b" % (address.head, len(body), body)
        while (kept := self._take(address.origin)) is not None:
            try:
                return await kept.exchange(request)
            except _Stale:
                continue
        made = await self._connect(address.origin)
        try:
            return await made.exchange(request)
        except _Stale as error:
            raise PostFailed(str(error)) from error

    def close(self) -> None:
        if self._sweeping:
            self._sweeping.cancel()
        for connection in list(self._open):
            connection.transport.abort()

    def __len__(self) -> int:
        """Connections that are open, in use or not."""
        return len(self._open)

    def _remember(self, uri: str) -> _Address:
        if len(self._addresses) >= MAX_ADDRESSES:
            self._addresses.clear()  # refilled by what is in use
        self._addresses[uri] = address = _read_address(uri, self._user_agent)
        return address

    async def _connect(self, origin: Origin) -> _Connection:
        scheme, host, port = origin
        context: ssl.SSLContext | None = None
        if scheme == "https":
            context = self._trust = self._trust or ssl.create_default_context()
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(
            lambda: _Connection(self._keep, self._forget, origin), host, port, ssl=context
        )
        self._open.add(made)
        return made

    def _take(self, origin: Origin) -> _Connection | None:
        """The connection used last: so the surplus of a busy hour grows old."""
        kept = self._idle.get(origin)
        while kept:
            connection = kept.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    def _keep(self, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.setdefault(connection.origin, []).append(connection)
        if self._sweeping is None:
            self._sweeping = loop.call_later(IDLE_SECONDS, self._sweep)

    def _forget(self, connection: _Connection) -> None:
        self._open.discard(connection)
        kept = self._idle.get(connection.origin)
        if kept and connection in kept:
            kept.remove(connection)

    def _sweep(self) -> None:
        """Close what was not used for a while."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE_SECONDS
        for origin, kept in list(self._idle.items()):
            for connection in kept:
                if connection.idle_since <= oldest:
                    connection.transport.close()
            self._idle[origin] = [connection for connection in kept if connection.idle_since > oldest]
            if not self._idle[origin]:
                del self._idle[origin]
        self._sweeping = loop.call_later(IDLE_SECONDS, self._sweep) if self._idle else None


def _read_address(uri: str, user_agent: str) -> _Address:
    """The request's head for a callback address; raises ValueError if it is no http or https URL."""
    parts = urlsplit(uri)
    scheme = parts.scheme.lower()
    if scheme not in PORTS or not parts.hostname:
        raise ValueError(f"{uri[:200]!r} is no http or https address")
    name = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    port = parts.port or PORTS[scheme]
    host = f"[{name}]" if ":" in name else name
    if port != PORTS[scheme]:
        host += f":{port}"
    target = quote(parts.path or "/", safe=_LEFT_AS_THEY_ARE)
    if parts.query:
        target += "?" + quote(parts.query, safe=_LEFT_AS_THEY_ARE)
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {user_agent}",
        "Accept: */*",
        "Content-Type: application/json",
    ]
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append(f"Authorization: Basic {b64encode(pair.encode()).decode()}")
    lines.append("Content-Length: ")
    head = "\r\n".join(lines)
    if head.count("\r") != len(lines) - 1 or head.count("\n") != len(lines) - 1:
        raise ValueError(f"{uri[:200]!r} holds a line end")
    return _Address((scheme, name, port), head.encode())
