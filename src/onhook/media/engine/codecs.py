"""Codecs that need an object for each leg: G.722, Opus; and G.711 where a leg changes to it.

Sound is 16-bit, at `rate` Hz. G.722 has 16 kHz of sound under an RTP clock of 8 kHz (RFC 3551 section 4.5.2);
Opus is spoken and heard at 16 kHz, under a clock of 48 kHz (RFC 7587).
"""

from fractions import Fraction
from typing import Any, Final, Protocol

import av
import av.error
import G722 as G722_LIBRARY  # untyped
import numpy as np

from onhook.media.engine import g711
from onhook.media.engine.resampling import Resampler, to_samples
from onhook.media.engine.rows import A_LAW, G722, MU_LAW, OPUS
from onhook.media.parts import Samples

WIDE: Final = 16_000
NARROW: Final = 8_000
OPUS_CLOCK: Final = 48_000
OPUS_BITS_A_SECOND: Final = 24_000
"""Of wideband speech: transparent enough, and less than half of G.711."""
_G722_BITS_A_SECOND: Final = 64_000
_OPUS_COMPLEXITY: Final = "5"
_MOST_OPUS: Final = OPUS_CLOCK * 120 // 1000


class Decoder(Protocol):
    rate: int

    def decode(self, payload: bytes) -> Samples:
        """Empty for what cannot be decoded."""
        ...


class Encoder(Protocol):
    rate: int

    def encode(self, samples: Samples) -> bytes: ...


class Law:
    """G.711, as an object."""

    rate = NARROW

    def __init__(self, law: int) -> None:
        self._law = np.array([law])

    def decode(self, payload: bytes) -> Samples:
        return g711.decode(np.frombuffer(payload, np.uint8)[None], self._law).reshape(-1)

    def encode(self, samples: Samples) -> bytes:
        return g711.encode(samples.astype(np.int32)[None], self._law).tobytes()


class WideG722:
    rate = WIDE

    def __init__(self) -> None:
        library: Any = G722_LIBRARY
        self._codec: Any = library.G722(WIDE, _G722_BITS_A_SECOND)

    def decode(self, payload: bytes) -> Samples:
        return np.array(self._codec.decode(payload), np.int16) if payload else _NOTHING

    def encode(self, samples: Samples) -> bytes:
        return bytes(self._codec.encode(samples))


class OpusDecoder:
    rate = WIDE

    def __init__(self) -> None:
        self._codec: Any = av.CodecContext.create("libopus", "r")
        self._codec.sample_rate, self._codec.layout = OPUS_CLOCK, "mono"
        self._codec.open()
        self._resampler = Resampler(OPUS_CLOCK, WIDE)

    def decode(self, payload: bytes) -> Samples:
        try:
            frames: list[Any] = self._codec.decode(av.Packet(payload)) if payload else []
        except av.error.FFmpegError:
            return _NOTHING
        sound: list[Samples] = [frame.to_ndarray().reshape(-1) for frame in frames]
        if not sound:
            return _NOTHING
        return to_samples(self._resampler.push(np.concatenate(sound)[:_MOST_OPUS]))


class OpusEncoder:
    rate = WIDE

    def __init__(self, frame_ms: int) -> None:
        """`frame_ms` is 10, 20, 40 or 60: of each call of `encode`."""
        self._codec: Any = av.CodecContext.create("libopus", "w")
        self._codec.sample_rate, self._codec.layout, self._codec.format = WIDE, "mono", "s16"
        self._codec.bit_rate, self._codec.time_base = OPUS_BITS_A_SECOND, Fraction(1, WIDE)
        self._codec.options = {
            "application": "voip",
            "frame_duration": str(frame_ms),
            "compression_level": _OPUS_COMPLEXITY,
        }
        self._codec.open()
        self._place = 0

    def encode(self, samples: Samples) -> bytes:
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = WIDE, self._place
        self._place += len(samples)
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


def make_decoder(kind: int) -> Decoder | None:
    """None for a kind that cannot be decoded."""
    if kind in {MU_LAW, A_LAW}:
        return Law(kind - MU_LAW)
    if kind == OPUS:
        return OpusDecoder()
    return WideG722() if kind == G722 else None


def make_encoder(kind: int, frame_ms: int) -> Encoder | None:
    """For packets of `frame_ms`; None for a kind that cannot be encoded."""
    if kind in {MU_LAW, A_LAW}:
        return Law(kind - MU_LAW)
    if kind == OPUS:
        return OpusEncoder(frame_ms)
    return WideG722() if kind == G722 else None


_NOTHING: Final = np.zeros(0, np.int16)
