"""RTP packets (RFC 3550 section 5.1) and the silence of telephony's two codecs (RFC 3551 section 4.5.14)."""

import struct
from typing import Final

PACKET_SECONDS: Final = 0.02
SAMPLES_A_PACKET: Final = 160
"""20 ms at 8,000 Hz; one byte a sample for both codecs."""
HEADER_BYTES: Final = 12
SILENCE: Final = {"PCMU": b"\xff" * SAMPLES_A_PACKET, "PCMA": b"\xd5" * SAMPLES_A_PACKET}
"""Amplitude zero in G.711 mu-law and A-law."""

MARKER: Final = 0x80
_HEADER: Final = struct.Struct("!BBHII")
_VERSION_2: Final = 0x80


def silent_packet(codec: str) -> bytearray:
    """A packet of silence, its header still empty. Raises KeyError for a codec that is not in SILENCE."""
    return bytearray(HEADER_BYTES) + SILENCE[codec]


def write_header(packet: bytearray, marker_and_type: int, sequence: int, timestamp: int, ssrc: int) -> None:
    """The numbers must be in range: 8, 16, 32 and 32 bits."""
    _HEADER.pack_into(packet, 0, _VERSION_2, marker_and_type, sequence, timestamp, ssrc)


def is_rtp(packet: bytes | bytearray | memoryview, length: int) -> bool:
    """Whether the first `length` bytes are an RTP packet, as far as one packet can show (RFC 3550 A.1).

    RTCP on the same port (RFC 5761 section 4: types 192 to 223) is none.
    """
    if length < HEADER_BYTES or packet[0] >> 6 != 2 or 192 <= packet[1] <= 223:
        return False
    end = HEADER_BYTES + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:  # a header extension: its length, in words, stands in its second half
        if end + 4 > length:
            return False
        end += 4 + 4 * (packet[end + 2] << 8 | packet[end + 3])
    if packet[0] & 0x20:  # padding: its length stands in the last byte, and counts itself
        padding = packet[length - 1]
        return padding > 0 and end + padding <= length
    return end <= length
