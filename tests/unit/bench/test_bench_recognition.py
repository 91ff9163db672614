"""What bench/recognition.py makes of sounds and of answers, without a recogniser."""

import asyncio

import numpy as np
import pytest

import recognition
from onhook.media.parts import Samples
from onhook.media.speech.recognising import Sphinx
from recognition import KEYWORDS, MENUS, OTHERS, RATE, Noises, Score, as_text, noises, score, telephone


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_telephone_speech_has_no_more_than_a_telephone_carries(rate: int) -> None:
    seconds = np.arange(rate) / rate
    parts = [8_000 * np.sin(2 * np.pi * hertz * seconds) for hertz in (1_000, 6_000) if hertz < rate / 2]
    heard = telephone(np.sum(parts, axis=0).astype(np.int16), rate)
    assert len(heard) == pytest.approx(1.6 * RATE, abs=RATE / 10)
    middle = heard[RATE // 2 : -RATE // 2].astype(np.float64)
    power = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
    hertz = np.fft.rfftfreq(len(middle), 1 / RATE)
    assert hertz[int(np.argmax(power))] == pytest.approx(1_000, abs=5)
    assert power[hertz > 4_200].sum() < 1e-4 * power.sum()
    assert not np.any(np.abs(heard[: RATE // 5]) > 20)


def test_menus_and_other_words_have_nothing_in_common() -> None:
    phrases = {phrase for menu in MENUS.values() for phrase in menu}
    assert not phrases & set(OTHERS)
    assert len(set(KEYWORDS)) == 20


def test_noises_are_of_many_kinds_and_not_silent() -> None:
    made = noises()
    assert len(made) == 8
    assert all(np.abs(each).max() > 500 for each in made)


def scored(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]) -> Score:
    """Of the menu of three; a sound's first sample is its number."""
    texts = ["sales", "support", "billing", *OTHERS]

    async def heard(_sphinx: object, _menu: object, sounds: list[Samples]) -> list[str]:
        return [answers.get(texts[int(each[0])], "") for each in sounds]

    monkeypatch.setattr(recognition, "heard", heard)
    spoken = [("one", text, np.full(1, number, np.int16)) for number, text in enumerate(texts)]
    return asyncio.run(score(object.__new__(Sphinx), "three choices", "test", spoken))


def test_right_wrong_and_rejected_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scored(monkeypatch, {"sales": "sales", "billing": "sales", OTHERS[0]: "support"})
    assert (found.said, found.right, found.wrong, found.rejected) == (3, 0.333, 0.333, 0.333)
    assert found.others_taken == round(1 / len(OTHERS), 3)
    assert found.confusions == [("billing", "sales", 1)]
    text = as_text([found], Noises(8, 0.125))
    assert "billing as sales (1)" in text
    assert "12 % of 8" in text


def test_all_right_has_no_confusions(monkeypatch: pytest.MonkeyPatch) -> None:
    found = scored(monkeypatch, {each: each for each in ("sales", "support", "billing")})
    assert (found.right, found.wrong, found.rejected, found.others_taken) == (1, 0, 0, 0)
    assert "wrong:" not in as_text([found], Noises(8, 0))
