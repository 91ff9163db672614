"""SIP over UDP (RFC 3261 section 18).

One socket per address family serves every peer, read in batches from the loop's own poller. On Linux the
kernel is asked to queue ICMP errors (IP_RECVERR, ip(7)), so that a refused or unreachable destination is a
failure within a round trip instead of a silent timer; elsewhere such errors go unseen and the transaction's
timers decide. Datagrams of nothing but line ends are keep-alives (RFC 5626 section 3.5.1), and dropped.
"""

import asyncio
import errno
import logging
import select
import socket
import struct
import sys
from collections import deque
from typing import Final

from onhook.effects import Destination
from onhook.net.failures import describe, failure
from onhook.net.settings import NetworkSettings
from onhook.net.transport import FailureHandler, ReceiveHandler

log = logging.getLogger(__name__)

MAX_DATAGRAM_BYTES: Final = 65_507
"""What IPv4 and UDP headers leave of 64 KiB."""
MAX_DATAGRAMS_A_TURN: Final = 64
"""Read before other work of the loop has its turn."""
MAX_NAMED_ADDRESSES: Final = 4096
RETRY_SECONDS: Final = 0.001
"""How soon a send is tried again after the kernel's send buffer was full."""

_LINUX: Final = sys.platform == "linux"
_IP_RECVERR: Final = 11  # linux/in.h; Python does not name it
_IPV6_RECVERR: Final = 25  # linux/in6.h
_SO_RCVBUFFORCE: Final = 33  # asm-generic/socket.h: above rmem_max, for those who may
_EXTENDED_ERROR: Final = struct.Struct("=IBBBxII")  # struct sock_extended_err, linux/errqueue.h
_ORIGIN_LOCAL: Final = 1
# RFC 3261 18.4: source quench and time exceeded are no failures. "Too big" teaches the kernel the path's
# size, and the next transmission is fragmented.
_IGNORED_ICMP: Final = frozenset({(2, 4), (2, 11), (3, 2), (3, 3)})  # (2 ICMP or 3 ICMPv6, type)


class UdpTransport:
    def __init__(self, settings: NetworkSettings, receive: ReceiveHandler, fail: FailureHandler) -> None:
        self._settings, self._receive, self._fail = settings, receive, fail
        self._ports: list[_Port] = []

    @property
    def bound(self) -> list[Destination]:
        return [port.bound for port in self._ports]

    async def start(self, port: int) -> int:
        for family, host in (
            (socket.AF_INET, self._settings.host),
            (socket.AF_INET6, self._settings.ipv6_host),
        ):
            if host:
                try:
                    opened = _Port((family, host, port), self._settings, self._receive, self._fail)
                except OSError:
                    await self.close()
                    raise
                self._ports.append(opened)
                port = opened.bound.port
        return port

    async def close(self) -> None:
        for port in self._ports:
            port.close()
        self._ports = []

    def send(self, data: bytes, to: Destination, address: str) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for port in self._ports:
            if port.family == family:
                port.send(data, to, address)
                return
        setting = "sip.ipv6_host" if family == socket.AF_INET6 else "sip.host"
        self._fail(to, failure("unreachable", f"{to.peer} needs an address to send from: set {setting}"))


class _Port:
    """One bound socket."""

    def __init__(
        self,
        where: tuple[socket.AddressFamily, str, int],
        settings: NetworkSettings,
        receive: ReceiveHandler,
        fail: FailureHandler,
    ) -> None:
        self.family, host, port = where
        self._settings, self._receive, self._fail = settings, receive, fail
        self._loop = asyncio.get_running_loop()
        self._named: dict[tuple[str, int], set[Destination]] = {}
        self._unsent: deque[tuple[bytes, Destination, str]] = deque()
        self._unsent_bytes = 0
        self._socket = self._open(host, port)
        name = self._socket.getsockname()
        self.bound = Destination("udp", name[0], name[1])
        self._poller: select.epoll | None = None
        watched: int = self._socket.fileno()
        if _LINUX:
            # uvloop stops watching a socket with a queued error. A poller around the socket hides it:
            # the loop only sees "there is something to read".
            self._poller = select.epoll()
            self._poller.register(watched, select.EPOLLIN)
            watched = self._poller.fileno()
        self._watched = watched
        self._loop.add_reader(watched, self._read)

    def _open(self, host: str, port: int) -> socket.socket:
        opened = socket.socket(self.family, socket.SOCK_DGRAM)
        try:
            opened.settimeout(0)
            if self.family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if _LINUX and self.family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            elif _LINUX:
                opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            grow_receive_buffer(opened, self._settings.receive_buffer_bytes)
            opened.bind((host, port))
        except BaseException:
            opened.close()
            raise
        return opened

    def close(self) -> None:
        self._loop.remove_reader(self._watched)
        if self._poller:
            self._poller.close()
        self._socket.close()
        self._unsent.clear()

    def send(self, data: bytes, to: Destination, address: str) -> None:
        if len(data) > MAX_DATAGRAM_BYTES:
            self._fail(
                to, failure("too-large", f"{len(data)} bytes; a datagram carries {MAX_DATAGRAM_BYTES}")
            )
            return
        if to.host != address:
            self._remember_name(to, address)
        if self._unsent or not self._try(data, to, address):
            self._keep(data, to, address)

    def _try(self, data: bytes, to: Destination, address: str) -> bool:
        """False if the kernel's buffer is full."""
        for _ in range(8):
            try:
                self._socket.sendto(data, (address, to.port))
            except BlockingIOError:
                return False
            except OSError as error:
                # An ICMP error of an earlier datagram, to whomever, is told here: hear it, try again.
                if self._poller and self._read_errors():
                    continue
                self._fail(to, describe(error, to))
            return True
        self._fail(to, failure("failed", f"{to.peer} over udp: errors of other destinations kept coming"))
        return True

    def _keep(self, data: bytes, to: Destination, address: str) -> None:
        if self._unsent_bytes + len(data) > self._settings.max_unsent_bytes:
            self._fail(to, failure("overflow", f"{self._unsent_bytes} bytes wait to be sent over udp"))
            return
        if not self._unsent:
            self._loop.call_later(RETRY_SECONDS, self._send_again)
        self._unsent.append((data, to, address))
        self._unsent_bytes += len(data)

    def _send_again(self) -> None:
        while self._unsent:
            if not self._try(*self._unsent[0]):
                self._loop.call_later(RETRY_SECONDS, self._send_again)
                return
            self._unsent_bytes -= len(self._unsent.popleft()[0])

    def _read(self) -> None:
        receive, take = self._receive, self._socket.recvfrom
        for count in range(MAX_DATAGRAMS_A_TURN):
            try:
                data, source = take(65_535)
            except BlockingIOError:
                if not count:  # woken, and nothing to read: an error is queued
                    self._read_errors()
                return
            except OSError:
                self._read_errors()
                continue
            if len(data) <= 4 and not data.strip(b"\r\n\0"):
                continue
            try:
                receive(data, Destination("udp", source[0], source[1]))
            except Exception as error:  # noqa: BLE001  # our fault with one message must not deafen us to the rest
                self._loop.call_exception_handler({"message": "receiving a datagram", "exception": error})

    def _read_errors(self) -> bool:
        """Report what the kernel queued; False if there was nothing."""
        if not self._poller:
            return False
        for count in range(MAX_DATAGRAMS_A_TURN):
            try:
                _, ancillary, _, to = self._socket.recvmsg(1, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return count > 0
            for _, _, content in ancillary:
                self._report(content, to)
        return True

    def _report(self, content: bytes, to: tuple[str, int]) -> None:
        if len(content) < _EXTENDED_ERROR.size:
            return
        number, origin, icmp_type, _, _, _ = _EXTENDED_ERROR.unpack_from(content)
        if origin == _ORIGIN_LOCAL or number == errno.EMSGSIZE or (origin, icmp_type) in _IGNORED_ICMP:
            return
        error = OSError(number, "")
        named = self._named.get((to[0], to[1]), set())
        for destination in (Destination("udp", to[0], to[1]), *named):
            self._fail(destination, f"{describe(error, destination)} (ICMP)")

    def _remember_name(self, to: Destination, address: str) -> None:
        key = (address, to.port)
        if key not in self._named and len(self._named) >= MAX_NAMED_ADDRESSES:
            self._named.clear()
        self._named.setdefault(key, set()).add(to)


def grow_receive_buffer(opened: socket.socket, wanted_bytes: int) -> int:
    """Ask for a receive buffer; returns what was granted, and says so in the log when it is less."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted_bytes)
    granted = opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if _LINUX:
        granted //= 2  # socket(7): the kernel doubles it for its own book-keeping
    if granted < wanted_bytes and _LINUX:
        try:
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted_bytes)
            granted = opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
        except PermissionError:
            pass
    if granted < wanted_bytes:
        log.warning(
            "UDP receive buffer is %d bytes of %d wanted: bursts may be lost. Raise net.core.rmem_max.",
            granted,
            wanted_bytes,
        )
    return granted
