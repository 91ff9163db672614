"""A pcap file of a call's SIP, for Wireshark and its like, written from its facts.

The packets are made anew around what was sent and received: IP and UDP, or TCP with sequence numbers that fit
(without handshake). What was encrypted by TLS is in clear here; in Wireshark, decode its port as SIP. The
format is the classic one (magic a1b2c3d4, microseconds), link type 101: raw IP.
"""

import ipaddress
import struct
from collections.abc import Iterable

from onhook.endings.packets import Packet, Place

MAGIC, LINK_RAW_IP = 0xA1B2C3D4, 101
MAX_PACKET_BYTES = 65_535
UDP, TCP = 17, 6
TCP_FLAGS = 0x18  # PSH and ACK
WINDOW = 65_535
TTL = 64
MAX_SEGMENT_BYTES = 32_000
"""Of a TCP segment; a larger message takes several."""
MAX_DATAGRAM_BYTES = MAX_PACKET_BYTES - 48


def write_pcap(packets: Iterable[Packet]) -> bytes:
    """The whole file. A datagram beyond what IP can carry is cut, as a capture would cut it."""
    parts = [struct.pack("<IHHiIII", MAGIC, 2, 4, 0, 0, MAX_PACKET_BYTES, LINK_RAW_IP)]
    streams: dict[tuple[Place, Place], int] = {}
    for packet in packets:
        for frame in _frames(packet, streams):
            seconds = int(packet.at)
            micros = int((packet.at - seconds) * 1_000_000)
            parts.append(struct.pack("<IIII", seconds, micros, len(frame), len(frame)) + frame)
    return b"".join(parts)


def _frames(packet: Packet, streams: dict[tuple[Place, Place], int]) -> list[bytes]:
    if packet.transport == "udp":
        return [_ip(packet, UDP, _udp(packet, packet.data[:MAX_DATAGRAM_BYTES]))]
    way = packet.source, packet.destination
    frames: list[bytes] = []
    for start in range(0, len(packet.data), MAX_SEGMENT_BYTES):
        data = packet.data[start : start + MAX_SEGMENT_BYTES]
        sequence = streams.get(way, 1)
        acknowledged = streams.get((way[1], way[0]), 1)
        streams[way] = (sequence + len(data)) & 0xFFFFFFFF
        frames.append(_ip(packet, TCP, _tcp(packet, sequence, acknowledged, data)))
    return frames


def _udp(packet: Packet, data: bytes) -> bytes:
    length = 8 + len(data)
    header = struct.pack("!HHHH", packet.source[1], packet.destination[1], length, 0)
    check = _checksum(_pseudo(packet, UDP, length) + header + data) or 0xFFFF
    return header[:6] + struct.pack("!H", check) + data


def _tcp(packet: Packet, sequence: int, acknowledged: int, data: bytes) -> bytes:
    ports = packet.source[1], packet.destination[1]
    header = struct.pack("!HHIIBBHHH", *ports, sequence, acknowledged, 5 << 4, TCP_FLAGS, WINDOW, 0, 0)
    check = _checksum(_pseudo(packet, TCP, len(header) + len(data)) + header + data)
    return header[:16] + struct.pack("!H", check) + header[18:] + data


def _ip(packet: Packet, protocol: int, body: bytes) -> bytes:
    source, destination = _packed(packet)
    if packet.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, TTL) + source + destination + body
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, TTL, protocol, 0)
    check = _checksum(header + source + destination)
    return header[:10] + struct.pack("!H", check) + source + destination + body


def _packed(packet: Packet) -> tuple[bytes, bytes]:
    places = packet.source[0], packet.destination[0]
    source, destination = (ipaddress.ip_address(each).packed for each in places)
    return source, destination


def _pseudo(packet: Packet, protocol: int, length: int) -> bytes:
    """What the checksums of UDP and TCP count beside their own bytes (RFC 768, RFC 8200 section 8.1)."""
    source, destination = _packed(packet)
    if packet.version == 6:
        return source + destination + struct.pack("!II", length, protocol)
    return source + destination + struct.pack("!BBH", 0, protocol, length)


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
