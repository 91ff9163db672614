"""RFC 5626 pings on connections that we opened: sent, answered, missed."""

import asyncio
import contextlib

from onhook.effects import Destination
from onhook.net.settings import NetworkSettings
from onhook.net.tcp import TcpTransport
from unit.net.test_tcp import ACK, BYE, OK, OPTIONS, Ear, FarEnd, ended, play

PING, PONG = b"\r\n\r\n", b"\r\n"
OFTEN = NetworkSettings(keepalive_seconds=0.02, pong_seconds=0.1)


async def opened(
    transport: TcpTransport, far_end: FarEnd, data: bytes = ACK
) -> tuple[Destination, asyncio.StreamReader, asyncio.StreamWriter]:
    to = await far_end.start()
    transport.send(data, to, to.host)
    reader, writer = await far_end.accepted()
    assert await reader.readexactly(len(data)) == data
    return to, reader, writer


def test_a_peer_that_answers_pings_is_pinged_on_and_on() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        to, reader, writer = await opened(transport, far_end)
        for _ in range(5):
            assert await reader.readexactly(4) == PING
            writer.write(PONG)
        writer.write(OK)
        await ear.until_received(1)
        assert ear.received == [(OK, to)]
        assert ear.failures == []
        assert transport.connections == 1

    play(scenario, OFTEN)


def test_a_peer_that_answers_no_more_is_gone() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        to, reader, writer = await opened(transport, far_end, OPTIONS)
        assert await reader.readexactly(4) == PING
        writer.write(PONG)
        await ear.until(lambda: ear.failures)
        assert ear.failures == [(to, f"timeout: {to.peer} did not answer a ping within 0.1 s")]
        assert transport.connections == 0
        transport.send(BYE, to, to.host)  # by a new one
        again, _ = await far_end.accepted()
        assert await again.readexactly(len(BYE)) == BYE

    play(scenario, OFTEN)


def test_a_peer_that_never_answered_pings_need_not() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        _, reader, _writer = await opened(transport, far_end)
        for _ in range(3):
            assert await reader.readexactly(4) == PING
        assert ear.failures == []

    play(scenario, NetworkSettings(keepalive_seconds=0.01, pong_seconds=0.01))


def test_pings_do_not_make_an_idle_connection_a_busy_one() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        _, reader, writer = await opened(transport, far_end)

        async def answer() -> None:
            with contextlib.suppress(ConnectionResetError):  # a pong crossed the end
                while await reader.read(4):
                    writer.write(PONG)

        answering = asyncio.create_task(answer())
        await ended(transport)
        await answering
        assert ear.failures == []

    play(scenario, NetworkSettings(keepalive_seconds=0.01, idle_seconds=0.2))


def test_who_connected_to_us_pings_us_and_not_the_other_way_round() -> None:
    async def scenario(transport: TcpTransport, ear: Ear, far_end: FarEnd) -> None:
        at = transport.bound[0]
        reader, writer = await asyncio.open_connection(at.host, at.port)
        writer.write(OPTIONS)
        await ear.until_received(1)
        writer.write(PING)
        assert await reader.readexactly(2) == PONG
        to, pinged, _ = await opened(transport, far_end)
        assert await pinged.readexactly(4) == PING  # ours, by then the other had its turn too
        transport.send(OK, ear.received[0][1], at.host)
        assert await reader.readexactly(len(OK)) == OK
        assert to.port != at.port
        writer.close()

    play(scenario, OFTEN)


def test_without_a_time_there_are_no_pings() -> None:
    async def scenario(transport: TcpTransport, _ear: Ear, far_end: FarEnd) -> None:
        to, reader, _writer = await opened(transport, far_end)
        assert transport._pinging is None
        transport.send(BYE, to, to.host)
        assert await reader.readexactly(len(BYE)) == BYE

    play(scenario, NetworkSettings(keepalive_seconds=0))
