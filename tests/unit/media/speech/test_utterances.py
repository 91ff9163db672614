"""Where utterances begin and end: voices do, clicks and noisy lines do not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.parts import Samples
from onhook.media.speech.utterances import AFTER_FRAMES, BEFORE_FRAMES, FRAME_MS, LONGEST_MS, Utterances
from speech_like import mixed, noise, voice

SIZE = 16_000 * FRAME_MS // 1_000


def quiet(seconds: float) -> Samples:
    return noise(seconds, 10)


def heard(utterances: Utterances, *sounds: Samples) -> list[tuple[float, str]]:
    """What was told, with the second at which it was."""
    whole = np.concatenate(sounds)
    told = (
        (at + SIZE, utterances.hear(whole[at : at + SIZE])) for at in range(0, len(whole) - SIZE + 1, SIZE)
    )
    return [(at / 16_000, what) for at, what in told if what]


def kinds(told: list[tuple[float, str]]) -> list[str]:
    return [what for _, what in told]


def test_speech_begins_soon_and_ends_after_its_silence() -> None:
    (began, first), (ended, second) = heard(Utterances(500), quiet(1), voice(1), quiet(1.2))
    assert (first, second) == ("began", "ended")
    assert 1.0 < began <= 1.22
    assert 2.35 <= ended <= 2.6


def test_what_was_said_is_taken_whole_with_a_moment_around_it() -> None:
    utterances = Utterances(700)
    heard(utterances, quiet(1), voice(1), quiet(1))
    assert 0.6 <= utterances.began_ms / 1_000 <= 1.0
    most = 1 + (BEFORE_FRAMES + 8 + AFTER_FRAMES + 3) * FRAME_MS / 1_000
    assert 1.2 <= len(utterances.taken) / 16_000 <= most
    loud = np.abs(utterances.taken) > 1_000
    assert np.count_nonzero(loud) == np.count_nonzero(np.abs(voice(1)) > 1_000)


def test_a_long_silence_at_the_end_is_not_taken() -> None:
    lengths: list[int] = []
    for silence_ms in (300, 3_000):
        utterances = Utterances(silence_ms)
        assert kinds(heard(utterances, quiet(1), voice(1), quiet(4))) == ["began", "ended"]
        lengths.append(len(utterances.taken))
    assert lengths[0] == lengths[1]


@pytest.mark.parametrize("level", [100.0, 330.0, 580.0], ids=["-50 dBov", "-40 dBov", "-35 dBov"])
def test_speech_on_a_noisy_line_begins_and_ends_all_the_same(level: float) -> None:
    line = noise(5, level)
    said = np.concatenate((np.zeros(32_000, np.int16), voice(1), np.zeros(32_000, np.int16)))
    (began, first), (ended, second) = heard(Utterances(500), mixed(line, said))
    assert (first, second) == ("began", "ended")
    assert 2.0 < began < 2.4
    assert 3.2 < ended < 3.8


@pytest.mark.parametrize("level", [10.0, 100.0, 330.0, 1_000.0])
def test_noise_alone_begins_nothing_from_the_first_moment_on(level: float) -> None:
    assert heard(Utterances(500), noise(10, level)) == []


def test_a_line_that_becomes_noisy_begins_at_most_one_utterance() -> None:
    told = kinds(heard(Utterances(500), quiet(3), noise(6, 600)))
    assert told in ([], ["began", "ended"])


def test_a_click_is_no_speech() -> None:
    assert heard(Utterances(500), quiet(1), voice(0.06), quiet(1), noise(0.03, 8_000), quiet(1)) == []


def test_a_whisper_below_the_least_level_is_no_speech() -> None:
    assert heard(Utterances(500), np.zeros(16_000, np.int16), voice(1, level=60.0)) == []


def test_a_pause_that_is_shorter_than_the_silence_is_part_of_it() -> None:
    told = heard(Utterances(700), quiet(0.5), voice(0.5), quiet(0.4), voice(0.5), quiet(1))
    assert kinds(told) == ["began", "ended"]


def test_two_utterances_are_told_apart() -> None:
    once = (quiet(0.6), voice(0.6), quiet(0.8))
    assert kinds(heard(Utterances(400), *once, *once)) == ["began", "ended"] * 2


def test_what_is_said_so_far_grows_until_it_is_over() -> None:
    utterances = Utterances(400)
    assert len(utterances.so_far()) == 0
    heard(utterances, quiet(0.5), voice(0.5))
    first = len(utterances.so_far())
    heard(utterances, voice(0.5))
    assert len(utterances.so_far()) == first + 8_000
    heard(utterances, quiet(0.6))
    assert len(utterances.so_far()) == 0


def test_what_never_ends_is_cut() -> None:
    told = heard(Utterances(400), quiet(0.5), voice(LONGEST_MS / 1_000 + 1))
    assert kinds(told)[:2] == ["began", "ended"]
    assert told[1][0] - told[0][0] <= LONGEST_MS / 1_000


@given(st.lists(st.sampled_from(["quiet", "noise", "voice", "click", "nothing"]), max_size=15))
def test_began_and_ended_alternate_whatever_comes(pieces: list[str]) -> None:
    sounds = {
        "quiet": quiet(0.2),
        "noise": noise(0.3, 2_000),
        "voice": voice(0.4),
        "click": noise(0.02, 9_000),
        "nothing": np.zeros(6_400, np.int16),
    }
    utterances = Utterances(100)
    told = kinds(heard(utterances, quiet(0.02), *(sounds[piece] for piece in pieces)))
    assert told == [("began", "ended")[number % 2] for number in range(len(told))]
    assert utterances.speaking == (len(told) % 2 == 1)
