"""A confidence is high when words cover what was said and sound like it, low when anything else is true."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onhook.media.speech.confidence import Reading, Segment, confidence

FRAMES = 100
YES = ("Y", "EH", "S")


def free(phones: str = "SIL Y EH S SIL", score: float = -5_000.0) -> Reading:
    """Phones of 20 frames each."""
    return Reading(
        score, tuple(Segment(name, 20 * place, 20 * place + 19) for place, name in enumerate(phones.split()))
    )


def words(first: int = 20, last: int = 79, score: float = -6_800.0) -> Reading:
    return Reading(score, (Segment("<sil>", 0, first - 1), Segment("yes", first, last)))


GOOD = confidence(words(), YES, free(), FRAMES)


def test_what_fits_is_sure() -> None:
    assert GOOD > 0.8


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (words(score=-9_000.0), free()),
        (words(first=60), free()),
        (words(last=99), free()),
        (words(), free("SIL B AA N SIL")),
        (words(), free("SIL M EY Z SIL")),
    ],
    ids=["unlikely", "covers a part", "covers silence", "other kinds of phones", "other phones"],
)
def test_whatever_does_not_fit_makes_it_less_sure(said: Reading, heard: Reading) -> None:
    assert confidence(said, YES, heard, FRAMES) < GOOD - 0.03


def test_a_phone_for_another_of_its_kind_is_forgiven_sooner() -> None:
    like, unlike = free("SIL Y IH S SIL"), free("SIL Y K S SIL")
    assert confidence(words(), YES, like, FRAMES) > confidence(words(), YES, unlike, FRAMES)


def test_without_words_there_is_none() -> None:
    silence = Reading(-1.0, (Segment("<sil>", 0, 99), Segment("[NOISE]", 0, 3), Segment("+SPN+", 4, 9)))
    assert confidence(silence, (), free(), FRAMES) == 0.0
    assert confidence(words(), YES, free(), 0) == 0.0


def test_the_likelier_the_surer() -> None:
    figures = [
        confidence(words(score=score), YES, free(), FRAMES) for score in (-9_000, -7_000, -6_000, -5_000)
    ]
    assert all(one < other for one, other in pairwise(figures))


PHONE = st.sampled_from(["SIL", "AA", "B", "S", "M", "L", "+SPN+"])
SEGMENTS = st.lists(PHONE, max_size=8).map(
    lambda names: tuple(Segment(name, 12 * place, 12 * place + 11) for place, name in enumerate(names))
)


@given(SEGMENTS, SEGMENTS, st.floats(-1e6, 0), st.floats(-1e6, 0), st.lists(PHONE, max_size=9))
def test_it_is_a_figure_from_0_to_1_whatever_was_read(
    said: tuple[Segment, ...], heard: tuple[Segment, ...], one: float, other: float, pronounced: list[str]
) -> None:
    assert 0.0 <= confidence(Reading(one, said), pronounced, Reading(other, heard), FRAMES) <= 1.0
