"""Playing somewhat faster or slower without a click: one period of the sound is dropped or played twice.

The place is where the sound is most like itself one period on, and the seam is a fade over 20 ms (waveform
similarity overlap-add). What is nearly silent is cut or doubled anywhere.
"""

from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from onhook.media.engine.rows import FRAME
from onhook.media.parts import Samples

SHORTEST: Final = 40
"""5 ms: as far as a seam moves us at least; at most it is a frame."""
QUIET: Final = 100
"""Samples that never exceed it have no period worth looking for."""
_RISE: Final = np.linspace(0, 1, FRAME, dtype=np.float32)


def _likest(pattern: NDArray[np.float32], windows: NDArray[np.float32]) -> int:
    """Which window is most like the pattern."""
    likeness: Any = windows @ pattern
    energy = np.einsum("wk,wk->w", windows, windows)
    return int(np.argmax(likeness / np.sqrt(np.maximum(energy, 1.0))))


def shortened(sound: Samples) -> tuple[Samples, int]:
    """20 ms out of 40 ms of sound: they begin as it does, and end so many samples later than usual."""
    reals = sound.astype(np.float32)
    lag = FRAME
    if np.abs(reals).max() > QUIET:
        lag = SHORTEST + _likest(reals[:FRAME], sliding_window_view(reals, FRAME)[SHORTEST : FRAME + 1])
    faded = reals[:FRAME] + (reals[lag : lag + FRAME] - reals[:FRAME]) * _RISE
    return np.rint(faded).astype(np.int16), lag


def lengthened(past: Samples, sound: Samples) -> tuple[Samples, int]:
    """20 ms that begin as `sound` does, and end so many samples earlier; `past` are the 40 ms before it."""
    reals = np.concatenate((past, sound)).astype(np.float32)
    begin = len(past)
    now = reals[begin:]
    lag = FRAME
    if np.abs(reals).max() > QUIET:
        windows = sliding_window_view(reals, FRAME)[begin - FRAME : begin - SHORTEST + 1]
        lag = FRAME - _likest(now, windows)
    before = reals[begin - lag : begin - lag + FRAME]
    return np.rint(now + (before - now) * _RISE).astype(np.int16), lag
