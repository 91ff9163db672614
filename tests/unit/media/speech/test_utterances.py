"""Where utterances begin and end, told from levels alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.parts import Samples
from onhook.media.speech.utterances import BEFORE_FRAMES, FRAME_MS, LONGEST_MS, Utterances

RATE = 16_000
SIZE = RATE * FRAME_MS // 1_000


def noise(level: float, seed: int = 1) -> Samples:
    return (np.random.default_rng(seed).standard_normal(SIZE) * level).astype(np.int16)


QUIET, SPEECH = noise(10), noise(3_000)


def heard(utterances: Utterances, *frames: Samples) -> list[tuple[int, str]]:
    """The frames at which something was told, counted from 1."""
    told = ((number, utterances.hear(frame)) for number, frame in enumerate(frames, 1))
    return [(number, what) for number, what in told if what]


def test_speech_begins_soon_and_ends_after_its_silence() -> None:
    utterances = Utterances(500)
    told = heard(utterances, *[QUIET] * 50, *[SPEECH] * 40, *[QUIET] * 60)
    assert [what for _, what in told] == ["began", "ended"]
    assert 51 <= told[0][0] <= 55
    assert pytest.approx(told[1][0], abs=2) == 90 + 500 // FRAME_MS


def test_what_was_said_is_taken_whole_with_a_moment_before_it() -> None:
    utterances = Utterances(200)
    heard(utterances, *[QUIET] * 50, *[SPEECH] * 30, *[QUIET] * 12)
    spoken = int(np.count_nonzero(np.abs(utterances.taken) > 500) > 0)
    assert spoken
    assert 30 * SIZE < len(utterances.taken) <= (30 + 10 + BEFORE_FRAMES + 8) * SIZE
    assert utterances.began_ms < 50 * FRAME_MS


def test_a_click_and_a_noisy_line_are_no_speech() -> None:
    assert heard(Utterances(500), *[QUIET] * 30, SPEECH, SPEECH, *[QUIET] * 30) == []
    hum = [noise(150, seed) for seed in range(400)]
    told = heard(Utterances(500), *hum)
    assert len(told) <= 2, "the quiet of the line is learnt"


def test_a_pause_that_is_shorter_than_the_silence_is_part_of_it() -> None:
    told = heard(Utterances(700), *[QUIET] * 20, *[SPEECH] * 20, *[QUIET] * 20, *[SPEECH] * 20, *[QUIET] * 50)
    assert [what for _, what in told] == ["began", "ended"]


def test_two_utterances_are_told_apart() -> None:
    once = [*[QUIET] * 30, *[SPEECH] * 30, *[QUIET] * 40]
    told = heard(Utterances(400), *once, *once)
    assert [what for _, what in told] == ["began", "ended"] * 2


def test_what_never_ends_is_cut() -> None:
    told = heard(Utterances(400), *[QUIET] * 20, *[SPEECH] * (LONGEST_MS // FRAME_MS + 20))
    assert [what for _, what in told][:2] == ["began", "ended"]


@given(st.lists(st.sampled_from([0, 5, 60, 400, 8_000]), max_size=300))
def test_began_and_ended_alternate_whatever_comes(levels: list[int]) -> None:
    utterances = Utterances(100)
    told = [what for _, what in heard(utterances, *(noise(level) for level in levels))]
    assert told == [("began", "ended")[number % 2] for number in range(len(told))]
    assert utterances.speaking == (len(told) % 2 == 1)
