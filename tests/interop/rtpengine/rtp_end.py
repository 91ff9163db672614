"""An end of RTP, of this test's making: it sends packets and keeps what came, SRTP and tones included."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import cast

import av
import numpy as np
import pylibsrtp
from numpy.typing import NDArray

from onhook.effects import Srtp

WAIT_SECONDS = 5.0
PACKET_SECONDS = 0.02
PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


@dataclass(frozen=True, slots=True)
class Packet:
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    source: tuple[str, int]


@dataclass
class RtpEnd(asyncio.DatagramProtocol):
    """`srtp` is seen from the other side: its send_key opens what comes here."""

    srtp: Srtp | None = None
    packets: list[Packet] = field(default_factory=list[Packet])
    sealed: int = 0
    """Packets that the keys did not open."""
    sequence: int = 100
    timestamp: int = 1000
    ssrc: int = 0x0A0B0C0D
    host: str = ""
    port: int = 0

    def __post_init__(self) -> None:
        self._news = asyncio.Condition()
        self._transport: asyncio.DatagramTransport | None = None
        self._opening = self._sealing = None
        if self.srtp:
            profile = PROFILES[self.srtp.suite]
            any_in, any_out = pylibsrtp.Policy.SSRC_ANY_INBOUND, pylibsrtp.Policy.SSRC_ANY_OUTBOUND
            self._opening = pylibsrtp.Session(pylibsrtp.Policy(self.srtp.send_key, any_in, 0, profile))
            self._sealing = pylibsrtp.Session(pylibsrtp.Policy(self.srtp.receive_key, any_out, 0, profile))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.host, self.port = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not 192 <= data[1] < 224:  # RTCP
            try:
                plain = self._opening.unprotect(data) if self._opening else data
            except pylibsrtp.Error:
                self.sealed += 1
                return
            kind, sequence, timestamp, ssrc = struct.unpack("!xBHII", plain[:12])
            marked = bool(kind & 0x80)
            self.packets.append(Packet(kind & 0x7F, marked, sequence, timestamp, ssrc, plain[12:], addr[:2]))

    def send(
        self,
        to: tuple[str, int],
        payload_type: int,
        payload: bytes,
        *,
        clock: int = 160,
        marker: bool = False,
    ) -> None:
        """One packet; the next one's timestamp is `clock` further."""
        kind = payload_type | (0x80 if marker else 0)
        packet = struct.pack("!BBHII", 0x80, kind, self.sequence, self.timestamp, self.ssrc) + payload
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + clock) & 0xFFFFFFFF
        assert self._transport
        self._transport.sendto(self._sealing.protect(packet) if self._sealing else packet, to)

    async def talk(
        self, to: tuple[str, int], payload_type: int, payloads: list[bytes], *, clock: int = 160
    ) -> None:
        for payload in payloads:
            self.send(to, payload_type, payload, clock=clock)
            await asyncio.sleep(PACKET_SECONDS)

    async def press(self, to: tuple[str, int], payload_type: int, event: int) -> None:
        """One key for 100 ms: RFC 4733, its end said three times."""
        for number in range(1, 8):
            end = 0x80 if number > 4 else 0
            payload = struct.pack("!BBH", event, 10 | end, min(number, 5) * 160)
            self.send(to, payload_type, payload, clock=0, marker=number == 1)
            await asyncio.sleep(PACKET_SECONDS)
        self.timestamp += 7 * 160

    async def until(self, enough: Callable[[list[Packet]], bool]) -> list[Packet]:
        """Wait until what came is enough. Raises TimeoutError."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not enough(self.packets):  # noqa: ASYNC110  # packets come in great numbers: no event for each
                await asyncio.sleep(PACKET_SECONDS / 2)
        return self.packets

    async def until_packets(self, count: int) -> list[Packet]:
        return await self.until(lambda packets: len(packets) >= count)

    def voice(self, payload_type: int) -> list[bytes]:
        """Payloads of that type, in the order of their sequence numbers."""
        packets = sorted(self.packets, key=lambda packet: packet.sequence)
        return [packet.payload for packet in packets if packet.payload_type == payload_type]

    def digits(self, payload_type: int) -> list[int]:
        """Events heard, each once a timestamp."""
        seen: dict[int, int] = {}
        for payload, packet in ((packet.payload, packet) for packet in self.packets):
            if packet.payload_type == payload_type:
                seen.setdefault(packet.timestamp, payload[0])
        return list(seen.values())

    def close(self) -> None:
        assert self._transport
        self._transport.close()


@contextlib.asynccontextmanager
async def rtp_end(srtp: Srtp | None = None, host: str = "127.0.0.1") -> AsyncGenerator[RtpEnd]:
    loop = asyncio.get_running_loop()
    _, end = await loop.create_datagram_endpoint(lambda: RtpEnd(srtp), local_addr=(host, 0))
    try:
        yield end
    finally:
        end.close()


# Sound


def tone(hertz: float, seconds: float, rate: int = 8000, level: float = 0.3) -> NDArray[np.int16]:
    at = np.arange(int(seconds * rate)) / rate
    return (level * 32767 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def loudest_hertz(samples: NDArray[np.int16], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def level_db(samples: NDArray[np.int16]) -> float:
    """Of the whole, below full scale."""
    return 20 * float(np.log10(np.sqrt(np.mean((samples / 32768.0) ** 2))))


def encoded(codec: str, samples: NDArray[np.int16], rate: int) -> list[bytes]:
    """Packets of 20 ms by FFmpeg: pcm_mulaw, pcm_alaw, g722 or libopus."""
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", "s16"
    packets: list[bytes] = []
    step = rate // 50
    for begin in range(0, len(samples) - step + 1, step):
        frame = av.AudioFrame.from_ndarray(samples[begin : begin + step].reshape(1, -1), "s16", "mono")
        frame.sample_rate, frame.pts = rate, begin
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def decoded(codec: str, payloads: list[bytes], rate: int) -> NDArray[np.int16]:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = rate, "mono"
    resampler = av.AudioResampler("s16", "mono", rate)
    parts = [
        out.to_ndarray().reshape(-1)
        for payload in payloads
        for frame in decoder.decode(av.Packet(payload))
        for out in resampler.resample(frame)
    ]
    return np.concatenate(parts)
