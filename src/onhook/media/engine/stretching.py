"""Playing somewhat faster or slower without a click: one period of the sound is dropped or played twice.

The place is where the sound is most like itself one period on, and the seam is a fade over 20 ms (waveform
similarity overlap-add). What is nearly silent is cut or doubled anywhere. Sound is at 8 or 16 kHz; moves are
told in ticks of 8 kHz.
"""

from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from onhook.media.engine.rows import FRAME
from onhook.media.parts import Samples

SHORTEST: Final = 40
"""5 ms, in ticks: as far as a seam moves us at least; at most it is a frame."""
QUIET: Final = 100
"""Samples that never exceed it have no period worth looking for."""


def _likest(pattern: NDArray[np.float32], windows: NDArray[np.float32]) -> int:
    """Which window is most like the pattern."""
    likeness: Any = windows @ pattern
    energy = np.einsum("wk,wk->w", windows, windows)
    return int(np.argmax(likeness / np.sqrt(np.maximum(energy, 1.0))))


def _seam(before: NDArray[np.float32], after: NDArray[np.float32]) -> Samples:
    rise = np.linspace(0, 1, len(before), dtype=np.float32)
    return np.rint(before + (after - before) * rise).astype(np.int16)


def shortened(sound: Samples) -> tuple[Samples, int]:
    """20 ms out of 40 ms of sound: they begin as it does, and end so many ticks later than usual."""
    reals = sound.astype(np.float32)
    size = len(reals) // 2
    scale = size // FRAME
    moved = FRAME
    if np.abs(reals).max() > QUIET:
        windows = sliding_window_view(reals, size)[SHORTEST * scale :: scale]
        moved = SHORTEST + _likest(reals[:size], windows)
    return _seam(reals[:size], reals[moved * scale :][:size]), moved


def lengthened(past: Samples, sound: Samples) -> tuple[Samples, int]:
    """20 ms that begin as `sound` does, and end so many ticks earlier; `past` are the 40 ms before it."""
    reals = np.concatenate((past, sound)).astype(np.float32)
    size = len(sound)
    scale, begin = size // FRAME, len(past)
    moved = FRAME
    if np.abs(reals).max() > QUIET:
        windows = sliding_window_view(reals, size)[begin - size : begin - SHORTEST * scale + 1 : scale]
        moved = FRAME - _likest(reals[begin:], windows)
    return _seam(reals[begin:], reals[begin - moved * scale :][:size]), moved
