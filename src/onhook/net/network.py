"""All transports as one: send here, be told there.

What is sent is carried to `Destination`'s transport, host and port; what comes is handed to one handler with
where it came from; what could not be carried is told to another, later, never within `send`.
"""

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from onhook.effects import Destination
from onhook.net.answers import Unresolved
from onhook.net.certificates import PeerCertificate
from onhook.net.dns_questions import Questions
from onhook.net.domains import Domains
from onhook.net.failures import failure
from onhook.net.locating import Locator, Targets
from onhook.net.resolver import Answer, Resolver
from onhook.net.settings import NetworkSettings
from onhook.net.tcp import TcpTransport
from onhook.net.tls import TlsTransport
from onhook.net.transport import FailureHandler, ReceiveHandler, Transport
from onhook.net.udp import UdpTransport

log = logging.getLogger(__name__)

BUILT: Final[dict[str, Callable[[NetworkSettings, ReceiveHandler, FailureHandler], Transport]]] = {
    "udp": UdpTransport,
    "tcp": TcpTransport,
    "tls": TlsTransport,
}
MAX_PORT_TRIES: Final = 16
"""With port 0, how often a port is drawn until it is free for every transport."""
MAX_LOCAL_ADDRESSES: Final = 4096
LOCAL_ADDRESS_LIFETIME_SECONDS: Final = 30.0
_EVERY_INTERFACE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # compared with, not bound


class Network:
    """The SIP transports of this machine."""

    def __init__(
        self, settings: NetworkSettings | None = None, draw: Callable[[], float] = random.random
    ) -> None:
        """Raises ValueError for a transport that is not built. `draw` chooses among a domain's servers."""
        self._settings = settings or NetworkSettings()
        questions = Questions(self._settings)
        self._resolver = Resolver(self._settings, questions)
        self._locator = Locator(self._settings, questions)
        self._domains = Domains(draw, self._clock, self._settings.target_rests_seconds)
        self._transports: dict[str, Transport] = {}
        self.provoked: Callable[[bytes, Destination], str] = lambda _data, _to: ""
        """Asked of each message: why it shall not be carried, in the words of failures.py. For the lab."""
        self._receive: ReceiveHandler = _ignore
        self._failed: FailureHandler = _ignore
        self._local: dict[str, tuple[str, float]] = {}
        self._addresses: dict[str, str] = {}  # of the hosts of trunks
        self._servers: dict[str, frozenset[str]] = {}  # of the domains of trunks
        self._loop: asyncio.AbstractEventLoop | None = None
        for name in self._settings.transports:
            if name not in BUILT:
                raise ValueError(f"sip.transports: {name!r} is not one of {', '.join(BUILT)}")
            self.register(name, BUILT[name](self._settings, self._hand_up, self._tell))

    def register(self, name: str, transport: Transport) -> None:
        """Add or replace a transport before `start`; TLS and tests come in here."""
        self._transports[name] = transport
        if isinstance(transport, TcpTransport):
            transport.on_unsent = self._elsewhere

    async def start(self) -> None:
        """Bind all to the same port, TLS to its own. Raises OSError naming the address that is taken."""
        self._loop = asyncio.get_running_loop()
        tries = 1 if self._settings.port else MAX_PORT_TRIES
        for attempt in range(1, tries + 1):
            port, where = self._settings.port, ""
            try:
                for name, transport in self._transports.items():
                    where = f"{self._settings.host}:{self._settings.tls_port if name == 'tls' else port}"
                    port = await transport.start(port)
            except OSError as error:
                await self._close_transports()
                if attempt == tries:
                    raise OSError(
                        error.errno, f"cannot listen for SIP on {where}: {error.strerror}"
                    ) from error
            else:
                return

    async def close(self) -> None:
        self._resolver.close()
        self._locator.close()
        await self._close_transports()
        self._loop = None

    async def _close_transports(self) -> None:
        for transport in self._transports.values():
            await transport.close()

    @property
    def bound(self) -> list[Destination]:
        """Where we listen: one entry a transport and address family."""
        return [place for transport in self._transports.values() for place in transport.bound]

    def on_receive(self, handler: ReceiveHandler) -> None:
        """`handler(data, source)`: one datagram, or one message of a stream. The last handler wins."""
        self._receive = handler

    def on_failure(self, handler: FailureHandler) -> None:
        """`handler(destination, text)`: something sent to `destination` was not carried (words: failures.py).

        The destination is written as it was in `send`. An ICMP error names an address only: it is told for
        the address and for every name that was sent to and has that address.
        """
        self._failed = handler

    def send(self, data: bytes, to: Destination) -> None:
        """Carry `data` to `to`. Never blocks, never raises."""
        transport = self._transports.get(to.transport)
        if transport is None or self._loop is None:
            why = f"transport {to.transport!r} is not switched on; there are: {', '.join(self._transports)}"
            self._tell(
                to, failure("unsupported", why) if transport is None else failure("failed", "not started")
            )
            return
        if why := self.provoked(data, to):
            self._tell(to, why)
            return
        if not to.port:
            self._locator.ask(f"{to.transport} {to.host}", partial(self._send_located, transport, data, to))
            return
        answer = self._resolver.known(to.host)
        if answer is None:
            self._resolver.ask(to.host, partial(self._send_resolved, transport, data, to))
        else:
            self._send_resolved(transport, data, to, answer)

    def _send_resolved(self, transport: Transport, data: bytes, to: Destination, answer: Answer) -> None:
        if isinstance(answer, Unresolved):
            self._tell(to, answer.why)
            return
        try:
            transport.send(data, to, answer)
        except Exception as error:  # noqa: BLE001  # the promise of `send`; the fault is told, not lost
            self._tell(
                to, failure("failed", f"{to.peer} over {to.transport}: {type(error).__name__}: {error}")
            )

    def _send_located(
        self, transport: Transport, data: bytes, to: Destination, answer: Targets | Unresolved
    ) -> None:
        if isinstance(answer, Unresolved):
            self._tell(to, answer.why)
            return
        place = self._domains.choose(to, data, answer)
        if isinstance(transport, TlsTransport):  # the certificate is the domain's, not the server's
            transport.known_as(place.host, to.host)
        self._send_resolved(transport, data, place, place.host)

    def _elsewhere(self, place: Destination, unsent: list[bytes], why: str) -> bool:
        """Send what a server could not be reached with to the domain's next; False if there is none."""
        domains = self._domains.asked_as(place)
        if not domains:
            return False
        self._domains.rest(place)
        (domain, *_) = domains
        targets = self._locator.known(f"{domain.transport} {domain.host}")
        transport = self._transports.get(domain.transport)
        if len(domains) > 1 or transport is None or targets is None or isinstance(targets, Unresolved):
            return False
        if any(self._domains.rests(self._domains.choose(domain, data, targets)) for data in unsent):
            return False
        log.info("%s is tried elsewhere: %s", domain.peer, why)
        for data in unsent:
            self._send_located(transport, data, domain, targets)
        return True

    def serves(self, address: str, domain: Destination) -> bool:
        """Whether a trunk is at `address`, as far as is known of its name; asked for if it is not known."""
        if domain.port:
            return address in {domain.host, self.address_of(domain.host)}
        key = f"{domain.transport} {domain.host}"
        answer = self._locator.known(key)
        if answer is None:
            self._locator.ask(key, partial(self._remember_servers, key))
        else:
            self._remember_servers(key, answer)
        return address in self._servers.get(key, frozenset())

    def _remember_servers(self, key: str, answer: Targets | Unresolved) -> None:
        if not isinstance(answer, Unresolved):
            self._servers[key] = frozenset(target.address for target in answer)

    def address_of(self, host: str) -> str:
        """The address of `host` as last seen; empty before the first answer. Asked anew when it is old."""
        answer = self._resolver.known(host)
        if answer is None:
            self._resolver.ask(host, partial(self._remember_address, host))
        elif not isinstance(answer, Unresolved):
            self._addresses[host] = answer
        return self._addresses.get(host, "")

    def _remember_address(self, host: str, answer: Answer) -> None:
        if not isinstance(answer, Unresolved):
            self._addresses[host] = answer

    def certified(self, source: Destination, name: str) -> bool | None:
        """Whether who sends from `source` proved by a certificate that it is `name`; None: it need not.

        False only where certificates are required of clients: elsewhere one that has another name, or none,
        says nothing.
        """
        transport = self._transports.get(source.transport)
        return transport.certified(source, name) if isinstance(transport, TlsTransport) else None

    @property
    def certificates(self) -> Mapping[str, PeerCertificate]:
        """What far ends showed last, by the names that we called them by."""
        transport = self._transports.get("tls")
        return transport.certificates if isinstance(transport, TlsTransport) else {}

    def via_address(self, to: Destination) -> tuple[str, int]:
        """Host and port for Via and Contact in messages to `to`.

        The host is the one advertised to that trunk or to all, if one is set, else the bound one; if we are
        bound to every interface, it is the address of the interface that leads to `to` (to the default route
        while its name is unknown). The port is the listening one, for connections too (RFC 3261 section
        18.1.1). Raises nothing; before `start` the settings' own values are given.
        """
        remote = self._remote(to) if self._loop else ""
        version_6 = ":" in remote
        transport = self._transports.get(to.transport)
        host, port = self._settings.host, self._settings.port
        for place in transport.bound if transport else self.bound:
            host, port = place.host, place.port
            if (":" in place.host) == version_6:
                break
        if advertised := self._advertised_to(to, remote):
            return advertised, port
        if host in _EVERY_INTERFACE:
            host = self._interface_towards(remote, version_6=version_6)
        return host, port

    def _advertised_to(self, to: Destination, remote: str) -> str:
        """By the trunk's host, or by its address: a call that comes in has no other."""
        for host, advertised in self._settings.advertised.items():
            if host == to.host or (remote and remote == self.address_of(host)):
                return advertised
        return self._settings.advertised_host

    def _remote(self, to: Destination) -> str:
        """The address of `to`, as far as it is known."""
        if to.port:
            answer = self._resolver.known(to.host)
            return answer if isinstance(answer, str) else ""
        targets = self._locator.known(f"{to.transport} {to.host}")
        return "" if targets is None or isinstance(targets, Unresolved) else targets[0].address

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()

    def _interface_towards(self, remote: str, *, version_6: bool) -> str:
        now = self._loop.time() if self._loop else 0.0
        found, until = self._local.get(remote, ("", 0.0))
        if not found or until <= now:  # asked anew from time to time: interfaces move
            if len(self._local) >= MAX_LOCAL_ADDRESSES:
                self._local.clear()  # refilled by what is in use
            found = local_address_towards(remote, version_6=version_6)
            self._local[remote] = found, now + LOCAL_ADDRESS_LIFETIME_SECONDS
        return found

    def _hand_up(self, data: bytes, source: Destination) -> None:
        self._receive(data, source)

    def _tell(self, to: Destination, text: str) -> None:
        loop = self._loop or asyncio.get_running_loop()
        loop.call_soon(self._tell_now, to, text)

    def _tell_now(self, to: Destination, text: str) -> None:
        self._failed(to, text)
        if domains := self._domains.asked_as(to):
            self._domains.rest(to)
            for domain in domains:
                self._failed(domain, text)


def local_address_towards(remote: str, *, version_6: bool = False) -> str:
    """The address the system would send from; nothing is sent to find out. Loopback if there is no route."""
    family = socket.AF_INET6 if version_6 else socket.AF_INET
    probe = remote or ("2001:db8::1" if version_6 else "198.51.100.1")  # RFC 3849, RFC 5737: any far address
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((probe, 9))
        except OSError:
            return "::1" if version_6 else "127.0.0.1"
        return str(asking.getsockname()[0])


def _ignore(_first: object, _second: object) -> None:
    """Until a handler is set."""
