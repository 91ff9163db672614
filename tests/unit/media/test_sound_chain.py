"""The measure by which whole calls are compared (interop/sound_chain.py) tells what it should."""

import numpy as np
import pytest

from interop.sound_chain import RATE, channels, doubled_rate, later_seconds, passed, places_seconds, wav
from onhook.media.parts import Samples
from speech_like import voice

SOUND = voice(2.0)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def copy(*sounds: Samples) -> Samples:
    return np.concatenate(sounds)


def test_the_same_is_the_same() -> None:
    found = passed(SOUND, copy(silence(0.7), SOUND, silence(0.3)))
    assert found.at_seconds == pytest.approx(0.7, abs=0.001)
    assert found.likeness > 0.999
    assert found.level_db == pytest.approx(0, abs=0.01)
    assert found.missing_ms == found.moved_ms == 0


def test_half_as_loud_is_six_db_less() -> None:
    assert passed(SOUND, copy(silence(0.2), SOUND // 2)).level_db == pytest.approx(-6.02, abs=0.1)


def test_a_hole_is_missing() -> None:
    holed = SOUND.copy()
    holed[RATE // 2 : RATE // 2 + RATE // 10] = 0
    assert passed(SOUND, copy(silence(0.2), holed)).missing_ms == 100


def test_what_a_jitter_buffer_moved_is_told() -> None:
    moved = copy(silence(0.2), SOUND[:RATE], silence(0.05), SOUND[RATE:])
    assert passed(SOUND, moved).moved_ms == pytest.approx(50, abs=2)


def test_another_sound_is_not_like_it() -> None:
    noise = np.random.default_rng(3).integers(-8_000, 8_000, 3 * RATE).astype(np.int16)
    assert passed(SOUND, noise).likeness < 0.5


def test_a_copy_that_is_too_short_is_no_copy() -> None:
    with pytest.raises(ValueError, match=r"heard 1\.00 s of 2\.00 s"):
        passed(SOUND, SOUND[:RATE])


def test_it_is_found_as_often_as_it_was_played() -> None:
    thrice = copy(silence(0.5), SOUND, silence(0.4), SOUND, silence(1.0), SOUND)
    assert places_seconds(SOUND, thrice, 3) == pytest.approx([0.5, 2.9, 5.9], abs=0.001)
    later = copy(silence(0.1), thrice[: 4 * RATE], silence(0.02), thrice[4 * RATE :])
    assert later_seconds(SOUND, thrice, later, 3) == pytest.approx(0.1, abs=0.021)


def test_twice_the_rate_is_the_same_sound() -> None:
    narrow = np.rint(5_000 * np.sin(2 * np.pi * 700 * np.arange(8_000) / 8_000)).astype(np.int16)
    wide = np.rint(5_000 * np.sin(2 * np.pi * 700 * np.arange(16_000) / 16_000)).astype(np.int16)
    assert np.abs(doubled_rate(narrow)[1_000:-1_000] - wide[1_000:-1_000]).max() < 30


def test_a_file_comes_back_as_it_was() -> None:
    (read,) = channels(wav(SOUND))
    assert np.array_equal(read, SOUND)
