"""The carrier's RTP by itself: pace, numbers on the packets, counting, and what it survives."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from onhook.lab.carrier_audio import MAX_PACKETS_A_TICK, MAX_SOURCES, CarrierAudio
from onhook.media.rtp import is_rtp, silent_packet, write_header
from onhook.sip.offer import Negotiated


class Stage:
    """One CarrierAudio, and an ear that it can talk to."""

    def __init__(self) -> None:
        self.talking: dict[str, Negotiated] = {}
        self.busy = True
        self.audio = CarrierAudio("127.0.0.1", lambda: self.talking, lambda: self.busy)
        self.address = self.audio.open()
        self.ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.ear.bind(("127.0.0.1", 0))
        self.ear.settimeout(0)
        self.here: tuple[str, int] = self.ear.getsockname()

    def talk(self, key: str, *, codec: str = "PCMU", payload_type: int = 0) -> None:
        self.talking[key] = Negotiated(*self.here, codec, payload_type)

    async def hear(self, count: int) -> list[bytes]:
        """The next packets that come; fails after 5 s."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            return [await loop.sock_recv(self.ear, 2048) for _ in range(count)]

    def say(self, packet: bytes | bytearray) -> None:
        self.ear.sendto(packet, self.address)


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.audio.close()
    made.ear.close()


def rtp(sequence: int = 0) -> bytearray:
    packet = silent_packet("PCMU")
    write_header(packet, 0, sequence, 160 * sequence, 1)
    return packet


def ssrc(packet: bytes) -> int:
    return int.from_bytes(packet[8:12], "big")


@pytest.mark.parametrize(("codec", "payload_type", "silence"), [("PCMU", 0, 0xFF), ("PCMA", 8, 0xD5)])
async def test_silence_is_spoken_in_the_codec_agreed_on(
    stage: Stage, codec: str, payload_type: int, silence: int
) -> None:
    stage.talk("a", codec=codec, payload_type=payload_type)
    stage.audio.wake()
    first, second = await stage.hear(2)
    assert is_rtp(first, len(first))
    assert (first[1], second[1]) == (0x80 | payload_type, payload_type)
    assert first[12:] == bytes([silence]) * 160


async def test_every_call_is_a_stream_of_its_own(stage: Stage) -> None:
    stage.talk("a")
    stage.talk("b")
    stage.audio.wake()
    packets = await stage.hear(6)
    assert [ssrc(packet) for packet in packets] == [ssrc(packets[0]), ssrc(packets[1])] * 3
    assert ssrc(packets[0]) != ssrc(packets[1])


async def test_a_call_that_is_resumed_is_a_new_stream(stage: Stage) -> None:
    stage.talk("a")
    stage.audio.wake()
    (before,) = await stage.hear(1)
    stage.talk("a")  # a new agreement, as after a re-INVITE
    after = [packet for packet in await stage.hear(4) if ssrc(packet) != ssrc(before)]
    assert [packet[1] & 0x80 for packet in after[:2]] == [0x80, 0]
    assert len({ssrc(packet) for packet in after}) == 1


async def test_a_call_that_stops_is_no_longer_sent(stage: Stage) -> None:
    stage.talk("a")
    stage.talk("b")
    stage.audio.wake()
    await stage.hear(2)
    del stage.talking["a"]
    late = await stage.hear(6)
    assert len({ssrc(packet) for packet in late[2:]}) == 1


async def test_it_rests_when_no_call_is_there_and_can_be_woken_again(stage: Stage) -> None:
    stage.talk("a")
    stage.audio.wake()
    stage.audio.wake()  # a second call does not make a second timer
    await stage.hear(3)
    stage.busy = False
    stage.talking.clear()
    await stage.hear(0)
    for _ in range(100):
        if stage.audio._timer is None:
            break
        await asyncio.sleep(0.01)
    assert stage.audio._timer is None
    stage.busy = True
    stage.talk("b")
    stage.audio.wake()
    assert len(await stage.hear(2)) == 2


async def test_a_closed_port_does_not_stop_the_others(stage: Stage) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    stage.talking["gone"] = Negotiated("127.0.0.1", closed, "PCMU", 0)
    stage.talking["wrong"] = Negotiated("no address", 1, "PCMU", 0)
    stage.talk("a")
    stage.audio.wake()
    assert len(await stage.hear(5)) == 5


async def test_what_comes_is_counted_by_its_source(stage: Stage) -> None:
    for sequence in range(4):
        stage.say(rtp(sequence))
    for junk in (b"", b"x", b"\x80\xc8" + bytes(20)):  # too short twice, and RTCP
        stage.say(junk)
    stage.talk("a")
    stage.audio.wake()
    await stage.hear(2)
    assert stage.audio.heard == {stage.here: 4}
    assert stage.audio.junk == 3


async def test_only_so_many_packets_are_read_at_one_tick(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_PACKETS_A_TICK >= 1_000
    monkeypatch.setattr("onhook.lab.carrier_audio.MAX_PACKETS_A_TICK", 3)
    for sequence in range(5):
        stage.say(rtp(sequence))
    stage.talk("a")
    stage.audio.wake()
    await stage.hear(1)
    assert stage.audio.heard == {stage.here: 3}
    await stage.hear(1)
    assert stage.audio.heard == {stage.here: 5}


async def test_only_so_many_sources_are_kept(stage: Stage) -> None:
    stage.audio.heard = {("192.0.2.1", port): 1 for port in range(MAX_SOURCES)}
    stage.say(rtp())
    stage.talk("a")
    stage.audio.wake()
    await stage.hear(1)
    assert len(stage.audio.heard) == MAX_SOURCES
    assert stage.here in stage.audio.heard
    assert ("192.0.2.1", 0) not in stage.audio.heard


async def test_after_the_loop_stood_still_no_burst_makes_up_for_it(stage: Stage) -> None:
    stage.talk("a")
    stage.audio.wake()
    await stage.hear(1)
    stage.audio._due -= 10
    sent, started = stage.audio.sent, asyncio.get_running_loop().time()
    await stage.hear(10)
    assert asyncio.get_running_loop().time() - started > 0.1
    assert stage.audio.sent - sent < 30


async def test_closing_twice_and_waking_after_it_do_nothing(stage: Stage) -> None:
    stage.talk("a")
    stage.audio.wake()
    stage.audio.close()
    stage.audio.close()
    stage.audio.wake()
    assert stage.audio._timer is None


def test_a_host_that_is_not_ours_cannot_be_bound() -> None:
    with pytest.raises(OSError, match="assign"):
        CarrierAudio("192.0.2.1", dict[str, Negotiated], lambda: False).open()
