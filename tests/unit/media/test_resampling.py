"""Tones keep level and pitch at another rate, blocks leave no seam, and what does not fit is kept out."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.parts import Samples
from onhook.media.resampling import LOWER_BAND_TAPS, Resampler, to_int16

RATES = (8_000, 16_000, 24_000, 48_000)
PAIRS = [(source, target) for source in RATES for target in RATES]


def tone(hertz: float, rate: int, seconds: float = 1.0, level: float = 10_000) -> Samples:
    return to_int16(level * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate))


def in_blocks(resampler: Resampler, samples: Samples) -> Samples:
    size = resampler.source // 50
    blocks = [resampler(samples[start : start + size]) for start in range(0, len(samples), size)]
    return np.concatenate(blocks)


def level_of(samples: Samples, hertz: float, rate: int) -> float:
    """Amplitude of one frequency; the ends, where the filter starts, are left out."""
    middle = samples[rate // 4 : -rate // 4].astype(float)
    turning = np.exp(-2j * np.pi * hertz * np.arange(len(middle)) / rate)
    return float(2 * abs(np.mean(middle * turning)))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_tone_keeps_its_length_level_and_pitch(source: int, target: int) -> None:
    out = in_blocks(Resampler(source, target), tone(1_000, source))
    assert len(out) == target
    assert out.dtype == np.int16
    assert level_of(out, 1_000, target) == pytest.approx(10_000, rel=0.01)
    rest = out[target // 4 : -target // 4].astype(float)
    noise = np.sqrt(np.mean(rest**2)) ** 2 - 10_000**2 / 2
    assert abs(noise) < 10_000**2 / 2 * 0.02


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_what_the_lower_rate_cannot_carry_is_kept_out(source: int, target: int) -> None:
    above = target / 2 * 1.3
    out = in_blocks(Resampler(source, target), tone(above, source))
    middle = out[target // 4 : -target // 4].astype(float)
    assert np.sqrt(np.mean(middle**2)) < 10_000 / 300  # 50 dB down


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair[0] < pair[1]])
def test_no_image_appears_above_the_old_band(source: int, target: int) -> None:
    out = in_blocks(Resampler(source, target), tone(1_000, source))
    assert level_of(out, source - 1_000, target) < 10_000 / 300


@pytest.mark.parametrize(("source", "target"), [(8_000, 16_000), (16_000, 24_000), (48_000, 16_000)])
def test_steady_levels_stay_exactly_what_they_are(source: int, target: int) -> None:
    out = in_blocks(Resampler(source, target), np.full(source, 12_345, np.int16))
    assert set(out[target // 4 :].tolist()) <= {12_344, 12_345, 12_346}


def test_the_delay_is_half_the_filter() -> None:
    click = np.zeros(8_000, np.int16)
    click[4_000] = 20_000
    out = in_blocks(Resampler(8_000, 16_000), click)
    assert abs(int(np.argmax(out)) - 8_000 - LOWER_BAND_TAPS) <= 1  # 32 samples of 16 kHz are 2 ms


@given(
    pair=st.sampled_from([pair for pair in PAIRS if pair[0] != pair[1]]),
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 25), max_size=6),
)
def test_where_blocks_are_cut_makes_no_difference(pair: tuple[int, int], seed: int, cuts: list[int]) -> None:
    source, target = pair
    noise = np.random.default_rng(seed).integers(-30_000, 30_000, source // 2).astype(np.int16)
    whole = Resampler(source, target)(noise)
    cut, parts = Resampler(source, target), []
    edges = [0, *sorted(at * source // 50 for at in cuts), len(noise)]
    for start, end in pairwise(edges):
        parts.append(cut(noise[start:end]))
    assert np.abs(np.concatenate(parts).astype(int) - whole).max() <= 1


def test_loud_sound_stays_within_16_bits() -> None:
    square = np.where(np.arange(16_000) % 16 < 8, 32_767, -32_768).astype(np.int16)
    out = in_blocks(Resampler(16_000, 24_000), square)
    assert out.max() == 32_767  # overshoot is held, it does not turn over
    assert out.min() == -32_768


def test_a_block_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="319 samples are no multiple of 2"):
        Resampler(16_000, 24_000)(np.zeros(319, np.int16))


def test_the_same_rate_gives_the_samples_themselves() -> None:
    samples = tone(440, 16_000)
    assert Resampler(16_000, 16_000)(samples) is samples
