"""Sound at another rate, block after block, without a seam between the blocks.

A polyphase filter as one matrix product a block: between 8, 16, 24 and 48 kHz all ratios are small, so the
filter has few phases. The filter is a Kaiser-windowed sinc; what lies above the lower of the two bands is
down by 60 dB, the delay is the half of the filter (2 ms from 8 to 16 kHz).
"""

from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onhook.media.parts import Samples

LOWER_BAND_TAPS: Final = 32
"""Taps of the filter for each sample at the lower rate: the longer, the steeper."""
KAISER_BETA: Final = 6.0
LOWEST, HIGHEST = -32768, 32767


class Resampler:
    """For one voice. Blocks of whole 20 ms at 8, 16, 24 or 48 kHz; other blocks: multiples of `step`."""

    __slots__ = ("_kept", "_matrix", "_window", "source", "step", "target")

    def __init__(self, source: int, target: int) -> None:
        shared = gcd(source, target)
        self.source, self.target = source, target
        self.step = source // shared
        self._matrix = _matrix(target // shared, self.step)
        self._window = len(self._matrix)
        self._kept = np.zeros(self._window - self.step, np.float32)

    def __call__(self, samples: Samples) -> Samples:
        """As many as take the same time at the other rate."""
        if self.source == self.target:
            return samples
        if len(samples) % self.step:
            raise ValueError(f"{len(samples)} samples are no multiple of {self.step}")
        if not len(samples):
            return samples
        known = np.concatenate((self._kept, samples.astype(np.float32)))
        self._kept = known[len(samples) :]
        step, size = self.step, known.itemsize
        # numpy's own sliding_window_view takes longer than all the rest; the copy lets BLAS multiply
        windows = np.ndarray(
            (len(samples) // step, self._window), np.float32, known, 0, (step * size, size)
        ).copy()
        return to_int16((windows @ self._matrix).reshape(-1))


def to_int16(samples: NDArray[np.floating] | NDArray[np.int32]) -> Samples:
    """Rounded, and at the limits instead of beyond them. The array given is used up."""
    if samples.dtype != np.int32:
        np.rint(samples, out=samples)
    np.minimum(samples, HIGHEST, out=samples)
    np.maximum(samples, LOWEST, out=samples)
    return samples.astype(np.int16)


@lru_cache(maxsize=32)
def _matrix(up: int, down: int) -> NDArray[np.float32]:
    """(window, up): column p makes output p of each `down` inputs from the newest `window` inputs.

    Output p of a step lies at time p * down / up in input samples; its tap for input k is that of the
    prototype at the distance between the two.
    """
    widest = max(up, down)
    length = LOWER_BAND_TAPS * widest + 1
    at = np.arange(length) - (length - 1) / 2
    prototype = np.sinc(at / widest) * np.kaiser(length, KAISER_BETA)
    prototype *= up / prototype.sum()
    window = -(-length // up) + down
    matrix = np.zeros((window, up))
    for phase in range(up):
        for place in range(window):
            tap = (window - down - place) * up + phase * down
            if 0 <= tap < length:
                matrix[place, phase] = prototype[tap]
        matrix[:, phase] /= matrix[:, phase].sum()  # steady levels stay exactly what they are
    return matrix.astype(np.float32)
