"""Voices that applications name are mapped to what eSpeak has, by a rule."""

import pytest

from onhook.media.speech.espeak_words import Language
from onhook.media.speech.voices import MALE, VARIANTS, NoSuchVoice, Voices, Wish

VOICES = Voices(
    Language(tag, priority, voice)
    for tag, priority, voice in (
        ("en-gb", 2, "gmw/en"),
        ("en", 2, "gmw/en"),
        ("en-us", 2, "gmw/en-US"),
        ("en", 3, "gmw/en-US"),
        ("en", 10, "gmw/en-029"),
        ("de", 5, "gmw/de"),
        ("cmn", 5, "sit/cmn"),
        ("yue", 5, "sit/yue"),
        ("pt-br", 5, "roa/pt-BR"),
        ("pt", 5, "roa/pt"),
        ("chr-US-Qaaa-x-west", 5, "iro/chr"),
    )
)


@pytest.mark.parametrize(
    ("wish", "voice", "gender"),
    [
        (Wish(), "gmw/en-US", "female"),
        (Wish("en-US-NancyNeural"), "gmw/en-US", "female"),
        (Wish("en-US-GuyNeural"), "gmw/en-US", "male"),
        (Wish("en-US-AndrewMultilingualNeural"), "gmw/en-US", "male"),
        (Wish("en-US-Ava:DragonHDLatestNeural"), "gmw/en-US", "female"),
        (Wish("en-US-Guy24kRUS"), "gmw/en-US", "male"),
        (Wish("en-GB-SoniaNeural"), "gmw/en", "female"),
        (Wish("en-AU-WilliamNeural"), "gmw/en", "male"),
        (Wish("de-AT-JonasNeural"), "gmw/de", "female"),
        (Wish("zh-CN-liaoning-XiaobeiNeural"), "sit/cmn", "female"),
        (Wish("zh-HK-WanLungNeural"), "sit/yue", "female"),
        (Wish("pt-BR-AntonioNeural", gender="female"), "roa/pt-BR", "female"),
        (Wish("", "de-DE", "male"), "gmw/de", "male"),
        (Wish("", "de-DE", "female"), "gmw/de", "female"),
        (Wish("", "de_CH"), "gmw/de", "female"),
        (Wish("", "pt-PT"), "roa/pt", "female"),
        (Wish("de-DE-KatjaNeural", "en-US", "male"), "gmw/de", "female"),
    ],
)
def test_locale_and_person_choose_voice_and_variant(wish: Wish, voice: str, gender: str) -> None:
    found, _, variant = VOICES.find(wish).partition("+")
    assert found == voice
    assert variant in VARIANTS[gender]


def test_a_name_of_espeaks_own_is_taken_as_it_is() -> None:
    assert VOICES.find(Wish("en-gb")) == "gmw/en"
    assert VOICES.find(Wish("CMN")) == "sit/cmn"


def test_the_same_person_always_sounds_the_same_and_different_ones_mostly_differ() -> None:
    nancy = VOICES.find(Wish("en-US-NancyNeural"))
    assert nancy == VOICES.find(Wish("en-US-NancyNeural"))
    others = {VOICES.find(Wish(f"en-US-{name}Neural")) for name in ("Jenny", "Aria", "Jane", "Sara", "Amber")}
    assert len(others) > 1


@pytest.mark.parametrize(
    "name", ["Nancy", "en-us-nancyneural", "NancyNeural", "en-US-", "-", "en-US-nancy", "'; --"]
)
def test_a_name_that_is_none_says_how_names_look(name: str) -> None:
    with pytest.raises(
        NoSuchVoice, match=r"names look like en-US-NancyNeural, .* speaks chr, cmn, de, en, pt, yue"
    ):
        VOICES.find(Wish(name))


def test_a_custom_voice_may_have_any_name() -> None:
    assert VOICES.find(Wish("OurBrandVoice"), any_name=True).startswith("gmw/en-US+f")
    assert VOICES.find(Wish("OurBrandVoice", "de-DE", "male"), any_name=True).startswith("gmw/de+m")


@pytest.mark.parametrize("wish", [Wish("", "tlh-KX"), Wish("tlh-KX-WorfNeural"), Wish("", "x" * 500)])
def test_a_language_that_is_not_there_names_those_that_are(wish: Wish) -> None:
    with pytest.raises(
        NoSuchVoice, match=r"there is no voice for '.*': the built-in engine speaks chr, "
    ) as told:
        VOICES.find(wish)
    assert len(str(told.value)) < 250


def test_no_name_is_listed_in_other_letters() -> None:
    assert all(name == name.lower() and name.isalpha() for name in MALE)
