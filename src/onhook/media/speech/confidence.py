"""How sure it is that words were said: a figure that is low when something else was.

A recogniser that knows a few phrases finds one of them in everything. So the same sound is also read as free
phones, by nobody's dictionary, and the two readings are compared: how much likelier the free one is, whether
the words cover what was speech and no more, and how far their phones are from the free ones. What each of
these says was fitted (logistic regression) to 3,144 readings of words, other words, sentences and noises by
ten synthetic voices at telephone quality. bench/recognition.py measures what comes of it (see
docs/benchmarks.md).
"""

from collections.abc import Sequence
from math import exp, log
from typing import Final, NamedTuple

import numpy as np

SILENCE: Final = "SIL"
WORST: Final = -6.0
_KINDS = (
    "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW|P B T D K G|S Z SH ZH TH F V DH HH CH JH|M N NG|L R W Y"
)
KINDS: Final = tuple(frozenset(kind.split()) for kind in _KINDS.split("|"))
"""Phones of one kind are mistaken for each other sooner than those of two."""


class Segment(NamedTuple):
    """A word or phone; frames of 10 ms, the last one included."""

    name: str
    first: int
    last: int

    @property
    def is_filler(self) -> bool:
        """Silence or noise."""
        return self.name == SILENCE or self.name[:1] in {"<", "+", "["}


class Reading(NamedTuple):
    """`score` is the logarithm of its likelihood, in the recogniser's own units."""

    score: float
    segments: tuple[Segment, ...]


def confidence(words: Reading, pronounced: Sequence[str], free: Reading, frames: int) -> float:
    """0 to 1. `pronounced` are the phones of the words, as a dictionary has them."""
    said = [segment for segment in words.segments if not segment.is_filler]
    if not said or not frames:
        return 0.0
    speech = _covered([segment for segment in free.segments if segment.name != SILENCE], frames)
    covered = _covered(said, frames)
    length = max(int(speech.sum()), 1)
    likelier = max((words.score - free.score) / frames / 10, WORST)
    cover = int((covered & speech).sum()) / length
    excess = int((covered & ~speech).sum()) / max(int(covered.sum()), 1)
    heard = [segment.name for segment in free.segments if not segment.is_filler]
    distance = _distance(pronounced, heard) / max(len(pronounced), len(heard), 1)
    evidence = 10.35 + 2.80 * likelier + 5.52 * cover - 4.20 * excess - 8.68 * distance - 1.95 * log(length)
    return round(1 / (1 + exp(-evidence)), 3)


def _covered(segments: Sequence[Segment], frames: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    covered = np.zeros(frames + 1, bool)
    for segment in segments:
        covered[segment.first : segment.last + 1] = True
    return covered


def _distance(one: Sequence[str], other: Sequence[str]) -> float:
    """Edit distance; a phone for another of its kind costs half."""
    row: list[float] = list(range(len(other) + 1))
    for number, phone in enumerate(one, 1):
        above, row = row, [float(number)]
        for place, heard in enumerate(other, 1):
            row.append(min(row[-1] + 1, above[place] + 1, above[place - 1] + _unlike(phone, heard)))
    return row[-1]


def _unlike(phone: str, heard: str) -> float:
    if phone == heard:
        return 0.0
    return 0.5 if any(phone in kind and heard in kind for kind in KINDS) else 1.0
