"""Telephone speech gets what it lacks, wide-band speech is left as it is; both come out at one level."""

import numpy as np
import pytest

from hearing import band_share, level_dbfs
from onhook.media.parts import Samples
from onhook.media.resampling import Resampler
from onhook.media.speech.widening import FLOOR, LOUDEST, is_wide, widened
from speech_like import noise, voice


def telephone(sound: Samples) -> Samples:
    whole = sound[: len(sound) // 320 * 320]
    return Resampler(8_000, 16_000)(Resampler(16_000, 8_000)(whole))


HISS = noise(0.5, 3_000)
"""As wide as an /s/."""


def test_a_hiss_that_came_by_telephone_gets_its_upper_half_back() -> None:
    narrow = telephone(HISS)
    assert band_share(narrow, 4_200) < 1e-3
    assert band_share(widened(narrow), 4_200) > 0.2


def test_a_vowel_stays_one() -> None:
    assert band_share(widened(telephone(voice(0.5))), 4_200) < 0.01


def test_what_is_wide_is_only_levelled() -> None:
    assert is_wide(HISS.astype(np.float64))
    out = widened(HISS).astype(np.float64)
    alike = np.corrcoef(out, HISS.astype(np.float64))[0, 1]
    assert alike > 0.999


@pytest.mark.parametrize("level", [700.0, 3_000.0, 12_000.0, 30_000.0])
def test_all_come_out_at_one_level(level: float) -> None:
    peak = np.percentile(np.abs(widened(telephone(voice(0.5, level=level)))), 99.9)
    assert peak == pytest.approx(LOUDEST, rel=0.15)


def test_silence_stays_quiet() -> None:
    silence = np.zeros(16_000, np.int16)
    assert level_dbfs(widened(silence)) == pytest.approx(20 * np.log10(FLOOR / 32_768), abs=1)


def test_the_same_sound_comes_out_the_same_and_as_long() -> None:
    sound = telephone(voice(0.3))
    assert np.array_equal(widened(sound), widened(sound))
    assert len(widened(sound)) == len(sound)


@pytest.mark.parametrize("length", [0, 1, 100])
def test_what_is_too_short_to_filter_is_left(length: int) -> None:
    sound = noise(1, 100)[:length]
    assert np.array_equal(widened(sound), sound)
