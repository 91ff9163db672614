"""What is played where a packet is missing: the last period of the voice again, fading out within 60 ms.

As G.711 Appendix I does it, without its delay: the period is found by correlation of what was played last.
Frames are 20 ms at 8 or 16 kHz; `history` is two of them.
"""

from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from onhook.media.engine.rows import EMPTY, FRAME
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
_RAMPS: Final = [
    np.array([np.linspace(begin, end, FRAME * scale) for begin, end in _FADES], np.float32)
    for scale in (1, 2)
]
FADE: Final = 40
"""5 ms, back from concealment."""
_RISE: Final = np.linspace(0, 1, FADE, dtype=np.float32)
_FALL: Final = np.linspace(1, 0, _SEAM, endpoint=False, dtype=np.float32)


def lags(history: NDArray[np.float32]) -> NDArray[np.intp]:
    """The period of each row of `history`: how far back it looks most like its end."""
    scale = int(history.shape[1]) // (2 * FRAME)
    shortest, longest, size = SHORTEST_LAG * scale, LONGEST_LAG * scale, _TEMPLATE * scale
    found = np.full(len(history), longest)
    part = history[: MATCHED // scale]
    stop = part.shape[1] - size
    windows = sliding_window_view(part, size, axis=1)[:, stop - longest : stop - shortest + 1]
    template = part[:, stop:]
    likeness: Any = np.einsum("rlk,rk->rl", windows, template)
    squares = np.cumsum(np.pad(part * part, ((0, 0), (1, 0))), axis=1)
    energy = (squares[:, size:] - squares[:, :-size])[:, stop - longest : stop - shortest + 1]
    score = likeness / np.sqrt(np.maximum(energy, 1.0))
    found[: len(part)] = longest - np.argmax(score, axis=1)
    return found


def continued(history: Samples, run: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
    """The next 20 ms after `history`. `run` counts the frames concealed before, by row."""
    size = int(history.shape[1]) // 2
    frames = np.zeros((len(history), size), np.float32)
    alive = np.flatnonzero(run < MOST_FRAMES)
    if not len(alive):
        return frames
    past = history[alive].astype(np.float32)
    lag = lags(past)
    length = past.shape[1]
    made = np.take_along_axis(past, length - lag[:, None] + np.arange(size) % lag[:, None], axis=1)
    # the step from the last sample to the repeated ones is spread over 2 ms
    step = past[:, -1] - past[np.arange(len(past)), length - 1 - lag]
    made[:, :_SEAM] += step[:, None] * _FALL
    frames[alive] = made * _RAMPS[size // FRAME - 1][run[alive]]
    return frames


def filled(
    history: Samples, frames: Samples, run: NDArray[np.integer[Any]]
) -> tuple[Samples, NDArray[np.bool_]]:
    """`frames` with their first hole filled, and faded into what follows it; whether it reaches the end."""
    holes = frames == EMPTY
    size = int(frames.shape[1])
    begin = np.argmax(holes, axis=1)
    joined = np.concatenate((history, np.where(holes, 0, frames)), axis=1)
    window: NDArray[np.intp] = begin[:, None] + np.arange(2 * size)
    before = np.take_along_axis(joined, window, axis=1)
    made = continued(before, run)
    offsets = np.arange(size)
    places: NDArray[np.intp] = offsets - begin[:, None]
    made = np.take_along_axis(made, np.maximum(places, 0), axis=1)
    solid = ~holes & (places > 0)
    after = np.where(solid.any(axis=1), np.argmax(solid, axis=1), size)
    rise = np.clip((offsets - after[:, None] + 1) / FADE, 0, 1)
    real = np.where(holes, 0, frames)
    mended = np.where(places < 0, frames, made + (real - made) * np.where(holes, 0, rise))
    return np.rint(mended).astype(np.int16), after == size


def faded(history: Samples, frames: Samples, run: NDArray[np.integer[Any]]) -> Samples:
    """`frames`, which came, entered smoothly from what would have been concealed."""
    made = continued(history, run)[:, :FADE]
    mended = frames.copy()
    mended[:, :FADE] = np.rint(made + (frames[:, :FADE] - made) * _RISE)
    return mended
