"""From one rate to another: a polyphase filter that carries its past, so that pieces fit without a seam.

Windowed sinc, 16 zero crossings a side of the lower rate (Kaiser, 60 dB): flat to 3.3 kHz at 8 kHz, and 2 ms
of delay there.
"""

import math
from collections import OrderedDict
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from onhook.media.engine.g711 import FULL_SCALE
from onhook.media.parts import Clip, Samples

Reals = NDArray[np.float32]
CROSSINGS: Final = 16
_BETA: Final = 7.0
_CUTOFF: Final = 0.94
"""Of half the lower rate: the middle of the filter's slope."""
_SMALL: Final = 1000
"""Outputs that are quicker as one product with a copy of every window."""
MAX_CACHED_SAMPLES: Final = 16_000_000
"""32 MB of clips that were resampled, kept for whoever plays them next."""
PIECE: Final = 2400
"""Samples made at a time."""
_NOTHING: Final = np.zeros(0, np.int16)


@cache
def _taps(up: int, down: int) -> Reals:
    """(phases, taps): row p makes the outputs that lie p / up behind an input sample."""
    lower = max(up, down)
    half = CROSSINGS * lower
    places = np.arange(-half, half + 1)
    sinc = np.sinc(places * _CUTOFF / lower) * _CUTOFF / lower * np.kaiser(2 * half + 1, _BETA)
    count = -(-(2 * half + 1) // up)
    padded = np.zeros(count * up)
    padded[: len(sinc)] = sinc * up
    return padded.reshape(count, up).T.astype(np.float32)


class Resampler:
    """For samples along the last axis. `rows` are streams beside each other, each with a past of its own."""

    def __init__(self, rate: int, wanted: int, rows: int | None = None) -> None:
        divisor = math.gcd(rate, wanted)
        self._up, self._down = wanted // divisor, rate // divisor
        self._filter = _taps(self._up, self._down)
        self.reach = self._filter.shape[1] - 1
        """Input samples that the next output still depends on."""
        self.past: Reals = np.zeros((self.reach,) if rows is None else (rows, self.reach), np.float32)
        self._phase = 0
        """Of the next output, in 1 / up of an input sample from the next input on."""

    def push(self, samples: Samples | Reals) -> Reals:
        """All output that these samples allow."""
        joined = np.concatenate((self.past, samples), axis=-1, dtype=np.float32)
        length = joined.shape[-1] - self.reach
        self.past = joined[..., joined.shape[-1] - self.reach :].copy()
        count = max(0, -(-(length * self._up - self._phase) // self._down))
        out = np.zeros((*joined.shape[:-1], count), np.float32)
        for first in range(min(self._up, count)):
            self._fill(joined, out, first)
        self._phase += count * self._down - length * self._up
        return out

    def follow(self, samples: Samples) -> None:
        """As if these had been pushed, and their output taken."""
        self.past = samples[-self.reach :].astype(np.float32)
        self._phase = 0

    def tail(self) -> Reals:
        """What is still inside the filter: the end of the sound."""
        return self.push(np.zeros((*self.past.shape[:-1], self.reach // 2), np.float32))

    def _fill(self, joined: Reals, out: Reals, first: int) -> None:
        """Outputs `first`, `first + up` …: all of one phase."""
        place = self._phase + first * self._down
        start, phase = place // self._up, place % self._up
        target = out[..., first :: self._up]
        count = target.shape[-1]
        stop = (count - 1) * self._down + 1
        if target.size <= _SMALL:
            weights = self._filter[phase][::-1]
            windows = sliding_window_view(joined, len(weights), axis=-1)
            target[...] = np.ascontiguousarray(windows[..., start : start + stop : self._down, :]) @ weights
            return
        product: Any = np.empty_like(target)
        for number, weight in enumerate(self._filter[phase].tolist()):
            if weight:
                begin = self.reach + start - number
                np.multiply(joined[..., begin : begin + stop : self._down], np.float32(weight), out=product)
                target += product


def to_samples(values: Reals) -> Samples:
    return np.clip(np.rint(values), -FULL_SCALE, FULL_SCALE).astype(np.int16)


class Piecewise:
    """A long clip at another rate, made piece by piece as far as it is asked for."""

    def __init__(self, clip: Clip, wanted: int) -> None:
        self.samples = clip.samples
        self._resampler = Resampler(clip.rate, wanted)
        self._made: list[Samples] = []
        self._used = 0
        self.length = len(clip.samples) * wanted // clip.rate

    def piece(self, number: int) -> Samples:
        """Piece `number`, of which each is made of `PIECE` samples; empty behind the last."""
        while len(self._made) <= number and self._used < len(self.samples):
            part = self.samples[self._used : self._used + PIECE]
            self._used += len(part)
            self._made.append(to_samples(self._resampler.push(part)))
        return self._made[number] if number < len(self._made) else _NOTHING


class Cache:
    """Long clips at another rate, by the identity of their samples: one prompt may play to many at once."""

    def __init__(self, most: int = MAX_CACHED_SAMPLES) -> None:
        self._most, self._held = most, 0
        self._entries: OrderedDict[tuple[int, int, int], Piecewise] = OrderedDict()

    def get(self, clip: Clip, wanted: int) -> Piecewise:
        key = (id(clip.samples), clip.rate, wanted)  # good as long as the entry holds these samples
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Piecewise(clip, wanted)
            self._held += entry.length
            while self._held > self._most and len(self._entries) > 1:
                _, old = self._entries.popitem(last=False)
                self._held -= old.length
        self._entries.move_to_end(key)
        return entry
