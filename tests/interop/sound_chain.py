"""A sound, and what became of it further down the chain: how late, how loud, and what is missing of it."""

import wave
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from onhook.media.parts import Samples

RATE = 16_000
FRAME = RATE // 50
QUIET_DBOV = -40.0
"""Parts of the original that are softer are not compared."""
MISSING_DB = 12.0
Signal = NDArray[np.float64]


PIECE = RATE // 4
MOVES = RATE // 10
"""How far a piece may stand from where the whole fits best: a jitter buffer that grows moves what follows."""


@dataclass(frozen=True, slots=True)
class Passed:
    """How the copy differs from the original, where it fits best; by pieces of 250 ms."""

    at_seconds: float
    """Where in the copy the original begins."""
    likeness: float
    """The median of the pieces' correlation; 1 is the same."""
    level_db: float
    """The median of its 20 ms, above the original."""
    missing_ms: int
    """Of the original's 20 ms, those that are 12 dB too quiet."""
    moved_ms: float
    """From the piece that came earliest, against the rest, to the one that came latest."""


def passed(original: Samples, copy: Samples) -> Passed:
    """Both at 16 kHz. Raises ValueError if the copy is shorter than the original."""
    if len(copy) < len(original):
        raise ValueError(f"heard {len(copy) / RATE:.2f} s of {len(original) / RATE:.2f} s")
    begin = int(np.argmax(_fits(original, copy)[: len(copy) - len(original) + 1]))
    moves: list[int] = []
    likenesses: list[float] = []
    changes: list[Signal] = []
    for at in range(0, len(original) - PIECE + 1, PIECE):
        part = original[at : at + PIECE].astype(np.float64)
        loud = _levels_dbov(part) > QUIET_DBOV
        if not loud.all():
            continue  # a piece with a pause may fit anywhere
        first = max(0, begin + at - MOVES)
        around = copy[first : begin + at + PIECE + MOVES].astype(np.float64)
        move = int(np.argmax(np.correlate(around, part, "valid")))
        heard = around[move : move + PIECE]
        moves.append(first + move - begin - at)
        likenesses.append(float(heard @ part / (np.linalg.norm(heard) * np.linalg.norm(part) + 1e-9)))
        changes.append(_levels_dbov(heard) - _levels_dbov(part))
    change = np.concatenate(changes)
    return Passed(
        begin / RATE,
        float(np.median(likenesses)),
        float(np.median(change)),
        20 * int(np.sum(change < -MISSING_DB)),
        1000 * (max(moves) - min(moves)) / RATE,
    )


def places_seconds(original: Samples, copy: Samples, count: int) -> list[float]:
    """Where in the copy the original begins, that often: the best fits that do not overlap, in order."""
    fits = _fits(original, copy)[: len(copy) - len(original) + 1].copy()
    found: list[int] = []
    for _ in range(count):
        at = int(np.argmax(fits))
        found.append(at)
        fits[max(0, at - len(original) + 1) : at + len(original)] = -np.inf
    return [at / RATE for at in sorted(found)]


def later_seconds(original: Samples, one: Samples, other: Samples, count: int) -> float:
    """How much later it begins in the other copy than in the first: the median of that many times."""
    pairs = zip(places_seconds(original, one, count), places_seconds(original, other, count), strict=True)
    return float(np.median([there - here for here, there in pairs]))


def _fits(part: Samples, whole: Samples) -> Signal:
    """By how much `part` is delayed in `whole`, and how well it fits there: their circular correlation."""
    size = 2 << int(len(whole) + len(part)).bit_length()
    spectrum = np.fft.rfft(whole.astype(np.float64), size) * np.conj(
        np.fft.rfft(part.astype(np.float64), size)
    )
    return np.fft.irfft(spectrum, size)


def _levels_dbov(sound: Signal) -> Signal:
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    levels: Signal = 10 * np.log10(np.mean(frames**2, axis=1) / 32_768**2 + 1e-10)
    return levels


def doubled_rate(narrow: Samples) -> Samples:
    """8 kHz to 16 kHz, by the spectrum: exact, and slow."""
    spectrum = np.fft.rfft(narrow.astype(np.float64))
    wide = np.fft.irfft(np.concatenate((spectrum, np.zeros(len(narrow) - len(narrow) // 2))), 2 * len(narrow))
    return np.clip(np.rint(2 * wide), -32_768, 32_767).astype(np.int16)


def wav(samples: Samples) -> bytes:
    """As Call Automation wants it."""
    file = BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def channels(file: bytes) -> list[Samples]:
    """Of a WAV file of 16 kHz."""
    with wave.open(BytesIO(file)) as read:
        assert (read.getframerate(), read.getsampwidth()) == (RATE, 2)
        samples = np.frombuffer(read.readframes(read.getnframes()), "<i2")
        return list(samples.reshape(-1, read.getnchannels()).T)
