"""SIP over TCP (RFC 3261 section 18): one connection a peer, used by both directions and reused.

A connection is known by the far end's address and port, so that a response to a request that came in leaves
by the connection it came on (section 18.2.2) as long as that is open. Keep-alive pings (RFC 5626 section
4.4.1) are answered, and sent on connections that we opened: a peer that once answered one and does so no
more is gone. What cannot be cut into messages is handed up as it is, for the fact, and the
connection is closed: its place in the stream is lost.
"""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final, TypeAlias, cast

from onhook.effects import Destination
from onhook.net.failures import describe, failure
from onhook.net.settings import NetworkSettings
from onhook.net.transport import FailureHandler, ReceiveHandler
from onhook.sip.stream import PING, PONG, Framer

log = logging.getLogger(__name__)

BACKLOG: Final = 1024
MAX_SWEEP_SECONDS: Final = 30.0
MAX_NAMES_A_CONNECTION: Final = 16

Key: TypeAlias = tuple[str, int, str]
"""Address and port of the far end, and the name that it proved to have where it has to (TLS)."""

Unsent: TypeAlias = Callable[[Destination, list[bytes], str], bool]


class TcpTransport:
    """Listens, connects, and finds the connection for a destination."""

    name = "tcp"

    def __init__(self, settings: NetworkSettings, receive: ReceiveHandler, fail: FailureHandler) -> None:
        self.settings, self.receive, self.fail = settings, receive, fail
        self.bound: list[Destination] = []
        self._servers: list[asyncio.Server] = []
        self._connections: dict[Key, Connection] = {}
        self._per_peer: Counter[str] = Counter()
        self._connecting: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._pinging: asyncio.TimerHandle | None = None
        self.on_unsent: Unsent = _nowhere_else
        """Asked when a connection could not be opened, before it is told; True: carried another way."""

    async def start(self, port: int) -> int:
        loop = asyncio.get_running_loop()
        for family, host in (
            (socket.AF_INET, self.settings.host),
            (socket.AF_INET6, self.settings.ipv6_host),
        ):
            if not host:
                continue
            try:
                listener = _listen(family, host, port)
                self._servers.append(await loop.create_server(self._accept, sock=listener, backlog=BACKLOG))
            except OSError:
                await self.close()
                raise
            name = listener.getsockname()
            self.bound.append(Destination(self.name, name[0], name[1]))
            port = name[1]
        self._sweep_later()
        self._ping_later()
        return port

    async def close(self) -> None:
        for timer in (self._sweep, self._pinging):
            if timer:
                timer.cancel()
        for server in self._servers:
            server.close()
        for task in self._connecting:
            task.cancel()
        for connection in list(self._connections.values()):
            connection.close()
        self._servers, self.bound = [], []
        await asyncio.sleep(0)  # lets written bytes leave and sockets close

    @property
    def connections(self) -> int:
        """Open or being opened."""
        return len(self._connections)

    def send(self, data: bytes, to: Destination, address: str) -> None:
        connection = self._connection_to(to, address) or self._connect(to, address)
        if connection is not None:
            connection.send(data, to)

    def accepted_from(self, address: str, port: int) -> "Connection | None":
        """The connection that the far end opened from there."""
        return self._connections.get((address, port, ""))

    def _connection_to(self, to: Destination, address: str) -> "Connection | None":
        """One that is open or being opened."""
        for found in (self.accepted_from(address, to.port), self._connections.get(self.key(to, address))):
            if found is not None and not found.closing:
                return found
        return None

    def key(self, to: Destination, address: str) -> Key:
        """Of a connection that we open."""
        return address, to.port, ""

    def admit(self, connection: "Connection") -> str:
        """Take an accepted connection in; returns why not, or nothing."""
        if why := self._no_room(connection.key[0]):
            return why
        self._enter(connection)
        return ""

    def forget(self, connection: "Connection") -> None:
        if self._connections.get(connection.key) is connection:
            del self._connections[connection.key]
            self._per_peer[connection.key[0]] -= 1
            if not self._per_peer[connection.key[0]]:
                del self._per_peer[connection.key[0]]

    def _accept(self) -> asyncio.Protocol:
        return Connection(self, None)

    def _enter(self, connection: "Connection") -> None:
        if connection.key not in self._connections:
            self._per_peer[connection.key[0]] += 1
        self._connections[connection.key] = connection

    def _no_room(self, address: str) -> str:
        settings = self.settings
        if len(self._connections) >= settings.max_connections:
            return f"{settings.max_connections} connections are open (sip.max_connections)"
        if self._per_peer[address] >= settings.max_connections_per_peer:
            limit = settings.max_connections_per_peer
            return f"{limit} connections with {address} are open (sip.max_connections_per_peer)"
        return ""

    def _connect(self, to: Destination, address: str) -> "Connection | None":
        if why := self._no_room(address):
            self.fail(to, failure("limit", why))
            return None
        connection = self.make(self.key(to, address))
        self._enter(connection)
        self.work(self._open(connection), f"connect to {to.peer}")
        return connection

    def make(self, key: Key) -> "Connection":
        """A connection that we open."""
        return Connection(self, key)

    def work(self, opening: Coroutine[None, None, None], name: str) -> None:
        """Run what opens a connection, until `close`."""
        task = asyncio.get_running_loop().create_task(opening, name=name)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _open(self, connection: "Connection") -> None:
        try:
            await self.reach(connection)
        except (OSError, ValueError) as error:
            self.forget(connection)
            why = partial(_why_not_connected, error, self.settings.connect_timeout_seconds)
            (to, unsent) = connection.unsent
            if to is None or not self.on_unsent(to, unsent, why(to)):
                connection.fail(why)

    async def reach(self, connection: "Connection") -> None:
        """Raises OSError or ValueError."""
        await self.dial(connection, lambda: connection)

    async def dial(
        self, connection: "Connection", make: Callable[[], asyncio.Protocol]
    ) -> asyncio.BaseTransport:
        """Connect to where `connection` belongs, for the protocol that `make` makes."""
        address, port, _ = connection.key
        local = self.settings.ipv6_host if ":" in address else self.settings.host
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self.settings.connect_timeout_seconds):
            return (await loop.create_connection(make, address, port, local_addr=_from(local)))[0]

    def _sweep_later(self) -> None:
        seconds = min(self.settings.idle_seconds / 2, MAX_SWEEP_SECONDS)
        self._sweep = asyncio.get_running_loop().call_later(seconds, self._close_idle)

    def _close_idle(self) -> None:
        oldest = asyncio.get_running_loop().time() - self.settings.idle_seconds
        for connection in list(self._connections.values()):
            if connection.used_at < oldest:
                connection.close()
        self._sweep_later()

    def _ping_later(self) -> None:
        if seconds := self.settings.keepalive_seconds:
            self._pinging = asyncio.get_running_loop().call_later(seconds, self._ping_all)

    def _ping_all(self) -> None:
        for connection in list(self._connections.values()):
            if connection.opened_by_us:
                connection.ping()
        self._ping_later()


class Connection(asyncio.Protocol):
    """One connection, from the first attempt on; what is sent before it is open waits in it."""

    __slots__ = (
        "_awaited", "_framer", "_loop", "_owner", "_pongs", "_receive", "_transport", "_unanswered", "_users",
        "_waiting", "_waiting_bytes", "key", "opened_by_us", "source", "used_at",
    )  # fmt: skip

    def __init__(self, owner: TcpTransport, key: Key | None) -> None:
        self._owner, self._receive = owner, owner.receive
        self._loop = asyncio.get_running_loop()
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._users: set[Destination] = set()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._unanswered = False
        self._awaited: asyncio.TimerHandle | None = None
        """Until when a pong is waited for."""
        self._pongs = False
        """The far end has answered a ping, so it will answer others."""
        self.opened_by_us = key is not None
        self.key: Key = key or ("", 0, "")
        self.source = Destination(owner.name, *self.key[:2])
        self.used_at = self._loop.time()

    @property
    def closing(self) -> bool:
        return self._transport is not None and self._transport.is_closing()

    def send(self, data: bytes, to: Destination) -> None:
        if to not in self._users:
            if len(self._users) >= MAX_NAMES_A_CONNECTION:
                self._users.pop()
            self._users.add(to)
        unsent = self._waiting_bytes
        if self._transport is not None:
            unsent = self._transport.get_write_buffer_size()
        if unsent + len(data) > self._owner.settings.max_unsent_bytes:
            self._owner.fail(to, failure("overflow", f"{unsent} bytes wait to be sent to {to.peer}"))
            return
        self.used_at = self._loop.time()
        # Only a request other than ACK has something to wait for: its loss is worth telling.
        if not data.startswith((b"SIP/2.0 ", b"ACK ")):
            self._unanswered = True
        if self._transport is None:
            self._waiting.append(data)
            self._waiting_bytes += len(data)
        else:
            self._transport.write(data)

    @property
    def unsent(self) -> tuple[Destination | None, list[bytes]]:
        """What waits, and for whom; None if several wait."""
        return next(iter(self._users)) if len(self._users) == 1 else None, self._waiting

    def close(self) -> None:
        """Close when what was written has left; the far end's answer no longer matters."""
        self._unanswered = False
        self._owner.forget(self)
        if self._transport:
            self._transport.close()

    def fail(self, why: Callable[[Destination], str]) -> None:
        """Tell everybody who sent by this connection."""
        for user in self._users:
            self._owner.fail(user, why(user))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        opened = cast("asyncio.Transport", transport)
        if not self.key[1] and not self.enter(opened):
            return
        self.begin(opened)

    def enter(self, opened: asyncio.Transport) -> bool:
        """Take in a connection that the far end opened; False if there is no room for it."""
        peer = cast("tuple[str, int] | None", opened.get_extra_info("peername"))
        self.key = (peer[0], peer[1], "") if peer else ("", 0, "")  # a peer that left already has no name
        self.source = Destination(self._owner.name, *self.key[:2])
        why = self._owner.admit(self)
        if why:
            log.warning("connection from %s not taken: %s", self.source.peer, why)
            opened.abort()
        return not why

    def begin(self, opened: asyncio.Transport) -> None:
        """It is open: send what waits."""
        self._transport = opened
        for data in self._waiting:
            opened.write(data)
        self._waiting = []
        self._waiting_bytes = 0

    def ping(self) -> None:
        """Send a ping, unless the last one is still waited for."""
        if self._transport is None or self._awaited is not None:
            return
        self._transport.write(PING)
        self._awaited = self._loop.call_later(self._owner.settings.pong_seconds, self._no_pong)

    def _no_pong(self) -> None:
        self._awaited = None
        if self._pongs and self._transport is not None:
            seconds = self._owner.settings.pong_seconds
            self.fail(lambda to: failure("timeout", f"{to.peer} did not answer a ping within {seconds:g} s"))
            self._unanswered = False
            self._owner.forget(self)
            self._transport.abort()

    def _pong_came(self) -> None:
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None
        self._pongs = True

    def data_received(self, data: bytes) -> None:
        if data == PONG and self.opened_by_us and not self._framer.waiting_bytes:
            self._pong_came()  # no use of the connection: it may still be idle
            return
        self.used_at = self._loop.time()
        self._unanswered = False
        for message in self._framer.feed(data):
            if message is PING:
                self._pong()
            else:
                self._hand_up(message)
        if self._framer.error is not None:
            self._hand_up(self._framer.error.data)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._awaited is not None:
            self._awaited.cancel()
        self._owner.forget(self)
        if exc is not None:
            self.fail(lambda to: describe(exc, to))
        elif self._unanswered:
            text = "the far end closed the connection before it answered"
            self.fail(lambda to: failure("closed", f"{to.peer}: {text}"))

    def _pong(self) -> None:
        if (
            self._transport
            and self._transport.get_write_buffer_size() < self._owner.settings.max_unsent_bytes
        ):
            self._transport.write(PONG)

    def _hand_up(self, message: bytes) -> None:
        try:
            self._receive(message, self.source)
        except Exception as error:  # noqa: BLE001  # our fault with one message must not end the connection
            self._loop.call_exception_handler({"message": "receiving over a connection", "exception": error})


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.settimeout(0)
        opened.bind((host, port))
    except BaseException:
        opened.close()
        raise
    return opened


def _nowhere_else(_to: Destination, _unsent: list[bytes], _why: str) -> bool:
    return False


def _from(host: str) -> tuple[str, int] | None:
    """Connect from the address we listen on, unless that is every interface."""
    return None if host in {"", "0.0.0.0", "::"} else (host, 0)  # noqa: S104  # read, not bound


def _why_not_connected(error: Exception, seconds: float, to: Destination) -> str:
    if isinstance(error, TimeoutError) and not error.errno:
        return failure("timeout", f"{to.peer} did not answer within {seconds:g} s")
    return describe(error, to)
