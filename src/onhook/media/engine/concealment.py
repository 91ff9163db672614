"""What is played where a packet is missing: the last period of the voice again, fading out within 60 ms.

As G.711 Appendix I does it, without its delay: the period is found by correlation of what was played last.
"""

from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from onhook.media.engine.rows import FRAME
from onhook.media.parts import Samples

MOST_FRAMES: Final = 3
"""Concealed in a row; then silence."""
SHORTEST_LAG, LONGEST_LAG = 40, FRAME
"""Periods of 200 to 50 Hz; higher voices repeat two or three of theirs."""
MATCHED: Final = 64
"""Rows of one tick whose period is looked for; when more are missing at once, the rest repeat 20 ms."""
_TEMPLATE: Final = 80
_SEAM: Final = 16
_FADES: Final = ((1.0, 0.85), (1.0, 0.6), (1.0, 0.0))
"""Of each concealed frame, against what was played before it."""
_RAMPS: Final = np.array([np.linspace(begin, end, FRAME) for begin, end in _FADES], np.float32)
_OFFSETS: Final = np.arange(FRAME)


def lags(history: NDArray[np.float32]) -> NDArray[np.intp]:
    """The period of each row of `history` (rows, 320): how far back it looks most like its end."""
    found = np.full(len(history), LONGEST_LAG)
    part = history[:MATCHED]
    stop = part.shape[1] - _TEMPLATE
    windows = sliding_window_view(part, _TEMPLATE, axis=1)[:, stop - LONGEST_LAG : stop - SHORTEST_LAG + 1]
    template = part[:, stop:]
    likeness: Any = np.einsum("rlk,rk->rl", windows, template)
    squares = np.cumsum(np.pad(part * part, ((0, 0), (1, 0))), axis=1)
    energy = (squares[:, _TEMPLATE:] - squares[:, :-_TEMPLATE])[
        :, stop - LONGEST_LAG : stop - SHORTEST_LAG + 1
    ]
    score = likeness / np.sqrt(np.maximum(energy, 1.0))
    found[: len(part)] = LONGEST_LAG - np.argmax(score, axis=1)
    return found


def concealed(history: Samples, run: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """The next 20 ms after `history` (rows, 320). `run` counts the frames concealed before, by row."""
    past = history.astype(np.float32)
    lag = lags(past)
    length = past.shape[1]
    places = length - lag[:, None] + _OFFSETS % lag[:, None]
    frames: NDArray[np.float32] = np.take_along_axis(past, places, axis=1)
    # the step from the last sample to the repeated ones is spread over 2 ms
    step = past[:, -1] - past[np.arange(len(past)), length - 1 - lag]
    frames[:, :_SEAM] += step[:, None] * np.linspace(1.0, 0.0, _SEAM, endpoint=False, dtype=np.float32)
    frames *= _RAMPS[np.minimum(run, MOST_FRAMES - 1)]
    frames[run >= MOST_FRAMES] = 0
    return frames
