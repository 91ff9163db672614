"""Our side of a call to the built-in carrier, without a server: SIP by hand, and an engine for the sound.

Both engines are ticked by the test: a second of sound needs no second, and a busy machine no patience.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from far_end_caller import Caller
from onhook.calls.negotiation import start_of
from onhook.effects import Destination, Mix, Voice
from onhook.facts import DigitHeard, DigitsSent, Fact, MediaMeasured
from onhook.lab.carrier import Carrier
from onhook.lab.far_end_call import FarCall
from onhook.lab.kept_sound import KeptSound, level_dbov
from onhook.media.engine.embedded import EmbeddedEngine
from onhook.media.parts import Clip, Samples
from onhook.media.settings import MediaSettings
from onhook.sip.messages import Response, parse
from onhook.sip.offer import Negotiated, make_offer, read_answer
from onhook.sip.sdp import SessionDescription, parse_sdp
from onhook.sip.terms import Terms

NUMBER = "+14255550200"
LEG = ROOM = "near"
PATIENCE_SECONDS = 20.0
ROUNDS_A_SECOND = 50
GROUPS = 4


class _Phone(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:  # asyncio's
        self.received.put_nowait(data)


@dataclass
class NearEnd:
    carrier: Carrier
    engine: EmbeddedEngine
    kept: KeptSound
    facts: list[Fact] = field(default_factory=list[Fact])
    agreed: Negotiated | None = None
    rounds: int = 0
    began_at: float = field(default_factory=time.time)

    def take(self, _owner: str, fact: Fact) -> None:
        self.facts.append(fact)

    async def run(self, seconds: float) -> None:
        """Let so much sound go by on both sides."""
        far = self.carrier.audio.engine
        assert isinstance(far, EmbeddedEngine)
        for _ in range(round(seconds * ROUNDS_A_SECOND)):
            now = self.began_at + self.rounds / ROUNDS_A_SECOND
            for engine in (far, self.engine):
                for group in range(GROUPS):
                    engine.tick(group, self.rounds, now)
            self.rounds += 1
            await asyncio.sleep(0)  # what a tick hands to the loop is done before the next

    async def until(self, true: Callable[[], object]) -> None:
        """Let sound go by until it is so."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():
                await self.run(0.1)
                await asyncio.sleep(0.001)

    @property
    def call(self) -> FarCall:
        return self.carrier.calls[0]

    @property
    def digits(self) -> str:
        return "".join(fact.digit for fact in self.facts if isinstance(fact, DigitHeard))

    @property
    def digits_sent(self) -> list[DigitsSent]:
        return [fact for fact in self.facts if isinstance(fact, DigitsSent)]

    def measured(self) -> MediaMeasured:
        return self.engine.close(LEG)


@asynccontextmanager
async def in_call(scenario: str, *, terms: Terms | None = None) -> AsyncIterator[NearEnd]:
    """A call that the carrier answers as `scenario` says, with what is heard on both sides kept."""
    carrier = Carrier("127.0.0.1", 0, keep_heard_seconds=60.0)
    carrier.audio.make_engine = by_hand
    await carrier.start()
    carrier.will(NUMBER, scenario)
    engine = by_hand(MediaSettings(first_port=30_000, last_port=32_766))
    near = NearEnd(carrier, engine, KeptSound(LEG, 60.0))
    transport, phone = await asyncio.get_running_loop().create_datagram_endpoint(
        _Phone, local_addr=("127.0.0.1", 0)
    )
    engine.on_fact(near.take)
    try:
        offer = make_offer(*engine.open(LEG), 1, 1, terms=terms or Terms())
        port = transport.get_extra_info("sockname")[1]
        caller = Caller(source=Destination("udp", "127.0.0.1", port))
        invite = caller.invite(number=NUMBER, body=offer.to_bytes())
        invite.headers.set("via", invite.headers.get("via").replace("192.0.2.1", "127.0.0.1"))
        transport.sendto(invite.to_bytes(), carrier.address)
        answer = await _final(phone)
        transport.sendto(Caller().ack(answer, branch="z9hG4bK-own-ack").to_bytes(), carrier.address)
        described = parse_sdp(answer.body)
        assert isinstance(described, SessionDescription)
        agreed = read_answer(offer, described)
        assert isinstance(agreed, Negotiated), agreed
        near.agreed = agreed
        engine.tap(ROOM, near.kept)
        engine.mix(Mix(ROOM, (Voice(LEG),)))
        engine.start(start_of(LEG, agreed))
        yield near
    finally:
        transport.close()
        await carrier.stop()
        engine.stop()


def by_hand(settings: MediaSettings) -> EmbeddedEngine:
    return EmbeddedEngine(settings, by_hand=True)


async def _final(phone: _Phone) -> Response:
    while True:
        message = parse(await asyncio.wait_for(phone.received.get(), PATIENCE_SECONDS))
        assert isinstance(message, Response)
        if message.status >= 200:
            return message


# What sound is like


def loud(clip: Clip, above_dbov: float = -40.0) -> Samples:
    """From the first 20 ms that are louder to the last ones."""
    frames = framed(clip)
    at = [number for number, frame in enumerate(frames) if level_dbov(frame) > above_dbov]
    return np.concatenate(frames[at[0] : at[-1] + 1]) if at else np.zeros(0, np.int16)


def framed(clip: Clip) -> list[Samples]:
    size = clip.rate // 50
    return [clip.samples[at : at + size] for at in range(0, len(clip.samples) - size + 1, size)]


def pitch(samples: Samples, rate: int) -> float:
    """The loudest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


def delay_ms(sent: Clip, heard: Clip, most_ms: int = 2_000) -> float:
    """Where in `heard` the sound of `sent` begins (both at one rate), by correlation."""
    assert sent.rate == heard.rate
    size = len(heard.samples) + len(sent.samples)
    spectrum = np.fft.rfft(heard.samples, size) * np.conj(np.fft.rfft(sent.samples, size))
    likeness = np.fft.irfft(spectrum, size)[: most_ms * sent.rate // 1000]
    return float(np.argmax(likeness)) / sent.rate * 1000
