"""SIP over TLS 1.2 and 1.3 (RFC 3261 section 26.3, RFC 5922): TCP's connections behind a handshake.

We show our certificate to whoever connects, and to whom we connect if asked. The far end of a connection
that we open has to show one of the name that was called; who connects to us is asked for one if the
settings say so, and the names in it are told to who asks (`names_of`). TCP is connected first and the
handshake made then, so that it is known which of the two failed.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, cast

from onhook.effects import Destination
from onhook.net.certificates import PeerCertificate, canonical, peer_certificate
from onhook.net.failures import NoHandshake, describe
from onhook.net.settings import NetworkSettings, TlsSettings
from onhook.net.tcp import Connection, Key, TcpTransport
from onhook.net.transport import FailureHandler, ReceiveHandler

log = logging.getLogger(__name__)

MAX_EARLY_BYTES: Final = 65_536
"""What may come before we have looked at the certificate."""
MAX_CERTIFICATES: Final = 1_024
MAX_NAMED_ADDRESSES: Final = 4_096
_VERIFY: Final = {"never": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """For those who connect to us. Raises OSError (ssl.SSLError too) for files that cannot be used."""
    context = _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
    context.verify_mode = _VERIFY[settings.clients]
    return context


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """For those to whom we connect; the name is looked at by us, because TLS knows no `URI:sip:`."""
    context = _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), settings)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _loaded(context: ssl.SSLContext, settings: TlsSettings) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.certificate, settings.key)
    context.load_verify_locations(settings.authorities)
    return context


class TlsTransport(TcpTransport):
    """Listens on `tls_port`, whatever the port of the others is."""

    name = "tls"

    def __init__(self, settings: NetworkSettings, receive: ReceiveHandler, fail: FailureHandler) -> None:
        """Raises ValueError without `settings.tls`, OSError if its files cannot be used."""
        super().__init__(settings, receive, fail)
        if settings.tls is None:
            raise ValueError("the transport tls needs a certificate: NetworkSettings.tls is not set")
        self.tls = settings.tls
        self.server, self.client = server_context(settings.tls), client_context(settings.tls)
        self.certificates: dict[str, PeerCertificate] = {}
        """What the far ends showed last, by the name that we called them by."""
        self.on_refused: Callable[[Destination, str], None] = log_refused
        """Told of those who connected and did not get through the handshake."""
        self._names_at: dict[str, str] = {}

    async def start(self, port: int) -> int:
        await super().start(self.settings.tls_port)
        return port

    def send(self, data: bytes, to: Destination, address: str) -> None:
        if not _is_literal(to.host):
            self.known_as(address, to.host)
        super().send(data, to, address)

    def known_as(self, address: str, host: str) -> None:
        """Who is at `address` has to have a certificate of `host`, also when called by the address."""
        if len(self._names_at) >= MAX_NAMED_ADDRESSES:
            self._names_at.clear()  # refilled by what is in use
        self._names_at[address] = host

    def key(self, to: Destination, address: str) -> Key:
        return address, to.port, self.expected_name(to.host, address)

    def expected_name(self, host: str, address: str) -> str:
        """The name that a certificate must have.

        A peer that is known by a name may write its bare address into Contact or Record-Route; it is then
        still held to its name (assumed: RFC 5922 would ask for the address, and no SBC has that).
        """
        if host in self.tls.names:
            return canonical(self.tls.names[host])
        if _is_literal(host) and (name := self._names_at.get(address)):
            return canonical(self.tls.names.get(name, name))
        return canonical(host)

    def names_of(self, source: Destination) -> tuple[str, ...]:
        """The names that the far end of an open connection proved to have; none without a certificate."""
        connection = self.accepted_from(source.host, source.port)
        return connection.certificate.names if isinstance(connection, TlsConnection) else ()

    def certified(self, source: Destination, name: str) -> bool | None:
        """As Network.certified. One that we connected to was held to its name then."""
        connection = self.accepted_from(source.host, source.port)
        if not isinstance(connection, TlsConnection):
            return None
        if connection.certificate.covers(name):
            return True
        return False if self.tls.clients == "required" else None

    def note(self, name: str, certificate: PeerCertificate) -> None:
        """Keep what was shown, and say so in the log if it ends soon; once for each certificate."""
        known = self.certificates.get(name)
        if known is None and len(self.certificates) >= MAX_CERTIFICATES:
            self.certificates.clear()  # refilled by what is in use
        self.certificates[name] = certificate
        if known != certificate and (remark := certificate.remark(time.time())):
            log.warning("the certificate of %s %s: it has to be renewed", name, remark)

    def _accept(self) -> asyncio.Protocol:
        return _Arrival(self)

    def make(self, key: Key) -> Connection:
        return TlsConnection(self, key)

    async def reach(self, connection: Connection) -> None:
        opened = cast("asyncio.Transport", await self.dial(connection, asyncio.Protocol))
        assert isinstance(connection, TlsConnection)
        try:
            await connection.shake_hands(opened, self.client, server_side=False)
        except BaseException:
            opened.abort()
            raise


class TlsConnection(Connection):
    """Nothing goes or comes before the far end's certificate was looked at."""

    __slots__ = ("_early", "certificate")

    def __init__(self, owner: TlsTransport, key: Key | None) -> None:
        super().__init__(owner, key)
        self._early = b""
        self.certificate = PeerCertificate((), 0.0)

    @property
    def owner(self) -> TlsTransport:
        return cast("TlsTransport", self._owner)

    async def shake_hands(
        self, opened: asyncio.Transport, context: ssl.SSLContext, *, server_side: bool
    ) -> None:
        """Raises ssl.SSLError for what the far end has wrong, NoHandshake for one that gives none."""
        name = self.key[2]
        seconds = self._owner.settings.connect_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                secured = await self._loop.start_tls(
                    opened, self, context, server_side=server_side, server_hostname=name or None
                )
        except TimeoutError:
            raise NoHandshake(f"did not finish the TLS handshake within {seconds:g} s") from None
        except ConnectionError:
            secured = None
        if secured is None:
            raise NoHandshake("closed the connection during the TLS handshake")
        self.certificate = peer_certificate(secured.get_extra_info("peercert") or {})
        if name and not self.certificate.covers(name):
            secured.abort()
            shown = ", ".join(self.certificate.names) or "nobody"
            error = ssl.SSLCertVerificationError(f"the certificate is of {shown}, not of {name}")
            error.verify_code, error.verify_message = 62, f"the certificate is of {shown}, not of {name}"
            raise error
        if name:
            self.owner.note(name, self.certificate)
        self.begin(secured)
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            super().data_received(data)
        elif len(self._early) < MAX_EARLY_BYTES:
            self._early += data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Some loops tell it; it is begun by `shake_hands`."""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:  # else `shake_hands` says what became of it
            super().connection_lost(exc)


class _Arrival(asyncio.Protocol):
    """A connection that came in, until TLS is spoken on it."""

    def __init__(self, owner: TlsTransport) -> None:
        self._owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        opened = cast("asyncio.Transport", transport)
        connection = TlsConnection(self._owner, None)
        if connection.enter(opened):
            opened.pause_reading()  # what comes first is for TLS
            self._owner.work(self._shake_hands(opened, connection), f"TLS with {connection.source.peer}")

    async def _shake_hands(self, opened: asyncio.Transport, connection: TlsConnection) -> None:
        try:
            await connection.shake_hands(opened, self._owner.server, server_side=True)
        except (OSError, ValueError) as error:
            self._owner.forget(connection)
            opened.abort()
            self._owner.on_refused(connection.source, describe(error, connection.source))


def log_refused(source: Destination, why: str) -> None:
    log.info("TLS with %s failed: %s", source.peer, why)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
