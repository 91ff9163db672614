"""HEP 3 to a collector, read back chunk by chunk, over real UDP and TCP sockets."""

import asyncio
import ipaddress
import struct
from typing import Any

import pytest

from onhook.calls.record import CallRecord, LegPlan
from onhook.delivery.hep import MAX_PAYLOAD_BYTES, Collector, HepSettings, encode
from onhook.endings.packets import Packet
from onhook.facts import SipSeen, SipUnreadable, TimerFired

INVITE = b"INVITE sip:+14255550200@192.0.2.2 SIP/2.0\r\nCall-ID: a@b\r\n\r\n"


def read(data: bytes) -> dict[int, bytes]:
    """The chunks of one packet, by kind."""
    assert data[:4] == b"HEP3"
    assert struct.unpack_from("!H", data, 4)[0] == len(data)
    found: dict[int, bytes] = {}
    at = 6
    while at < len(data):
        vendor, kind, length = struct.unpack_from("!HHH", data, at)
        assert vendor == 0
        found[kind] = data[at + 6 : at + length]
        at += length
    assert at == len(data)
    return found


def split(stream: bytes) -> list[dict[int, bytes]]:
    found: list[dict[int, bytes]] = []
    while stream:
        length = struct.unpack_from("!H", stream, 4)[0]
        found.append(read(stream[:length]))
        stream = stream[length:]
    return found


def record() -> CallRecord:
    return CallRecord(
        id="call",
        server_call_id="server",
        correlation_id="correlation",
        resource="dev",
        direction="outbound",
        source="",
        target="",
        callback_uri="",
        api_version="",
        local=("192.0.2.1", 5060),
        started_at=1.0,
        legs=[LegPlan(id="second", party="", local=("192.0.2.1", 5070))],
    )


def seen(leg: str = "first", direction: Any = "sent", data: bytes = INVITE, at: float = 1.5) -> SipSeen:
    return SipSeen(at=at, leg=leg, direction=direction, transport="udp", peer="192.0.2.2:5080", message=data)


def test_a_packet_has_both_ends_the_time_and_every_byte() -> None:
    packet = Packet(1_795_000_000.25, "tcp", ("192.0.2.1", 5060), ("192.0.2.2", 5080), INVITE)
    chunks = read(encode(packet, correlation="x", capture_id=7, password="key"))
    assert chunks[1] == bytes([2])
    assert chunks[2] == bytes([6])
    assert (str(ipaddress.ip_address(chunks[3])), str(ipaddress.ip_address(chunks[4]))) == (
        "192.0.2.1",
        "192.0.2.2",
    )
    assert struct.unpack("!HHII", chunks[7] + chunks[8] + chunks[9] + chunks[10]) == (
        5060,
        5080,
        1_795_000_000,
        250_000,
    )
    assert chunks[11] == bytes([1])
    assert (chunks[12], chunks[14], chunks[15], chunks[17]) == (b"\0\0\0\x07", b"key", INVITE, b"x")


def test_ipv6_has_chunks_of_its_own_and_a_message_has_its_limit() -> None:
    packet = Packet(1.0, "udp", ("2001:db8::1", 1), ("2001:db8::2", 2), b"x" * 70_000)
    chunks = read(encode(packet, correlation="x", capture_id=7))
    assert chunks[1] == bytes([10])
    assert ipaddress.ip_address(chunks[5]) == ipaddress.ip_address("2001:db8::1")
    assert ipaddress.ip_address(chunks[6]) == ipaddress.ip_address("2001:db8::2")
    assert len(chunks[15]) == MAX_PAYLOAD_BYTES
    assert 14 not in chunks


class Heard(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.datagrams: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:  # asyncio's signature
        self.datagrams.put_nowait(data)


async def test_every_message_goes_to_a_collector_over_udp_with_one_correlation() -> None:
    loop = asyncio.get_running_loop()
    transport, heard = await loop.create_datagram_endpoint(Heard, local_addr=("127.0.0.1", 0))
    collector = Collector(HepSettings("127.0.0.1", transport.get_extra_info("sockname")[1]))
    collector.start()
    unreadable = SipUnreadable(at=2.0, leg="first", transport="udp", peer="192.0.2.2:5080", data=b"?", why="")
    collector.take(record(), [seen(), TimerFired(at=1.6, name="B", after_seconds=1), unreadable])
    collector.take(record(), [seen("second", "received")])
    async with asyncio.timeout(10):
        found = [read(await heard.datagrams.get()) for _ in range(3)]
    await collector.close()
    transport.close()
    assert [chunks[15] for chunks in found] == [INVITE, b"?", INVITE]
    assert {chunks[17] for chunks in found} == {b"correlation"}
    ports = [struct.unpack("!HH", chunks[7] + chunks[8]) for chunks in found]
    assert ports == [(5060, 5080), (5080, 5060), (5080, 5070)]
    assert (collector.sent, collector.dropped) == (3, 0)


async def test_a_connection_that_breaks_is_made_anew() -> None:
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.put_nowait(await reader.read(65_536))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    collector = Collector(HepSettings("127.0.0.1", port, transport="tcp"))
    collector.start()
    async with asyncio.timeout(20):
        collector.take(record(), [seen(), seen("second")])
        assert len(split(await got.get())) == 2
        await asyncio.sleep(0)
        while got.empty():
            collector.take(record(), [seen(data=b"again")])
            await asyncio.sleep(0.05)
        assert split(got.get_nowait())[0][15] == b"again"
    await collector.close()
    server.close()


async def test_a_collector_that_is_not_there_costs_a_call_nothing_but_a_count() -> None:
    collector = Collector(HepSettings("127.0.0.1", 1, transport="tcp", max_queue=5))
    collector.start()
    for _ in range(8):
        collector.take(record(), [seen()])
    await asyncio.sleep(0)
    assert (collector.sent, collector.dropped) == (0, 3)
    await collector.close()


@pytest.mark.parametrize("peer", ["sbc.example.com:5060", "no port", ""])
async def test_a_peer_that_is_no_address_is_sent_with_a_stand_in(peer: str) -> None:
    collector = Collector(HepSettings("127.0.0.1", 9))
    fact = SipSeen(at=1.0, leg="x", direction="sent", transport="udp", peer=peer, message=b"X")
    collector.take(record(), [fact])
    assert collector.dropped == 0
