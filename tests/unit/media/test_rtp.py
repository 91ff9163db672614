import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.rtp import HEADER_BYTES, SAMPLES_A_PACKET, SILENCE, is_rtp, silent_packet, write_header


def packet(first: int = 0x80, second: int = 0, rest: bytes = b"") -> bytes:
    return bytes((first, second)) + bytes(10) + rest


def read(data: bytes) -> bool:
    return is_rtp(data, len(data))


@pytest.mark.parametrize(("codec", "level"), [("PCMU", 0xFF), ("PCMA", 0xD5)])
def test_silence_is_amplitude_zero(codec: str, level: int) -> None:
    assert SILENCE[codec] == bytes([level]) * 160
    made = silent_packet(codec)
    assert len(made) == HEADER_BYTES + SAMPLES_A_PACKET == 172
    assert made[HEADER_BYTES:] == SILENCE[codec]


def test_a_codec_without_silence() -> None:
    with pytest.raises(KeyError):
        silent_packet("opus")


@given(st.integers(0, 255), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_the_header_holds_what_was_written(second: int, sequence: int, timestamp: int, ssrc: int) -> None:
    made = silent_packet("PCMU")
    write_header(made, second, sequence, timestamp, ssrc)
    assert struct.unpack_from("!BBHII", made) == (0x80, second, sequence, timestamp, ssrc)
    assert made[HEADER_BYTES:] == SILENCE["PCMU"]
    assert is_rtp(made, len(made)) == (not 192 <= second <= 223)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (packet(), True),
        (packet(second=0x80 | 101, rest=b"\x01\x0a\x03\x20"), True),  # telephone-event, marked
        (packet()[:11], False),  # shorter than a header
        (b"", False),
        (packet(first=0x00), False),  # version 0: STUN among others
        (packet(first=0x40), False),
        (packet(first=0xC0), False),
        (packet(second=200), False),  # RTCP sender report
        (packet(second=204), False),
        (packet(second=191), True),
        (packet(second=224), True),
        (packet(first=0x83, rest=bytes(12)), True),  # three contributing sources
        (packet(first=0x83, rest=bytes(11)), False),
        (packet(first=0x90, rest=b"\xbe\xde\x00\x01" + bytes(4)), True),  # a header extension of one word
        (packet(first=0x90, rest=b"\xbe\xde\x00\x02" + bytes(4)), False),
        (packet(first=0x90, rest=b"\xbe\xde\x00"), False),
        (packet(first=0xA0, rest=bytes(3) + b"\x04"), True),  # four bytes of padding
        (packet(first=0xA0, rest=bytes(3) + b"\x05"), False),
        (packet(first=0xA0, rest=bytes(4)), False),  # padding of no length
        (b"INVITE sip:x SIP/2.0\r\n\r\n", False),
    ],
)
def test_what_is_rtp(data: bytes, expected: bool) -> None:  # noqa: FBT001  # a table
    assert read(data) is expected


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    assert read(data) in {True, False}


@given(st.binary(max_size=60), st.integers(0, 60))
def test_what_lies_behind_the_length_is_not_looked_at(data: bytes, length: int) -> None:
    length = min(length, len(data))
    buffer = bytearray(100)
    buffer[: len(data)] = data
    assert is_rtp(buffer, length) == read(data[:length])
