"""RTCP packets, written and read (RFC 3550 section 6): reports, the canonical name, BYE; nothing else."""

import struct
from typing import Final, NamedTuple

SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, BYE = 200, 201, 202, 203
NTP_OFFSET: Final = 2_208_988_800
"""Seconds from 1900, where NTP begins, to 1970."""
_HEADER: Final = struct.Struct("!BBH")
_BLOCK: Final = struct.Struct("!IIIIII")
_VERSION_2: Final = 0x80
_CNAME: Final = 1
_MOST_BLOCKS: Final = 31
_LOST_SIGN: Final = 0x800000


class Block(NamedTuple):
    """What a receiver says of one stream."""

    ssrc: int
    fraction_lost: int
    """Since the report before, in 1/256."""
    lost: int
    """Since the begin; below 0 if more came than were sent: doubled ones."""
    highest: int
    """Sequence number, with its rounds above 16 bits."""
    jitter: int
    """In units of the stream's clock."""
    last_report: int
    """Middle 32 bits of the NTP time of the sender report that came last, 0 for none …"""
    since_report: int
    """… and how long ago that was, in 1/65536 s."""


class Sender(NamedTuple):
    """What a sender says of its stream."""

    ntp_seconds: float
    """Since 1900."""
    timestamp: int
    packets: int
    octets: int


class Report(NamedTuple):
    """A compound packet, as far as it was understood."""

    ssrc: int
    sender: Sender | None = None
    middle: int = 0
    """Middle 32 bits of the sender's NTP time, as they stand in the packet."""
    blocks: tuple[Block, ...] = ()
    bye: bool = False


def middle_of(ntp_seconds: float) -> int:
    """The middle 32 bits of an NTP time: 16 of seconds, 16 of their fraction."""
    return int(ntp_seconds * 65_536) & 0xFFFFFFFF


def looks_like_it(data: bytes) -> bool:
    """By version and type, which SRTP leaves in clear (RFC 5761 section 4, RFC 3711 section 3.4)."""
    return len(data) >= 8 and data[0] >> 6 == 2 and 192 <= data[1] <= 223


def written(
    ssrc: int, name: str, *, sender: Sender | None = None, block: Block | None = None, bye: bool = False
) -> bytes:
    """A compound packet: a report first, then the name, then BYE if the leg is at its end."""
    body = struct.pack("!I", ssrc)
    if sender:
        whole = int(sender.ntp_seconds)
        fraction = int((sender.ntp_seconds - whole) * 2**32)
        body += struct.pack(
            "!IIIII",
            whole & 0xFFFFFFFF,
            fraction,
            sender.timestamp & 0xFFFFFFFF,
            sender.packets & 0xFFFFFFFF,
            sender.octets & 0xFFFFFFFF,
        )
    if block:
        lost = max(-_LOST_SIGN, min(_LOST_SIGN - 1, block.lost)) & 0xFFFFFF
        body += _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | lost,
            block.highest & 0xFFFFFFFF,
            block.jitter & 0xFFFFFFFF,
            block.last_report,
            block.since_report & 0xFFFFFFFF,
        )
    packet = _packet(SENDER_REPORT if sender else RECEIVER_REPORT, 1 if block else 0, body)
    text = name.encode()[:255]
    packet += _packet(DESCRIPTION, 1, struct.pack("!IBB", ssrc, _CNAME, len(text)) + text + b"\0")
    if bye:
        packet += _packet(BYE, 1, struct.pack("!I", ssrc))
    return packet


def read(data: bytes) -> Report | None:
    """None if this is no RTCP. A packet that breaks off is understood up to there."""
    found: Report | None = None
    while len(data) >= 8:
        first, kind, words = _HEADER.unpack_from(data)
        size = 4 * (words + 1)
        if first >> 6 != 2 or not SENDER_REPORT <= kind <= 223 or size > len(data):
            break
        packet, data = data[:size], data[size:]
        if found is None:
            found = Report(int.from_bytes(packet[4:8], "big"))
        if kind in {SENDER_REPORT, RECEIVER_REPORT}:
            found = _with_report(found, packet, first & _MOST_BLOCKS)
        elif kind == BYE:
            found = found._replace(bye=True)
    return found


def _with_report(found: Report, packet: bytes, count: int) -> Report:
    start = 8
    if packet[1] == SENDER_REPORT:
        if len(packet) < 28:
            return found
        whole, fraction, timestamp, packets, octets = struct.unpack_from("!IIIII", packet, 8)
        sender = Sender(whole + fraction / 2**32, timestamp, packets, octets)
        found = found._replace(sender=sender, middle=(whole << 16 | fraction >> 16) & 0xFFFFFFFF)
        start = 28
    blocks: list[Block] = []
    while count and start + _BLOCK.size <= len(packet):
        ssrc, losses, highest, jitter, last, since = _BLOCK.unpack_from(packet, start)
        lost = losses & 0xFFFFFF
        lost -= (lost & _LOST_SIGN) << 1
        blocks.append(Block(ssrc, losses >> 24, lost, highest, jitter, last, since))
        start, count = start + _BLOCK.size, count - 1
    return found._replace(blocks=(*found.blocks, *blocks))


def _packet(kind: int, count: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return _HEADER.pack(_VERSION_2 | count, kind, len(body) // 4) + body
