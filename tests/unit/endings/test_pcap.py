"""A capture of a call, read back packet by packet by a reader of the test's own."""

import ipaddress
import struct
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from onhook.endings.packets import Addresses, Packet, packet_of, packets_of
from onhook.endings.pcap import MAX_DATAGRAM_BYTES, MAX_SEGMENT_BYTES, write_pcap
from onhook.facts import SipSeen, SipUnreadable
from timelines import SAMPLES

LOCAL = ("192.0.2.1", 5060)


class Read(NamedTuple):
    at: float
    protocol: int
    source: tuple[str, int]
    destination: tuple[str, int]
    sequence: int
    data: bytes


def ones(data: bytes) -> int:
    """The sum of RFC 1071 over what holds its own checksum: all ones if it is right."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return total


def read(content: bytes) -> Iterator[Read]:
    magic, major, minor, _, _, _, link = struct.unpack_from("<IHHiIII", content)
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 101)
    at = 24
    while at < len(content):
        seconds, micros, kept, whole = struct.unpack_from("<IIII", content, at)
        assert kept == whole
        frame, at = content[at + 16 : at + 16 + kept], at + 16 + kept
        assert len(frame) == kept
        yield one(frame, seconds + micros / 1e6)


def one(frame: bytes, at: float) -> Read:
    if frame[0] >> 4 == 4:
        assert struct.unpack_from("!H", frame, 2)[0] == len(frame)
        assert ones(frame[:20]) == 0xFFFF
        protocol, addresses, body = frame[9], (frame[12:16], frame[16:20]), frame[20:]
    else:
        assert struct.unpack_from("!H", frame, 4)[0] == len(frame) - 40
        protocol, addresses, body = frame[6], (frame[8:24], frame[24:40]), frame[40:]
    pseudo = b"".join(addresses) + struct.pack("!II", len(body), protocol)
    assert ones(pseudo + body) == 0xFFFF
    source, destination = (str(ipaddress.ip_address(each)) for each in addresses)
    from_port, to_port = struct.unpack_from("!HH", body)
    if protocol == 17:
        assert struct.unpack_from("!H", body, 4)[0] == len(body)
        return Read(at, protocol, (source, from_port), (destination, to_port), 0, body[8:])
    assert protocol == 6
    return Read(
        at,
        protocol,
        (source, from_port),
        (destination, to_port),
        struct.unpack_from("!I", body, 4)[0],
        body[20:],
    )


def packet(transport: str, data: bytes, *, back: bool = False, v6: bool = False) -> Packet:
    ours = ("2001:db8::1", 5060) if v6 else LOCAL
    theirs = ("2001:db8::2", 5070) if v6 else ("192.0.2.2", 5070)
    return Packet(1_795_000_000.25, transport, *((theirs, ours) if back else (ours, theirs)), data)


@pytest.mark.parametrize("ending", ["callee-busy", "hung-up-by-app", "caller-hung-up"])
def test_every_message_of_a_call_is_there_with_its_time_and_both_ends(ending: str) -> None:
    timeline = SAMPLES[ending]
    found = list(read(write_pcap(packets_of(timeline, {"": LOCAL}, Addresses()))))
    sip = [fact for fact in timeline if isinstance(fact, SipSeen)]
    assert [each.data for each in found] == [fact.message for fact in sip]
    assert [each.at for each in found] == pytest.approx([fact.at for fact in sip], abs=1e-5)
    for each, fact in zip(found, sip, strict=True):
        ours = each.source if fact.direction == "sent" else each.destination
        assert ours == LOCAL


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("data", [b"INVITE", b"BYE x"])
def test_both_versions_of_ip_have_right_lengths_and_checksums(data: bytes, v6: bool) -> None:  # noqa: FBT001  # a parameter of the test
    (found,) = read(write_pcap([packet("udp", data, v6=v6)]))
    assert found.data == data
    assert found.destination[1] == 5070


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_connection_has_sequence_numbers_of_its_own_in_each_direction(transport: str) -> None:
    packets = [packet(transport, b"12345"), packet(transport, b"abc", back=True), packet(transport, b"67")]
    found = list(read(write_pcap(packets)))
    assert {each.protocol for each in found} == {6}
    assert [(each.sequence, each.data) for each in found] == [(1, b"12345"), (1, b"abc"), (6, b"67")]


def test_a_large_message_takes_several_segments_and_a_datagram_has_its_limit() -> None:
    large = bytes(range(256)) * 400
    found = list(read(write_pcap([packet("tcp", large)])))
    assert [len(each.data) for each in found] == [
        MAX_SEGMENT_BYTES,
        MAX_SEGMENT_BYTES,
        MAX_SEGMENT_BYTES,
        6400,
    ]
    assert b"".join(each.data for each in found) == large
    (cut,) = read(write_pcap([packet("udp", large)]))
    assert cut.data == large[:MAX_DATAGRAM_BYTES]


def test_a_name_has_the_same_stand_in_throughout() -> None:
    addresses = Addresses()
    facts = [
        SipSeen(at=1.0, leg="a", direction="sent", transport="udp", peer=f"{host}:5060", message=b"X")
        for host in ("sbc.example.com", "other.example.com", "sbc.example.com")
    ]
    places = [packet_of(fact, LOCAL, addresses).destination for fact in facts]
    assert places == [("192.0.2.1", 5060), ("192.0.2.2", 5060), ("192.0.2.1", 5060)]
    assert addresses.names == {"sbc.example.com": "192.0.2.1", "other.example.com": "192.0.2.2"}


def test_our_end_is_of_the_same_version_as_the_far_end() -> None:
    fact = SipSeen(
        at=1.0, leg="a", direction="sent", transport="udp", peer="[2001:db8::7]:5060", message=b"X"
    )
    found = packet_of(fact, LOCAL, Addresses())
    assert found.destination == ("2001:db8::7", 5060)
    assert found.version == 6
    assert ipaddress.ip_address(found.source[0]).version == 6


def test_bytes_that_are_no_sip_are_there_too_and_each_leg_has_its_own_address() -> None:
    fact = SipUnreadable(at=1.0, leg="b", transport="udp", peer="192.0.2.9:x", data=b"??", why="no")
    (found,) = packets_of([fact], {"": LOCAL, "b": ("192.0.2.50", 5080)}, Addresses())
    assert (found.data, found.source, found.destination) == (b"??", ("192.0.2.9", 0), ("192.0.2.50", 5080))


def test_a_call_without_sip_gives_an_empty_capture() -> None:
    assert list(read(write_pcap([]))) == []
