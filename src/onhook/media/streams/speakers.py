"""Whose sound goes into an unmixed stream, frame by frame.

documented: each participant by itself, up to four dominant speakers. assumed: a participant is sent from the
first time it is heard on, silence included, so that an application can tell a pause from a gap; with more
than four, the loudest of late are sent.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np

from onhook.media.parts import Frame, Samples

MOST_SPEAKERS: Final = 4
QUIET_PEAK: Final = 100
"""Sound without a louder sample is marked silent (-50 dBov)."""
MEMORY: Final = 0.97
"""Of loudness, a frame: 20 frames later half of it is left."""
LEAD: Final = 1.5
"""Who is among the four stays there until another one is so much louder: no flapping."""


class Said(NamedTuple):
    participant: str
    samples: Samples | None
    """None: nothing came from it."""


class Speakers:
    """`name` is called whenever somebody comes or goes."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._names: Mapping[str, str] = dict(names)
        self._loudness: dict[str, float] = {}
        """By leg, of those who were heard."""
        self._chosen: set[str] = set()

    def name(self, names: Iterable[tuple[str, str]]) -> None:
        self._names = dict(names)
        self._loudness = {leg: level for leg, level in self._loudness.items() if leg in self._names}
        self._chosen &= self._loudness.keys()

    def of(self, frame: Frame) -> list[Said]:
        """What is to be sent of this frame."""
        for leg in frame.voices:
            if leg in self._names:
                self._loudness.setdefault(leg, 0.0)
        if len(self._loudness) <= MOST_SPEAKERS:
            chosen: Iterable[str] = self._loudness
        else:
            self._listen(frame)
            self._chosen = self._dominant()
            chosen = [leg for leg in self._loudness if leg in self._chosen]
        return [Said(self._names[leg], frame.voices.get(leg)) for leg in chosen]

    def _listen(self, frame: Frame) -> None:
        for leg, level in self._loudness.items():
            samples = frame.voices.get(leg)
            now = 0.0 if samples is None else float(np.mean(np.abs(samples.astype(np.int32))))
            self._loudness[leg] = level * MEMORY + now * (1 - MEMORY)

    def _dominant(self) -> set[str]:
        def rank(leg: str) -> float:
            return self._loudness[leg] * (LEAD if leg in self._chosen else 1.0)

        return set(sorted(self._loudness, key=rank, reverse=True)[:MOST_SPEAKERS])
