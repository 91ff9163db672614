"""TLS on real loopback sockets: both roles, names, dates, strangers, and peers that speak none."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509

from certificate_files import AUTHORITY, STRANGER, sip_domain, tls_settings
from onhook.effects import Destination
from onhook.net.settings import NetworkSettings, TlsSettings
from onhook.net.tls import TlsTransport, client_context, log_refused, server_context

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
PATIENCE_SECONDS = 5.0
OPTIONS = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n"
BYE = b"BYE sip:x SIP/2.0\r\nContent-Length: 2\r\n\r\nhi"
OK = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


class End:
    """A transport and what it told."""

    def __init__(self, tls: TlsSettings, **settings: Any) -> None:
        self.received: list[tuple[bytes, Destination]] = []
        self.failures: list[tuple[Destination, str]] = []
        self.refused: list[tuple[Destination, str]] = []
        self.happened = asyncio.Event()
        made = NetworkSettings(tls=tls, tls_port=0, **settings)
        self.transport = TlsTransport(made, self._take, self._fail)
        self.transport.on_refused = self._refuse

    async def start(self) -> "End":
        assert await self.transport.start(4_711) == 4_711  # the port of the others is not its own
        return self

    def at(self, host: str = "sbc.example") -> Destination:
        return Destination("tls", host, self.transport.bound[0].port)

    def send(self, data: bytes, to: Destination) -> None:
        self.transport.send(data, to, "127.0.0.1")

    def _take(self, data: bytes, source: Destination) -> None:
        self.received.append((data, source))
        self.happened.set()

    def _fail(self, to: Destination, text: str) -> None:
        self.failures.append((to, text))
        self.happened.set()

    def _refuse(self, source: Destination, why: str) -> None:
        self.refused.append((source, why))
        self.happened.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self.happened.clear()
                await self.happened.wait()


async def failed(ours: End, to: Destination) -> str:
    """Why an OPTIONS to `to` was not carried."""
    ours.send(OPTIONS, to)
    await ours.until(lambda: ours.failures)
    ((where, why),) = ours.failures
    assert where == to
    assert not ours.transport.connections
    return why


class Pair:
    """Two ends, started and closed."""

    def __init__(self, ours: TlsSettings, theirs: TlsSettings, **settings: Any) -> None:
        self._made = ours, theirs, settings

    async def __aenter__(self) -> tuple[End, End]:
        ours, theirs, settings = self._made
        self.ends = await End(ours, **settings).start(), await End(theirs).start()
        return self.ends

    async def __aexit__(self, *_: object) -> None:
        for end in self.ends:
            await end.transport.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_a_question_and_its_answer_share_a_connection(loop: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        ours, theirs = (
            tls_settings(tmp_path / "a", "onhook.example"),
            tls_settings(tmp_path / "b", "sbc.example"),
        )
        async with Pair(ours, theirs) as (caller, sbc):
            caller.send(OPTIONS, sbc.at())
            caller.send(BYE, sbc.at())  # during the handshake
            await sbc.until(lambda: len(sbc.received) == 2)
            assert [data for data, _ in sbc.received] == [OPTIONS, BYE]
            source = sbc.received[0][1]
            assert source.transport == "tls"
            sbc.send(OK, source)
            await caller.until(lambda: caller.received)
            assert caller.received == [(OK, Destination("tls", "127.0.0.1", sbc.at().port))]
            assert (caller.transport.connections, sbc.transport.connections) == (1, 1)
            assert sbc.transport.names_of(source) == ()  # nobody asked

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_are_spoken(version: ssl.TLSVersion, tmp_path: Path) -> None:
    theirs = tls_settings(tmp_path, "sbc.example")
    async with Pair(theirs, theirs) as (caller, sbc):
        caller.transport.client.minimum_version = caller.transport.client.maximum_version = version
        caller.send(OPTIONS, sbc.at())
        await sbc.until(lambda: sbc.received)


async def test_older_versions_are_refused(tmp_path: Path) -> None:
    theirs = tls_settings(tmp_path, "sbc.example")
    async with Pair(theirs, theirs) as (caller, sbc):
        old = caller.transport.client
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        assert (await failed(caller, sbc.at())).startswith("tls: ")
        await sbc.until(lambda: sbc.refused)
        assert "unsupported protocol" in sbc.refused[0][1]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_certificate_of_another_name_is_not_taken(loop: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        theirs = tls_settings(tmp_path, "other.example", "sbc2.example")
        async with Pair(theirs, theirs) as (caller, sbc):
            assert await failed(caller, sbc.at()) == (
                f"certificate-name: sbc.example:{sbc.at().port}: the certificate is of other.example, "
                "sbc2.example, not of sbc.example"
            )
            assert not sbc.received

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_an_expired_certificate_is_not_taken(loop: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        theirs = tls_settings(tmp_path, "sbc.example", days=-1)
        async with Pair(theirs, theirs) as (caller, sbc):
            assert await failed(caller, sbc.at()) == (
                f"certificate-expired: sbc.example:{sbc.at().port}: certificate has expired"
            )
            await sbc.until(lambda: sbc.refused)
            assert sbc.refused[0][1].endswith(" closed the connection during the TLS handshake")

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario())


async def test_a_certificate_of_an_unknown_authority_is_not_taken(tmp_path: Path) -> None:
    ours = tls_settings(tmp_path / "a", "onhook.example")
    theirs = tls_settings(tmp_path / "b", "sbc.example", of=STRANGER)
    async with Pair(ours, theirs) as (caller, sbc):
        assert (await failed(caller, sbc.at())).startswith("certificate-untrusted: ")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_peer_that_speaks_plain_sip_on_the_port_of_tls(loop: str, tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"SIP/2.0 400 What is this\r\n\r\n")

    async def scenario() -> None:
        plain = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with Pair(*[tls_settings(tmp_path, "sbc.example")] * 2) as (caller, _):
            to = Destination("tls", "sbc.example", plain.sockets[0].getsockname()[1])
            assert await failed(caller, to) == f"tls: {to.peer} speaks no TLS (wrong version number)"
        plain.close()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("silent", "did not finish the TLS handshake within 0.3 s"),
        ("closes", "closed the connection during the TLS handshake"),
    ],
)
def test_a_peer_that_gives_no_handshake(loop: str, behaviour: str, why: str, tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if behaviour == "closes":
            await reader.read(10_000)
            writer.close()

    async def scenario() -> None:
        mute = await asyncio.start_server(answer, "127.0.0.1", 0)
        settings = tls_settings(tmp_path, "sbc.example")
        async with Pair(settings, settings, connect_timeout_seconds=0.3) as (caller, _):
            to = Destination("tls", "sbc.example", mute.sockets[0].getsockname()[1])
            assert await failed(caller, to) == f"tls: {to.peer} {why}"
        mute.close()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario())


async def test_a_closed_port_is_refused_as_with_tcp(tmp_path: Path) -> None:
    settings = tls_settings(tmp_path, "sbc.example")
    async with Pair(settings, settings) as (caller, sbc):
        to = sbc.at()
        await sbc.transport.close()
        assert (await failed(caller, to)).startswith("refused: ")


# Mutual TLS


@pytest.mark.parametrize("loop", LOOPS)
def test_who_has_to_show_a_certificate_does_and_is_known_by_it(loop: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        ours = tls_settings(tmp_path / "a", "carrier.example", "10.0.0.1")
        theirs = tls_settings(tmp_path / "b", "sbc.example", clients="required")
        async with Pair(ours, theirs) as (caller, sbc):
            caller.send(OPTIONS, sbc.at())
            await sbc.until(lambda: sbc.received)
            source = sbc.received[0][1]
            assert sbc.transport.names_of(source) == ("carrier.example", "10.0.0.1")
            assert sbc.transport.names_of(source._replace(port=1)) == ()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_our_certificate_can_be_refused(loop: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        ours = tls_settings(tmp_path / "a", "onhook.example", of=STRANGER)
        theirs = tls_settings(tmp_path / "b", "sbc.example", clients="required")
        async with Pair(ours, theirs) as (caller, sbc):
            caller.send(OPTIONS, sbc.at())
            await sbc.until(lambda: sbc.refused)
            assert sbc.refused[0][1].startswith("certificate-untrusted: ")
            assert not sbc.received

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario())


def turn_away_one(listener: socket.socket, context: ssl.SSLContext) -> str:
    """A server of the blocking kind: unlike those of asyncio it sends the alert that says why."""
    accepted, _ = listener.accept()
    with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as wrapped:
        try:
            wrapped.do_handshake()
        except ssl.SSLError as error:
            wrapped.shutdown(socket.SHUT_WR)  # closed with something unread, TCP would take the alert back
            while wrapped.recv(1_000):
                pass
            return error.reason or ""
    return ""


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_far_end_that_refuses_our_certificate_says_so(
    version: ssl.TLSVersion, loop: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        ours = tls_settings(tmp_path / "a", "onhook.example", of=STRANGER)
        context = server_context(tls_settings(tmp_path / "b", "sbc.example", clients="required"))
        context.maximum_version = version
        async with Pair(ours, ours) as (caller, _):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                to = Destination("tls", "sbc.example", listener.getsockname()[1])
                turning = asyncio.create_task(asyncio.to_thread(turn_away_one, listener, context))
                why = await failed(caller, to)
                assert await turning == "CERTIFICATE_VERIFY_FAILED"
                assert why.startswith(f"certificate-refused: {to.peer} refuses our certificate (")

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario())


async def test_who_shows_no_certificate_is_refused_only_where_it_is_required(tmp_path: Path) -> None:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    settings = tls_settings(tmp_path, "sbc.example")
    for asked, taken in (("optional", True), ("required", False)):
        theirs = replace(settings, clients=asked)  # type: ignore[arg-type]  # the words of the setting
        async with Pair(settings, theirs) as (_, sbc):
            reader, writer = await asyncio.open_connection("127.0.0.1", sbc.at().port, ssl=bare)
            writer.write(OPTIONS)
            await sbc.until(lambda sbc=sbc: sbc.received or sbc.refused)  # type: ignore[misc]  # a default
            assert bool(sbc.received) == taken
            writer.transport.abort()
            del reader


async def test_a_stranger_with_plain_sip_is_turned_away_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = tls_settings(tmp_path, "sbc.example")
    async with Pair(settings, settings) as (_, sbc):
        reader, writer = await asyncio.open_connection("127.0.0.1", sbc.at().port)
        writer.write(OPTIONS)
        await sbc.until(lambda: sbc.refused)
        assert sbc.refused[0][1].endswith(" speaks no TLS (http request)") or "TLS" in sbc.refused[0][1]
        assert await reader.read() in (b"", b"\x15\x03\x01\x00\x02\x02F")
        assert not sbc.transport.connections
        with caplog.at_level(logging.INFO):
            log_refused(*sbc.refused[0])
        assert "TLS with 127.0.0.1" in caplog.text
        writer.close()


# Names


async def test_a_trunk_may_be_known_by_another_name_than_its_host(tmp_path: Path) -> None:
    ours = tls_settings(tmp_path / "a", "x.example", known_as={"127.0.0.1": "sbc.example"})
    theirs = tls_settings(tmp_path / "b", "sbc.example")
    async with Pair(ours, theirs) as (caller, sbc):
        caller.send(OPTIONS, sbc.at("127.0.0.1"))
        await sbc.until(lambda: sbc.received)


async def test_a_bare_address_in_a_contact_is_held_to_the_name_of_the_trunk(tmp_path: Path) -> None:
    settings = tls_settings(tmp_path, "sbc.example")
    async with Pair(settings, settings) as (caller, sbc):
        caller.send(OPTIONS, sbc.at())
        caller.send(BYE, sbc.at("127.0.0.1"))
        await sbc.until(lambda: len(sbc.received) == 2)
        assert caller.transport.connections == 1
    async with Pair(settings, settings) as (caller, sbc):
        assert (await failed(caller, sbc.at("127.0.0.1"))).startswith("certificate-name: ")


async def test_two_names_at_one_address_are_two_connections(tmp_path: Path) -> None:
    settings = tls_settings(tmp_path, "sbc.example", "*.pool.example")
    async with Pair(settings, settings) as (caller, sbc):
        for host in ("sbc.example", "a.pool.example", "SBC.example."):
            caller.send(OPTIONS, sbc.at(host))
        await sbc.until(lambda: len(sbc.received) == 3)
        assert caller.transport.connections == 2
        assert set(caller.transport.certificates) == {"sbc.example", "a.pool.example"}


@pytest.mark.parametrize(
    ("general", "common", "good"),
    [
        ((x509.UniformResourceIdentifier("sip:sbc.example"),), "", True),
        ((x509.UniformResourceIdentifier("sip:other.example"), x509.DNSName("sbc.example")), "", False),
        ((x509.UniformResourceIdentifier("sip:alice@sbc.example"),), "", False),
        ((x509.UniformResourceIdentifier("http://sbc.example"), x509.DNSName("sbc.example")), "", True),
        ((x509.DNSName("*.example"),), "", False),  # too wide
        ((x509.DNSName("other.example"),), "sbc.example", False),
        ((), "sbc.example", True),
    ],
)
async def test_names_are_read_as_rfc_5922_has_them(
    general: tuple[x509.GeneralName, ...], common: str, *, good: bool, tmp_path: Path
) -> None:
    theirs = sip_domain(tmp_path, *general, common=common)
    async with Pair(theirs, theirs) as (caller, sbc):
        caller.send(OPTIONS, sbc.at())
        await asyncio.wait(
            [
                asyncio.create_task(sbc.until(lambda: sbc.received)),
                asyncio.create_task(caller.until(lambda: caller.failures)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert bool(sbc.received) == good
        if not good:
            assert caller.failures[0][1].startswith("certificate-name: ")


# Dates and files


async def test_a_certificate_near_its_end_is_spoken_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = tls_settings(tmp_path, "sbc.example", days=20.5)
    async with Pair(settings, settings) as (caller, sbc):
        for count in (1, 2):
            caller.send(OPTIONS, sbc.at())
            await sbc.until(lambda count=count: len(sbc.received) == count)  # type: ignore[misc]  # a default
            for connection in list(caller.transport._connections.values()):
                connection.close()
        assert caplog.text.count("the certificate of sbc.example expires in 20 days") == 1
        assert caller.transport.certificates["sbc.example"].names == ("sbc.example",)


def test_files_that_cannot_be_used_are_said_at_the_start(tmp_path: Path) -> None:
    settings = tls_settings(tmp_path, "sbc.example")
    with pytest.raises(FileNotFoundError):
        client_context(replace(settings, certificate=tmp_path / "nothing.pem"))
    settings.key.write_text("nothing of the kind")
    with pytest.raises(ssl.SSLError):
        client_context(settings)
    with pytest.raises(ValueError, match=r"NetworkSettings\.tls is not set"):
        TlsTransport(NetworkSettings(), lambda _data, _source: None, lambda _to, _why: None)
    assert AUTHORITY.cert_pem.bytes() == settings.authorities.read_bytes()
