"""aiortc's senders and receivers over plain UDP: its RTP, jitter buffers, codecs, SRTP; no ICE, no DTLS.

So the same far ends can talk to it as to the others, and what it would need to set a call up is not counted.
"""
# ruff: noqa: SLF001  # aiortc has no public way to do without ICE

import asyncio
import fractions
from typing import Any

import av
import numpy as np
from aiortc import RTCCertificate, RTCRtpReceiver, RTCRtpSender
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtcdtlstransport import RTCDtlsTransport, State
from aiortc.rtcrtpparameters import (
    RTCRtcpParameters,
    RTCRtpCodecParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
)
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from pyee.asyncio import AsyncIOEventEmitter
from pylibsrtp import Policy, Session

from media_far_end import ENGINE_HOST, FRAME, HOST
from media_plan import FIRST_PORT, PLAYING, Plan

RATE = 8_000


class Wire(AsyncIOEventEmitter, asyncio.DatagramProtocol):
    """What RTCDtlsTransport asks of an ICE transport."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.state, self.role = "completed", "controlling"
        self._port = port
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        del addr
        self._queue.put_nowait(data)

    async def _recv(self) -> bytes:
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self._transport.sendto(data, (HOST, self._port))


class Ours(AudioStreamTrack):
    """20 ms at each tick: of a sound, or what other legs said last. It waits as aiortc's own tracks do."""

    def __init__(self, sound: Any) -> None:
        super().__init__()
        self._sound, self._place = sound, 0
        self.others: list[Ours] = []
        self.last = np.zeros(FRAME, np.int16)

    async def recv(self) -> av.AudioFrame:
        frame = await super().recv()  # keeps time, and its own is silence
        if self._sound is not None:
            begin = self._place % len(self._sound)
            samples = self._sound[begin : begin + FRAME]
            self._place += FRAME
        elif len(self.others) == 1:
            samples = self.others[0].last
        else:
            total = np.sum([other.last.astype(np.int32) for other in self.others], axis=0)
            samples = np.clip(total, -32_768, 32_767).astype(np.int16)
        made = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        made.pts, made.sample_rate, made.time_base = frame.pts, RATE, fractions.Fraction(1, RATE)
        return made


class Legs:
    def __init__(self, plan: Plan, sound: Any) -> None:
        self._plan, self._sound = plan, sound if plan.shape == PLAYING else None
        self._kept: list[Any] = []

    async def open(self) -> list[int]:
        """Their ports."""
        certificate = RTCCertificate.generateCertificate()
        tracks: list[Ours] = []
        for leg, port in enumerate(self._plan.ports):
            wire = Wire(port)
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda wire=wire: wire,  # type: ignore[misc]  # asyncio's stub wants no default
                local_addr=(ENGINE_HOST, FIRST_PORT + 2 * leg),
            )
            secure: Any = RTCDtlsTransport(
                wire, [certificate]
            )  # Wire is all of an ICE transport that it asks for
            says, hears = (bytes.fromhex(key) for key in self._plan.keys[leg])
            secure._rx_srtp = Session(Policy(says, Policy.SSRC_ANY_INBOUND))
            secure._tx_srtp = Session(Policy(hears, Policy.SSRC_ANY_OUTBOUND))
            secure._state = State.CONNECTED
            secure._RTCDtlsTransport__handshake_done = True
            secure._task = asyncio.ensure_future(secure._RTCDtlsTransport__run())
            tracks.append(Ours(self._sound))
            await self._start(secure, tracks[-1])
        for room in self._plan.rooms:
            for leg in room:
                tracks[leg].others = [tracks[other] for other in room if other != leg]
        return [FIRST_PORT + 2 * leg for leg in range(len(tracks))]

    async def _start(self, secure: Any, track: Ours) -> None:
        codec = RTCRtpCodecParameters(mimeType="audio/PCMU", clockRate=RATE, channels=1, payloadType=0)
        receiver: Any = RTCRtpReceiver("audio", secure)
        receiver._track = RemoteStreamTrack(kind="audio")
        await receiver.receive(RTCRtpReceiveParameters(codecs=[codec]))
        sender = RTCRtpSender(track, secure)
        await sender.send(RTCRtpSendParameters(codecs=[codec], rtcp=RTCRtcpParameters(cname="bench")))
        self._kept += [secure, receiver, sender, asyncio.ensure_future(_listen(receiver._track, track))]


async def _listen(heard: Any, track: Ours) -> None:
    while True:
        frame = await heard.recv()
        track.last = frame.to_ndarray()[0]
