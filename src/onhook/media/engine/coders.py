"""Legs that have codecs of their own: what they say is decoded, what they hear is encoded, leg by leg.

Most legs need none of it: G.711 in packets of 20 ms is done for all legs at once.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onhook.media.engine.codecs import NARROW, Decoder, Encoder, make_decoder, make_encoder
from onhook.media.engine.packets import Rowed
from onhook.media.engine.resampling import Resampler, to_samples
from onhook.media.engine.rows import OPUS
from onhook.media.parts import Samples

PTIMES_MS: Final = (10, 20, 30, 40, 60)
OPUS_PTIMES_MS: Final = (10, 20, 40, 60)
_TICKS_A_MS: Final = 8
"""Of a row's clock, 8,000 Hz."""


class Ear:
    """Decodes what a leg says, whatever codec a packet has, to one rate."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._decoders: dict[int, Decoder | None] = {}
        self._resamplers: dict[int, Resampler] = {}

    def decode(self, kind: int, payload: bytes) -> Samples:
        """Empty for what cannot be decoded."""
        if kind not in self._decoders:
            self._decoders[kind] = make_decoder(kind)
        decoder = self._decoders[kind]
        if decoder is None:
            return _NOTHING
        samples = decoder.decode(payload)
        if decoder.rate != self.rate and len(samples):
            resampler = self._resamplers.get(kind)
            if resampler is None:
                resampler = self._resamplers[kind] = Resampler(decoder.rate, self.rate)
            samples = to_samples(resampler.push(samples))
        return np.maximum(samples, -32_767)


class Packet(NamedTuple):
    payload: bytes
    behind: int
    """Ticks of the row's clock from the begin of this tick's sound back to the begin of the packet's."""


class Mouth:
    """Encodes what a leg hears, in packets of its own length."""

    def __init__(self, kind: int, ptime_ms: int) -> None:
        """`ptime_ms` is rounded to one that the codec has."""
        choices = OPUS_PTIMES_MS if kind == OPUS else PTIMES_MS
        self.ptime_ms = min(choices, key=lambda each: abs(each - ptime_ms))
        self._encoder: Encoder | None = make_encoder(kind, self.ptime_ms)
        self.rate = self._encoder.rate if self._encoder else NARROW
        self.span = self.ptime_ms * _TICKS_A_MS
        """Ticks of a packet."""
        self._size = self.span * (self.rate // NARROW)
        self._waiting: Samples = _NOTHING

    @property
    def can_speak(self) -> bool:
        return self._encoder is not None

    def say(self, samples: Samples) -> list[Packet]:
        """20 ms more. The packets that are now complete."""
        if self._encoder is None:
            return []
        scale = self.rate // NARROW
        behind = len(self._waiting) // scale
        waiting = np.concatenate((self._waiting, samples)) if len(self._waiting) else samples
        packets: list[Packet] = []
        while len(waiting) >= self._size:
            packets.append(Packet(self._encoder.encode(waiting[: self._size]), behind))
            waiting = waiting[self._size :]
            behind -= self.span
        self._waiting = waiting.copy()
        return packets

    def forget(self) -> None:
        """Something else was sent meanwhile: the rest of the last sound is of no use."""
        self._waiting = _NOTHING


class RateChange:
    """From one rate to another for frames of many rows at once, each with a past of its own."""

    def __init__(self, count: int, rate: int, wanted: int) -> None:
        self._resampler = Resampler(rate, wanted)
        self._pasts = np.zeros((count, self._resampler.reach), np.float32)

    def __call__(self, which: Rowed, frames: NDArray[Any]) -> NDArray[np.float32]:
        """Whole frames of these rows."""
        self._resampler.past = self._pasts[which]
        made = self._resampler.push(frames)
        self._pasts[which] = self._resampler.past
        return made

    def forget(self, row: int) -> None:
        self._pasts[row] = 0


_NOTHING: Final = np.zeros(0, np.int16)
