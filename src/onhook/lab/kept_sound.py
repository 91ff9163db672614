"""Sound of calls, kept to be looked at: what a leg was heard to say, and tones to compare it with."""

from typing import Final

import numpy as np

from onhook.media.parts import Clip, Frame, Samples

TONE_DBOV: Final = -10.0
"""Of a sine's root mean square, below full scale."""
FULL_SCALE: Final = 32_767.0
FRAME_SECONDS: Final = 0.02
GAP_SECONDS: Final = 0.1
"""Frames that come so much too late are missing ones: their time is kept, as silence."""


class KeptSound:
    """A tap: keeps what `leg` says, silence where it is not heard, for the first `seconds`.

    Called on the media thread; it only appends.
    """

    def __init__(self, leg: str, seconds: float) -> None:
        self._leg = leg
        self._frames: list[Samples] = []
        self._most = round(seconds * 50)
        self._rate = 8_000
        self.began_at: float | None = None
        """Unix time of the first frame."""
        self._until = 0.0

    def __call__(self, frame: Frame) -> None:
        if len(self._frames) >= self._most:
            return
        if self.began_at is None:
            self.began_at, self._rate, self._until = frame.at, frame.rate, frame.at
        size = frame.rate // 50
        while frame.at - self._until > GAP_SECONDS and len(self._frames) < self._most - 1:
            self._frames.append(np.zeros(size, np.int16))
            self._until += FRAME_SECONDS
        self._until += FRAME_SECONDS
        voice = frame.voices.get(self._leg)
        self._frames.append(np.zeros(size, np.int16) if voice is None else voice.copy())

    def clip(self) -> Clip:
        """All that is kept so far, at the rate of the frames."""
        frames = list(self._frames)
        return Clip(np.concatenate(frames) if frames else np.zeros(0, np.int16), self._rate)


def sine(hertz: int, seconds: float, rate: int, dbov: float = TONE_DBOV) -> Clip:
    """A tone with 5 ms of rise and fall, so that it begins and ends without a click."""
    count = round(seconds * rate)
    amplitude = FULL_SCALE * 10 ** (dbov / 20) * np.sqrt(2)
    tone = amplitude * np.sin(2 * np.pi * hertz * np.arange(count) / rate)
    ramp = min(rate // 200, count // 2)
    if ramp:
        slope = np.arange(ramp) / ramp
        tone[:ramp] *= slope
        tone[-ramp:] *= slope[::-1]
    return Clip(np.clip(tone, -FULL_SCALE, FULL_SCALE).astype(np.int16), rate)


def level_dbov(samples: Samples) -> float:
    """The root mean square below full scale; -inf for nothing but zeros."""
    if not len(samples):
        return -np.inf
    power = float(np.mean(np.square(samples.astype(np.float64))))
    return 10 * float(np.log10(power / FULL_SCALE**2)) if power else -np.inf
