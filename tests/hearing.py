"""What a sound is like: level, pauses, pitch. For tests of what was spoken or played."""

import numpy as np

from onhook.media.parts import Samples

RATE = 16_000


def level_dbfs(samples: Samples) -> float:
    """RMS; 0 is a full-scale square wave."""
    power = np.mean(samples.astype(np.float64) ** 2) if len(samples) else 0.0
    return float(10 * np.log10(max(power, 1e-3) / 32768**2))


def longest_pause_seconds(samples: Samples, below_dbfs: float = -50.0) -> float:
    """The longest silence between two sounds, in steps of 10 ms."""
    step = RATE // 100
    quiet = [
        level_dbfs(samples[at : at + step]) < below_dbfs for at in range(0, len(samples) - step + 1, step)
    ]
    if all(quiet):
        return 0.0
    inner = quiet[quiet.index(False) : len(quiet) - quiet[::-1].index(False)]
    longest = run = 0
    for silent in inner:
        run = run + 1 if silent else 0
        longest = max(longest, run)
    return longest / 100


def pitch_hertz(samples: Samples) -> float:
    """Of the loudest half second: where it is most like itself, 60 to 400 Hz."""
    width = min(RATE // 2, len(samples))
    power = np.convolve(samples.astype(np.float64) ** 2, np.ones(width), "valid")
    at = int(np.argmax(power))
    part = samples[at : at + width].astype(np.float64)
    part -= part.mean()
    spectrum = np.abs(np.fft.rfft(part, 2 * width)) ** 2
    alike = np.fft.irfft(spectrum)
    shortest, longest = RATE // 400, RATE // 60
    return RATE / (shortest + int(np.argmax(alike[shortest:longest])))


def band_share(samples: Samples, above_hertz: float) -> float:
    """Which share of the power lies above a frequency."""
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(power[hertz >= above_hertz].sum() / max(power.sum(), 1e-9))
