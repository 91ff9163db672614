"""A prompt of known sound, and what a telephone heard of it, by its own recording.

Tests play it several times in a call and the best one counts: on a machine that has more to do than it can, a
packet may come too late to be heard, whoever sent it.
"""

import io
import wave
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

PARTS = ((400, 0.4), (0, 0.2), (1000, 0.6), (0, 0.2), (1700, 0.4))
"""Hz and seconds; 0 is silence. Nothing of it is like the other, so that order and loss are seen."""
SECONDS = sum(seconds for _, seconds in PARTS)
LEVEL = 0.25
PLAYS = 3
PROMPT_RATE, RATE = 16_000, 8_000
FRAME = RATE // 100
EDGE_SECONDS = 0.05
"""At both ends of a part, where filters and concealment may ring."""
Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """How a recording of the prompt differs from it."""

    begins_at: float
    """Seconds into the recording."""
    hertz: tuple[float, ...]
    """Loudest frequency of each part that is no silence."""
    level_db: tuple[float, ...]
    """Of these, above what was played."""
    gap_ms: int
    """Time within tones in which 10 ms were 12 dB too quiet."""
    noise_dbov: float
    """The loudest 10 ms where silence was played."""

    def check(self, *, level_db: float = 1.0, gap_ms: int = 20, noise_dbov: float = -50.0) -> None:
        """Within these limits it is the prompt, whole and in order."""
        wanted = [hertz for hertz, _ in PARTS if hertz]
        assert len(self.hertz) == len(wanted)
        assert all(abs(heard - hertz) < 5 for heard, hertz in zip(self.hertz, wanted, strict=True)), self
        assert max(map(abs, self.level_db)) <= level_db, self
        assert self.gap_ms <= gap_ms, self
        assert self.noise_dbov <= noise_dbov, self


def _sound(rate: int) -> Signal:
    parts = [
        LEVEL * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate) for hertz, seconds in PARTS
    ]
    return np.concatenate(parts)


def prompt() -> bytes:
    """As Call Automation wants it: WAV, mono, 16-bit PCM, 16 kHz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(PROMPT_RATE)
        written.writeframes((_sound(PROMPT_RATE) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def recorded(path: Path) -> Signal:
    """Any file of sound, mono at 8 kHz, full scale 1."""
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(path)) as file:
        frames = [out for frame in file.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]) / 32768.0


def compare(path: Path, louder_db: float = 0.0) -> Heard:
    """`louder_db`: so much louder than it should the telephone is known to play.

    Raises ValueError if the prompt is nowhere in the recording.
    """
    signal = recorded(path) / 10 ** (louder_db / 20)
    begin = _where(signal)
    hertz: list[float] = []
    levels: list[float] = []
    gap_ms, noise, at = 0, -100.0, begin
    for wanted, seconds in PARTS:
        part = signal[at + int(EDGE_SECONDS * RATE) : at + int((seconds - EDGE_SECONDS) * RATE)]
        at += int(seconds * RATE)
        if not wanted:
            noise = max(noise, float(_levels_db(part).max()))
            continue
        tone = 20 * np.log10(LEVEL / np.sqrt(2))
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        hertz.append(float(np.argmax(spectrum)) * RATE / len(part))
        levels.append(float(20 * np.log10(np.sqrt(np.mean(part**2)) + 1e-9) - tone))
        gap_ms += 10 * int(np.sum(_levels_db(part) < tone - 12))
    return Heard(begin / RATE, tuple(hertz), tuple(levels), gap_ms, noise)


def _levels_db(signal: Signal) -> Signal:
    """Of each 10 ms."""
    frames = signal[: len(signal) // FRAME * FRAME].reshape(-1, FRAME)
    levels: Signal = 20 * np.log10(np.sqrt(np.mean(frames**2, axis=1)) + 1e-5)
    return levels


def _where(signal: Signal) -> int:
    """The sample at which the prompt begins: where loud and quiet fit best."""
    wanted = (_levels_db(_sound(RATE)) > -30).astype(float) - 0.5
    is_loud = (_levels_db(signal) > -30).astype(float) - 0.5
    if len(is_loud) < len(wanted):
        raise ValueError(f"the recording has {len(signal) / RATE:.2f} s, the prompt {SECONDS:.2f} s")
    fits = np.correlate(is_loud, wanted, "valid")
    if fits.max() < 0.8 * np.sum(wanted**2):
        raise ValueError(f"the prompt is not heard: it fits by {fits.max() / np.sum(wanted**2):.2f} at best")
    return int(np.argmax(fits)) * FRAME
