"""TCP on real loopback sockets: reuse, refusals, broken streams, limits, idle connections."""

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias

import pytest
import uvloop

from onhook.effects import Destination
from onhook.net.settings import NetworkSettings
from onhook.net.tcp import MAX_NAMES_A_CONNECTION, Connection, TcpTransport

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
PATIENCE_SECONDS = 5.0
OPTIONS = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n"
BYE = b"BYE sip:x SIP/2.0\r\nContent-Length: 2\r\n\r\nhi"
ACK = b"ACK sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n"
OK = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


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

    async def until_received(self, count: int) -> None:
        await self.until(lambda: len(self.received) >= count)


class FarEnd:
    """A plain TCP listener whose connections the test holds in its hands."""

    def __init__(self) -> None:
        self._accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self.count = 0

    async def start(self) -> Destination:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return Destination("tcp", *self._server.sockets[0].getsockname())

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        await self._accepted.put((reader, writer))

    async def accepted(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.wait_for(self._accepted.get(), PATIENCE_SECONDS)

    def close(self) -> None:
        if self._server:
            self._server.close()


Scenario: TypeAlias = Callable[[TcpTransport, Ear, FarEnd], Coroutine[Any, Any, None]]


def play(scenario: Scenario, settings: NetworkSettings | None = None, loop: str = "asyncio") -> None:
    async def main() -> None:
        ear, far_end = Ear(), FarEnd()
        transport = TcpTransport(settings or NetworkSettings(), ear.take, ear.fail)
        await transport.start(0)
        try:
            async with asyncio.timeout(4 * PATIENCE_SECONDS):
                await scenario(transport, ear, far_end)
        finally:
            await transport.close()
            far_end.close()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


async def call_in(transport: TcpTransport) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    at = transport.bound[0]
    return await asyncio.open_connection(at.host, at.port)


async def ended(transport: TcpTransport) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while transport.connections:  # noqa: ASYNC110  # an orderly end is told to nobody
            await asyncio.sleep(0.001)


def reset(writer: asyncio.StreamWriter) -> None:
    """Tear the connection down with a RST."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize("loop", LOOPS)
def test_one_connection_carries_all_messages_to_a_place(loop: str) -> None:
    async def scenario(transport: TcpTransport, _: Ear, far_end: FarEnd) -> None:
        to = await far_end.start()
        transport.send(OPTIONS, to, to.host)
        transport.send(BYE, to, to.host)  # while it is being opened
        reader, _writer = await far_end.accepted()
        assert await reader.readexactly(len(OPTIONS + BYE)) == OPTIONS + BYE
        transport.send(ACK, to, to.host)  # while it is open
        assert await reader.readexactly(len(ACK)) == ACK
        assert (far_end.count, transport.connections) == (1, 1)

    play(scenario, loop=loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_an_answer_leaves_by_the_connection_that_the_request_came_on(loop: str) -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        reader, writer = await call_in(transport)
        writer.write(OPTIONS)
        await ear.until(lambda: ear.received)
        ((data, source),) = ear.received
        assert data == OPTIONS
        assert source == Destination("tcp", *writer.get_extra_info("sockname"))
        transport.send(OK, source, source.host)
        assert await reader.readexactly(len(OK)) == OK
        assert transport.connections == 1
        writer.close()

    play(scenario, loop=loop)


def test_messages_are_cut_out_of_the_stream_wherever_it_breaks() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        _reader, writer = await call_in(transport)
        for byte in OPTIONS + BYE:
            writer.write(bytes([byte]))
            await writer.drain()
        writer.write(OPTIONS * 3)
        await ear.until(lambda: len(ear.received) == 5)
        assert [data for data, _ in ear.received] == [OPTIONS, BYE, OPTIONS, OPTIONS, OPTIONS]
        writer.close()

    play(scenario)


def test_keep_alive_pings_are_answered_and_not_handed_up() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        reader, writer = await call_in(transport)
        writer.write(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"\r\n"
        writer.write(OPTIONS + b"\r\n\r\n")
        assert await reader.readexactly(2) == b"\r\n"
        await ear.until(lambda: ear.received)
        assert [data for data, _ in ear.received] == [OPTIONS]
        writer.close()

    play(scenario)


def test_a_stream_that_is_no_sip_is_handed_up_once_and_closed() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        reader, writer = await call_in(transport)
        bad = OPTIONS.replace(b"Content-Length: 0", b"Content-Length: many")
        writer.write(OPTIONS + bad + OPTIONS)
        await ear.until(lambda: len(ear.received) == 2)
        assert await reader.read() == b""
        assert [data for data, _ in ear.received] == [OPTIONS, bad]
        assert (transport.connections, ear.failures) == (0, [])
        writer.close()

    play(scenario)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_refused_connection_is_told_to_all_who_wait_for_it_by_their_own_name(loop: str) -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            literal = Destination("tcp", *closed.getsockname())
            named = literal._replace(host="trunk.example")
            for to in (literal, named, literal):
                transport.send(OPTIONS, to, "127.0.0.1")
            await ear.until(lambda: len(ear.failures) == 2)
            assert dict(ear.failures) == {
                to: f"refused: {to.peer} over tcp: Connection refused" for to in (literal, named)
            }
            assert transport.connections == 0

    play(scenario, loop=loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_that_is_torn_down_is_told(loop: str) -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        to = await far_end.start()
        transport.send(OPTIONS, to, to.host)
        reader, writer = await far_end.accepted()
        await reader.readexactly(len(OPTIONS))
        reset(writer)
        await ear.until(lambda: ear.failures)
        assert ear.failures == [(to, f"reset: {to.peer} over tcp: Connection reset by peer")]
        assert transport.connections == 0

    play(scenario, loop=loop)


def test_a_far_end_that_closes_before_it_answers_is_told() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        to = await far_end.start()
        transport.send(OPTIONS, to, to.host)
        reader, writer = await far_end.accepted()
        await reader.readexactly(len(OPTIONS))
        writer.close()
        await ear.until(lambda: ear.failures)
        assert ear.failures == [
            (to, f"closed: {to.peer}: the far end closed the connection before it answered")
        ]

    play(scenario)


@pytest.mark.parametrize("last", [OK, ACK])
def test_a_far_end_that_closes_when_nothing_is_open_is_no_failure(last: bytes) -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        to = await far_end.start()
        transport.send(OPTIONS, to, to.host)
        reader, writer = await far_end.accepted()
        await reader.readexactly(len(OPTIONS))
        writer.write(OK)
        await ear.until(lambda: ear.received)
        transport.send(last, to, to.host)
        await reader.readexactly(len(last))
        writer.close()
        await ended(transport)
        transport.send(OPTIONS, to, to.host)  # opens a new one
        reader, _writer = await far_end.accepted()
        assert await reader.readexactly(len(OPTIONS)) == OPTIONS
        assert ear.failures == []

    play(scenario)


def test_an_attempt_nobody_answers_ends_in_time() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        async def never(*_: Any, **__: Any) -> None:
            await asyncio.Event().wait()

        asyncio.get_running_loop().create_connection = never  # type: ignore[method-assign,assignment]  # the fault that is tested
        to = Destination("tcp", "127.0.0.1", 5060)
        transport.send(OPTIONS, to, to.host)
        await ear.until(lambda: ear.failures)
        assert ear.failures == [(to, "timeout: 127.0.0.1:5060 did not answer within 0.05 s")]
        assert transport.connections == 0

    play(scenario, NetworkSettings(connect_timeout_seconds=0.05))


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH])
def test_a_host_that_cannot_be_reached(number: int) -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        async def no_route(*_: Any, **__: Any) -> None:
            raise OSError(number, "as the loop words it")

        asyncio.get_running_loop().create_connection = no_route  # type: ignore[method-assign,assignment]  # the fault that is tested
        to = Destination("tcp", "192.0.2.9", 5060)
        transport.send(OPTIONS, to, to.host)
        await ear.until(lambda: ear.failures)
        assert ear.failures[0][1].startswith("unreachable: 192.0.2.9:5060 over tcp: ")

    play(scenario)


def test_what_waits_to_be_sent_is_limited_before_the_connection_is_open() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        to = await far_end.start()
        message = OPTIONS + b"\r\n" * 100
        for _ in range(6):
            transport.send(message, to, to.host)
        assert [text.partition(":")[0] for _, text in ear.failures] == ["overflow", "overflow"]
        assert f"{4 * len(message)} bytes wait" in ear.failures[0][1]
        reader, _writer = await far_end.accepted()
        assert await reader.readexactly(4 * len(message)) == message * 4

    play(scenario, NetworkSettings(max_unsent_bytes=1000))


def test_what_waits_to_be_sent_is_limited_on_an_open_connection_that_nobody_reads() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        to = await far_end.start()
        transport.send(OPTIONS, to, to.host)
        _reader, writer = await far_end.accepted()
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a plain stream transport can
        body = b"x" * 60_000
        message = b"MESSAGE sip:x SIP/2.0\r\nContent-Length: 60000\r\n\r\n" + body
        for _ in range(1000):
            transport.send(message, to, to.host)
            await asyncio.sleep(0)
            if ear.failures:
                break
        assert ear.failures[0][1].startswith("overflow: ")
        writer.transport.abort()

    play(scenario, NetworkSettings(max_unsent_bytes=200_000))


def test_too_many_connections_of_one_peer_are_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        held = [await call_in(transport) for _ in range(2)]
        for _, writer in held:
            writer.write(OPTIONS)
        await ear.until(lambda: len(ear.received) == 2)
        reader, writer = await call_in(transport)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert transport.connections == 2
        assert "sip.max_connections_per_peer" in caplog.text
        for _, writer in held:
            writer.close()

    with caplog.at_level(logging.WARNING):
        play(scenario, NetworkSettings(max_connections_per_peer=2))


def test_room_comes_back_when_a_connection_ends() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        for number in range(1, 6):
            reader, writer = await call_in(transport)
            writer.write(OPTIONS)
            await ear.until_received(number)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        assert transport.connections == 0

    play(scenario, NetworkSettings(max_connections=1))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (NetworkSettings(max_connections=1), "sip.max_connections"),
        (NetworkSettings(max_connections_per_peer=1), "sip.max_connections_per_peer"),
    ],
)
def test_our_own_connections_are_limited_and_it_is_told(settings: NetworkSettings, name: str) -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        to = await far_end.start()
        transport.send(OPTIONS, to, to.host)
        second = to._replace(port=to.port ^ 1)
        transport.send(OPTIONS, second, second.host)
        (failure,) = ear.failures
        assert failure[0] == second
        assert failure[1].startswith("limit: ")
        assert f"({name})" in failure[1]

    play(scenario, settings)


def test_idle_connections_are_closed_and_busy_ones_stay() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        idle_reader, idle_writer = await call_in(transport)
        _, busy_writer = await call_in(transport)

        async def talk() -> None:
            while True:
                busy_writer.write(OPTIONS)
                await asyncio.sleep(0.02)

        talking = asyncio.create_task(talk())
        assert await asyncio.wait_for(idle_reader.read(), PATIENCE_SECONDS) == b""
        assert transport.connections == 1
        talking.cancel()
        assert ear.failures == []
        for writer in (idle_writer, busy_writer):
            writer.close()

    play(scenario, NetworkSettings(idle_seconds=0.3))


def test_closing_lets_written_messages_leave() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        to = await far_end.start()
        transport.send(OPTIONS, to, to.host)
        reader, _writer = await far_end.accepted()
        transport.send(BYE, to, to.host)
        await transport.close()
        assert await reader.read() == OPTIONS + BYE
        assert transport.bound == []
        assert ear.failures == []

    play(scenario)


def test_a_handler_that_fails_does_not_end_the_connection() -> None:
    async def main() -> None:
        faults, heard, done = list[Any](), list[bytes](), asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: faults.append(context["exception"])
        )

        def take(data: bytes, _: Destination) -> None:
            if data == BYE:
                raise ZeroDivisionError
            heard.append(data)
            done.set()

        transport = TcpTransport(NetworkSettings(), take, lambda _to, _text: None)
        await transport.start(0)
        _reader, writer = await call_in(transport)
        writer.write(BYE + OPTIONS)
        await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)
        assert heard == [OPTIONS]
        assert [type(fault) for fault in faults] == [ZeroDivisionError]
        writer.close()
        await transport.close()

    asyncio.run(main())


def test_the_names_of_one_connection_are_limited() -> None:
    async def scenario(transport: TcpTransport, _: Ear, far_end: FarEnd) -> None:
        to = await far_end.start()
        connection = Connection(transport, (to.host, to.port, ""))
        for number in range(3 * MAX_NAMES_A_CONNECTION):
            connection.send(ACK, to._replace(host=f"name-{number}.example"))
        assert len(connection._users) == MAX_NAMES_A_CONNECTION

    play(scenario)


def test_version_6_beside_version_4_on_the_same_port() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, _far_end: FarEnd) -> None:
        four, six = transport.bound
        assert (four.host, six.host, four.port) == ("127.0.0.1", "::1", six.port)
        transport.send(OPTIONS, six, six.host)
        await ear.until(lambda: ear.received)
        assert ear.received[0][0] == OPTIONS
        assert ear.received[0][1].host == "::1"

    play(scenario, NetworkSettings(ipv6_host="::1"))


def test_a_port_that_is_taken_is_an_error() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            transport = TcpTransport(NetworkSettings(), lambda _a, _b: None, lambda _a, _b: None)
            with pytest.raises(OSError, match="in use"):
                await transport.start(taken.getsockname()[1])
            assert transport.bound == []

    asyncio.run(main())
