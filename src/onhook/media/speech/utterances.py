"""When somebody begins to speak and when the utterance is over: 20 ms after 20 ms, without a clock.

Two must agree that a frame is speech: WebRTC's voice activity detector, which knows how voices sound, and its
level, which has to be well above the lowest of the last second and a half, the noise of the line. A few such
frames begin an utterance (a click does not), a stretch of others ends it; the moment before is part of it.
Measured: 5 of 8 frames begin it 120 ms after its first sound, 180 ms in noise 16 dB below; ten seconds of
white or pink noise of up to -30 dBov begin none.
"""

from collections import deque
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pocketsphinx  # pyright: ignore[reportMissingTypeStubs]  # has none

from onhook.media.parts import Samples

RATE: Final = 16_000
FRAME_MS: Final = 20
BEGIN_FRAMES: Final = 5
"""Speech frames among the last BEGIN_WINDOW that begin an utterance: 100 of 160 ms."""
BEGIN_WINDOW: Final = 8
BEFORE_FRAMES: Final = 15
"""300 ms before are part of an utterance: its first sound is soft."""
AFTER_FRAMES: Final = 12
"""240 ms of the quiet that ends it are part of it too: more of it is heard as words."""
LONGEST_MS: Final = 30_000
"""An utterance that takes longer is cut."""
QUIETEST_DBOV: Final = -55.0
"""Below it nothing is speech, however quiet the line."""
ABOVE_NOISE_DB: Final = 6.0
NOISE_FRAMES: Final = 75
EVEN_FRAMES: Final = 5
"""Levels are taken over 100 ms to find the lowest."""
SILENT_DBOV: Final = -75.0
STRICTNESS: Final = 2
"""Of the detector, 0 to 3."""
Heard: TypeAlias = Literal["", "began", "ended"]


class Utterances:
    """`end_silence_ms` of quiet end an utterance; `taken` then holds its samples and `began_ms` its begin."""

    def __init__(self, end_silence_ms: int) -> None:
        library: Any = pocketsphinx
        self._detector: Any = library.Vad(STRICTNESS, RATE, FRAME_MS / 1_000)
        self._end_frames = max(1, end_silence_ms // FRAME_MS)
        self._powers: deque[float] = deque(maxlen=EVEN_FRAMES)
        self._levels: deque[float] = deque(maxlen=NOISE_FRAMES)
        self._recent: deque[bool] = deque(maxlen=BEGIN_WINDOW)
        self._before: deque[Samples] = deque(maxlen=BEFORE_FRAMES + BEGIN_WINDOW)
        self._frames: list[Samples] = []
        self._silent = 0
        self._count = 0
        self.speaking = False
        self.began_ms = 0
        self.taken: Samples = np.zeros(0, np.int16)

    def hear(self, samples: Samples) -> Heard:
        """The next 20 ms at 16 kHz."""
        self._count += 1
        speech = self._is_speech(samples)
        if self.speaking:
            return self._go_on(samples, speech=speech)
        self._before.append(samples)
        self._recent.append(speech)
        if sum(self._recent) < BEGIN_FRAMES:
            return ""
        self.speaking, self._silent = True, 0
        self._frames = list(self._before)
        self.began_ms = max(0, self._count - len(self._frames)) * FRAME_MS
        self._recent.clear()
        self._before.clear()
        return "began"

    def so_far(self) -> Samples:
        """What was said of the utterance that is not over."""
        return np.concatenate(self._frames) if self._frames else np.zeros(0, np.int16)

    def _go_on(self, samples: Samples, *, speech: bool) -> Heard:
        self._frames.append(samples)
        self._silent = 0 if speech else self._silent + 1
        if self._silent < self._end_frames and len(self._frames) * FRAME_MS < LONGEST_MS:
            return ""
        quiet = max(0, self._silent - AFTER_FRAMES)
        self.taken = np.concatenate(self._frames[: len(self._frames) - quiet])
        self._frames, self.speaking = [], False
        return "ended"

    def _is_speech(self, samples: Samples) -> bool:
        power = float(np.mean(samples.astype(np.float64) ** 2))
        self._powers.append(power)
        self._levels.append(_dbov(sum(self._powers) / len(self._powers)))
        noise = max(min(self._levels), SILENT_DBOV)
        loud = _dbov(power) > max(QUIETEST_DBOV, noise + ABOVE_NOISE_DB)
        return loud and bool(self._detector.is_speech(samples.tobytes()))


def _dbov(power: float) -> float:
    return float(10 * np.log10(power / 32_768.0**2 + 1e-12))
