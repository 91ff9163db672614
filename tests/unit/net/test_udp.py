"""UDP on real loopback sockets: errors by ICMP, buffers, bad handlers, limits."""

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import pytest
import uvloop

from onhook.effects import Destination
from onhook.net.settings import NetworkSettings
from onhook.net.udp import MAX_DATAGRAM_BYTES, UdpTransport, grow_receive_buffer

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
PATIENCE_SECONDS = 5.0


class Ear:
    """What a transport told."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Destination]] = []
        self.failures: list[tuple[Destination, str]] = []
        self.happened = asyncio.Event()

    def take(self, data: bytes, source: Destination) -> None:
        self.received.append((data, source))
        self.happened.set()

    def fail(self, to: Destination, text: str) -> None:
        self.failures.append((to, text))
        self.happened.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self.happened.clear()
                await self.happened.wait()

    async def until_failures(self, count: int) -> None:
        await self.until(lambda: len(self.failures) >= count)


Scenario: TypeAlias = Callable[[UdpTransport, Ear], Coroutine[Any, Any, None]]


def play(scenario: Scenario, settings: NetworkSettings | None = None, loop: str = "asyncio") -> None:
    async def main() -> None:
        ear = Ear()
        transport = UdpTransport(settings or NetworkSettings(), ear.take, ear.fail)
        await transport.start(0)
        try:
            await scenario(transport, ear)
        finally:
            await transport.close()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


def far_end() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.settimeout(PATIENCE_SECONDS)
    opened.bind(("127.0.0.1", 0))
    return opened


def place(opened: socket.socket) -> Destination:
    return Destination("udp", *opened.getsockname()[:2])


@pytest.mark.parametrize("loop", LOOPS)
def test_every_datagram_sent_to_a_closed_port_is_told(loop: str) -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        with far_end() as closed:
            closed.connect(("127.0.0.1", 9))
            to = place(closed)
            for number in range(1, 4):
                transport.send(b"INVITE", to, to.host)
                await ear.until_failures(number)
            assert {at for at, _ in ear.failures} == {to}
            assert ear.failures[0][1] == f"refused: {to.peer} over udp: Connection refused (ICMP)"

    play(scenario, loop=loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_it_still_hears_after_errors(loop: str) -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        with far_end() as closed, far_end() as phone:
            closed.connect(("127.0.0.1", 9))
            transport.send(b"INVITE", place(closed), "127.0.0.1")
            await ear.until(lambda: ear.failures)
            phone.sendto(b"OPTIONS", (transport.bound[0].host, transport.bound[0].port))
            await ear.until(lambda: ear.received)
            assert ear.received == [(b"OPTIONS", place(phone))]

    play(scenario, loop=loop)


def test_an_error_is_told_for_the_name_that_was_used() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        with far_end() as closed:
            closed.connect(("127.0.0.1", 9))
            named = place(closed)._replace(host="trunk.example")
            transport.send(b"INVITE", named, "127.0.0.1")
            await ear.until(lambda: len(ear.failures) == 2)
            assert {at for at, _ in ear.failures} == {named, place(closed)}
            assert all(text.startswith(f"refused: {at.peer} over udp") for at, text in ear.failures)

    play(scenario)


def test_names_remembered_for_errors_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onhook.net.udp.MAX_NAMED_ADDRESSES", 3)

    async def scenario(transport: UdpTransport, _: Ear) -> None:
        with far_end() as phone:
            for number in range(10):
                port = transport._ports[0]
                port._remember_name(place(phone)._replace(host="a.example"), f"192.0.2.{number}")
                assert len(port._named) <= 3

    play(scenario)


@pytest.mark.parametrize("junk", [b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b""])
def test_keep_alives_are_no_messages(junk: bytes) -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        with far_end() as phone:
            at = (transport.bound[0].host, transport.bound[0].port)
            phone.sendto(junk, at)
            phone.sendto(b"\r\nBYE", at)
            await ear.until(lambda: ear.received)
            assert [data for data, _ in ear.received] == [b"\r\nBYE"]

    play(scenario)


def test_a_datagram_that_is_too_large_is_refused_before_it_is_sent() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        with far_end() as phone:
            transport.send(b"x" * (MAX_DATAGRAM_BYTES + 1), place(phone), "127.0.0.1")
            assert ear.failures == [(place(phone), "too-large: 65508 bytes; a datagram carries 65507")]
            transport.send(b"x" * MAX_DATAGRAM_BYTES, place(phone), "127.0.0.1")
            assert len(ear.failures) == 1
            assert len(phone.recv(70_000)) == MAX_DATAGRAM_BYTES

    play(scenario)


def test_a_handler_that_fails_does_not_deafen_it() -> None:
    async def main() -> None:
        faults, heard, done = list[Any](), list[bytes](), asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: faults.append(context["exception"])
        )

        def take(data: bytes, _: Destination) -> None:
            if data == b"bad":
                raise ZeroDivisionError
            heard.append(data)
            done.set()

        transport = UdpTransport(NetworkSettings(), take, lambda _to, _text: None)
        await transport.start(0)
        with far_end() as phone:
            for data in (b"bad", b"good"):
                phone.sendto(data, (transport.bound[0].host, transport.bound[0].port))
            await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)
        assert heard == [b"good"]
        assert [type(fault) for fault in faults] == [ZeroDivisionError]
        await transport.close()

    asyncio.run(main())


def test_an_address_of_a_family_that_is_not_bound() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        to = Destination("udp", "::1", 5060)
        transport.send(b"x", to, "::1")
        assert ear.failures[0][0] == to
        assert ear.failures[0][1].startswith("unreachable: [::1]:5060")
        assert "sip.ipv6_host" in ear.failures[0][1]

    play(scenario)


def test_no_way_to_another_network_from_loopback_names_the_setting() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        to = Destination("udp", "198.51.100.1", 5060)
        transport.send(b"x", to, to.host)
        assert ear.failures[0][1].startswith("unreachable: 198.51.100.1:5060 over udp")

    play(scenario)


class FullSocket:
    """A socket whose send buffer is full for the first `times` sends."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def sendto(self, data: bytes, to: tuple[str, int]) -> int:
        if self.times:
            self.times -= 1
            raise BlockingIOError
        self.sent.append((data, to))
        return len(data)

    def close(self) -> None:
        self.times = 0


def _with_full_socket(transport: UdpTransport, times: int) -> FullSocket:
    port, full = transport._ports[0], FullSocket(times)
    port._loop.remove_reader(port._watched)
    port._socket.close()
    port._socket = full  # type: ignore[assignment]  # a fault below the surface
    return full


def test_while_the_kernel_is_full_messages_wait_in_their_order() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        full = _with_full_socket(transport, times=3)
        to = Destination("udp", "127.0.0.1", 5060)
        for data in (b"1", b"2", b"3"):
            transport.send(data, to, "127.0.0.1")
        assert full.sent == []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(full.sent) < 3:  # noqa: ASYNC110  # the transport has no event for it
                await asyncio.sleep(0.001)
        assert [data for data, _ in full.sent] == [b"1", b"2", b"3"]
        assert ear.failures == []
        transport.send(b"4", to, "127.0.0.1")
        assert full.sent[-1] == (b"4", ("127.0.0.1", 5060))

    play(scenario)


def test_only_so_much_waits() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        _with_full_socket(transport, times=1000)
        to = Destination("udp", "127.0.0.1", 5060)
        for _ in range(3):
            transport.send(b"x" * 400, to, "127.0.0.1")
        assert ear.failures == [(to, "overflow: 800 bytes wait to be sent over udp")]

    play(scenario, NetworkSettings(max_unsent_bytes=1000))


def _queued_error(number: int, origin: int, icmp_type: int) -> bytes:
    return struct.pack("=IBBBxII", number, origin, icmp_type, 0, 0, 0)


@pytest.mark.parametrize(
    ("number", "origin", "icmp_type", "word"),
    [
        (errno.ECONNREFUSED, 2, 3, "refused"),
        (errno.EHOSTUNREACH, 2, 3, "unreachable"),
        (errno.ENETUNREACH, 2, 3, "unreachable"),
        (errno.ECONNREFUSED, 3, 1, "refused"),
        (errno.EACCES, 3, 1, "unreachable"),
        (errno.EHOSTUNREACH, 2, 11, ""),  # time exceeded: RFC 3261 18.4 ignores it
        (errno.EHOSTUNREACH, 3, 3, ""),
        (errno.EMSGSIZE, 2, 3, ""),  # the kernel learns the path's size
        (errno.ECONNREFUSED, 1, 0, ""),  # our own end's, told by the call itself
    ],
)
def test_which_icmp_errors_are_failures(number: int, origin: int, icmp_type: int, word: str) -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        transport._ports[0]._report(_queued_error(number, origin, icmp_type), ("192.0.2.9", 5060))
        assert [text.partition(":")[0] for _, text in ear.failures] == ([word] if word else [])

    play(scenario)


def test_a_queued_error_that_is_cut_short_is_ignored() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        transport._ports[0]._report(b"\x6f\0\0\0", ("192.0.2.9", 5060))
        assert ear.failures == []

    play(scenario)


def test_the_receive_buffer_is_large_or_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with far_end() as opened, caplog.at_level(logging.WARNING):
        granted = grow_receive_buffer(opened, 300_000)
        assert granted >= 300_000 or "net.core.rmem_max" in caplog.text
        caplog.clear()
        huge = grow_receive_buffer(opened, 2**31 - 1)
        assert huge < 2**31 - 1
        assert f"{huge} bytes of {2**31 - 1} wanted" in caplog.text


def test_a_burst_while_the_loop_is_busy_is_kept() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        with far_end() as phone:
            for number in range(1000):  # the loop does not run meanwhile
                phone.sendto(b"%d" % number, (transport.bound[0].host, transport.bound[0].port))
            await ear.until(lambda: len(ear.received) == 1000)
            assert [data for data, _ in ear.received] == [b"%d" % number for number in range(1000)]

    play(scenario)


def test_version_6_beside_version_4_on_the_same_port() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        four, six = transport.bound
        assert (four.host, six.host) == ("127.0.0.1", "::1")
        assert four.port == six.port
        transport.send(b"over six", six, six.host)
        await ear.until(lambda: ear.received)
        assert ear.received == [(b"over six", six)]

    play(scenario, NetworkSettings(ipv6_host="::1"))


def test_version_6_errors_are_heard() -> None:
    async def scenario(transport: UdpTransport, ear: Ear) -> None:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as closed:
            closed.bind(("::1", 0))
            closed.connect(("::1", 9))
            to = place(closed)
            transport.send(b"x", to, to.host)
            await ear.until(lambda: ear.failures)
            assert ear.failures[0][1].startswith(f"refused: [::1]:{to.port}")

    play(scenario, NetworkSettings(ipv6_host="::1"))


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    async def main() -> None:
        with far_end() as taken:
            transport = UdpTransport(NetworkSettings(), lambda _a, _b: None, lambda _a, _b: None)
            with pytest.raises(OSError, match="Address already in use"):
                await transport.start(place(taken).port)
            assert transport.bound == []

    asyncio.run(main())
