"""What the engine counts, told in words: the quality of a leg as it comes out of real packets."""

import numpy as np
import pytest

from by_hand import ByHand, Sound, by_hand, tone
from onhook.endings.quality import LegQuality, leg_quality

SECOND = 8000


def told(hand: ByHand, voice: Sound, seconds: float = 2) -> LegQuality:
    hand.phone("talker", voice=voice)
    hand.phone("listener", talks=False)
    hand.room("room", "talker", "listener")
    hand.run(seconds)
    return leg_quality(1, hand.engine.close("talker"), "trunk carrier")


def test_a_tone_is_good_audio_at_its_own_level() -> None:
    with by_hand() as hand:
        quality = told(hand, tone(400, 1))
        assert (quality.rating, quality.only_silence) == ("good", False)
        assert quality.loudest_dbov == pytest.approx(20 * np.log10(8000 / 32_768 / np.sqrt(2)), abs=0.5)


def test_samples_that_are_all_zero_are_silence_and_not_a_lack_of_packets() -> None:
    with by_hand() as hand:
        quality = told(hand, np.zeros(SECOND, np.int16))
        assert (quality.rating, quality.only_silence) == ("good", True)
        assert quality.loudest_dbov == -100.0
        assert quality.received >= 95


def test_a_far_end_that_never_sends_has_no_level() -> None:
    with by_hand() as hand:
        hand.phone("talker", talks=False)
        hand.phone("listener", talks=False)
        hand.room("room", "talker", "listener")
        hand.run(2)
        quality = leg_quality(1, hand.engine.close("talker"), "trunk carrier")
        assert (quality.rating, quality.loudest_dbov) == ("none", None)
