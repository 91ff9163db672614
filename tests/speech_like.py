"""Sounds that are taken for speech, and for none, without anybody who speaks."""

import numpy as np

from onhook.media.parts import Samples

FORMANTS = {520: 1.0, 1_500: 0.5, 2_500: 0.15}
"""Hz, and how strong."""


def voice(seconds: float, rate: int = 16_000, level: float = 6_000.0) -> Samples:
    """A vowel whose pitch and loudness move as those of a voice do: syllables, four a second."""
    times = np.arange(round(seconds * rate)) / rate
    pitch = 130 + 12 * np.sin(2 * np.pi * 2.1 * times)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    sound = np.zeros(len(times))
    for number in range(1, 26):
        hertz = 130 * number
        weight = sum(part * np.exp(-(((hertz - peak) / 160) ** 2)) for peak, part in FORMANTS.items())
        sound += (weight + 0.01) * np.sin(number * phase)
    syllables = 0.65 + 0.35 * np.sin(2 * np.pi * 4 * times - np.pi / 2)
    shaped = sound / np.abs(sound).max(initial=1e-9) * syllables * level
    spoken: Samples = shaped.astype(np.int16)
    return spoken


def noise(seconds: float, level: float, seed: int = 1, rate: int = 16_000) -> Samples:
    """White noise of this RMS."""
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * rate)) * level
    hiss: Samples = np.clip(drawn, -32_768, 32_767).astype(np.int16)
    return hiss


def mixed(*sounds: Samples) -> Samples:
    """Of the same length, together."""
    total = np.sum([sound.astype(np.int32) for sound in sounds], axis=0)
    together: Samples = np.clip(total, -32_768, 32_767).astype(np.int16)
    return together
