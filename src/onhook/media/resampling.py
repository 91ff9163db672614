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

    __slots__ = ("_kept", "source", "step", "target")

    def __init__(self, source: int, target: int) -> None:
        self.source, self.target = source, target
        self.step = step_of(source, target)
        self._kept = np.zeros(reach_of(source, target), np.float32)

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
        return resampled(known[None], self.source, self.target).reshape(-1)


def step_of(source: int, target: int) -> int:
    """Blocks are a multiple of so many samples."""
    return source // gcd(source, target)


def reach_of(source: int, target: int) -> int:
    """Samples before a block that its output depends on."""
    if source == target:
        return 0
    step = step_of(source, target)
    return len(_matrix(target // gcd(source, target), step)) - step


def resampled(known: NDArray[np.float32], source: int, target: int) -> Samples:
    """Blocks of many voices at once. Each row: the `reach_of` samples before its block, and the block."""
    if source == target:
        return to_int16(known)
    step = step_of(source, target)
    matrix = _matrix(target // gcd(source, target), step)
    voices, length = known.shape
    window, size = len(matrix), known.itemsize
    # numpy's own sliding_window_view takes longer than all the rest; the copy lets BLAS multiply
    windows = np.ndarray(
        (voices, (length - window) // step + 1, window),
        np.float32,
        known,
        0,
        (length * size, step * size, size),
    ).copy()
    return to_int16((windows.reshape(-1, window) @ matrix).reshape(voices, -1))


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
