"""When somebody begins to speak and when the utterance is over: 20 ms after 20 ms, without a clock.

A frame counts as speech if it is well above the quiet of its line, which is learnt all the time. A few such
frames begin an utterance (a click does not), a stretch of quiet ends it; the moment before is part of it.
"""

from collections import deque
from typing import Final, Literal, TypeAlias

import numpy as np

from onhook.media.parts import Samples

FRAME_MS: Final = 20
BEGIN_FRAMES: Final = 4
"""Speech frames among the last BEGIN_WINDOW that begin an utterance: 80 of 160 ms."""
BEGIN_WINDOW: Final = 8
BEFORE_FRAMES: Final = 15
"""300 ms before are part of an utterance: its first sound is soft."""
LONGEST_MS: Final = 30_000
"""An utterance that takes longer is cut."""
QUIETEST_DBOV: Final = -55.0
"""Below it nothing is speech, however quiet the line."""
ABOVE_QUIET_DB: Final = 10.0
LEARN_UP: Final = 0.02
"""How fast the quiet of a line is learnt: slowly up (speech is no quiet), fast down."""
LEARN_DOWN: Final = 0.2
Heard: TypeAlias = Literal["", "began", "ended"]


class Utterances:
    """`end_silence_ms` of quiet end an utterance; `taken` then holds its samples and `began_ms` its begin."""

    def __init__(self, end_silence_ms: int) -> None:
        self._end_frames = max(1, end_silence_ms // FRAME_MS)
        self._quiet_dbov = QUIETEST_DBOV
        self._recent: deque[bool] = deque(maxlen=BEGIN_WINDOW)
        self._before: deque[Samples] = deque(maxlen=BEFORE_FRAMES + BEGIN_WINDOW)
        self._frames: list[Samples] = []
        self._silent = 0
        self._count = 0
        self.speaking = False
        self.began_ms = 0
        self.taken: Samples = np.zeros(0, np.int16)

    def hear(self, samples: Samples) -> Heard:
        """The next 20 ms, at any rate."""
        self._count += 1
        loud = self._is_speech(samples)
        if self.speaking:
            return self._go_on(samples, loud=loud)
        self._before.append(samples)
        self._recent.append(loud)
        if sum(self._recent) < BEGIN_FRAMES:
            return ""
        self.speaking, self._silent = True, 0
        self._frames = list(self._before)
        self.began_ms = max(0, self._count - len(self._frames)) * FRAME_MS
        self._recent.clear()
        self._before.clear()
        return "began"

    def _go_on(self, samples: Samples, *, loud: bool) -> Heard:
        self._frames.append(samples)
        self._silent = 0 if loud else self._silent + 1
        if self._silent < self._end_frames and len(self._frames) * FRAME_MS < LONGEST_MS:
            return ""
        self.taken = np.concatenate(self._frames)
        self._frames, self.speaking = [], False
        return "ended"

    def _is_speech(self, samples: Samples) -> bool:
        power = float(np.mean(samples.astype(np.float64) ** 2)) if len(samples) else 0.0
        dbov = 10 * np.log10(power / 32_768.0**2 + 1e-12)
        loud = dbov > max(QUIETEST_DBOV, self._quiet_dbov + ABOVE_QUIET_DB)
        if dbov < self._quiet_dbov:
            self._quiet_dbov += LEARN_DOWN * (max(dbov, QUIETEST_DBOV) - self._quiet_dbov)
        elif not self.speaking:
            self._quiet_dbov += LEARN_UP * (dbov - self._quiet_dbov)
        return bool(loud)
